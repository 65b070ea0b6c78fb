package archive

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/zeebo/blake3"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// Share makes a snapshot of its own from what is at path in t, so that the key of its root opens that and nothing else.
// Large files and their blocks are used as they are. Small ones are copied into new shared blocks, because the old ones
// hold other files as well, also of other snapshots. At the top of the new snapshot is the file or directory at path,
// under its name; for the empty path it is everything.
//
// Of cfg, Store, Sealer, Source, RootKey and Progress are used. As with Run, nothing is durable before Store.Sync.
func Share(ctx context.Context, cfg Config, t *vac.Tree, path string) (*Result, error) {
	d, err := t.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	cfg.Parent, cfg.Known = nil, nil
	cfg.Host, cfg.Time = t.Root.Host, t.Root.Time
	cfg.Paths = t.Root.Paths
	if d.Name != "" {
		cfg.Paths = []string{"/" + d.Name}
	}
	r, err := newRun(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer r.cancel()
	entry, err := r.pipeline(func(w *walker) error {
		if d.Name == "" {
			return w.copyAll(t, d, "")
		}
		return w.copyEntry(t, d, "/"+d.Name)
	})
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, entry)
}

// copyAll emits the entries of a directory of a snapshot.
func (w *walker) copyAll(t *vac.Tree, dir *vac.Dir, path string) error {
	es, err := t.Entries(w.ctx, dir)
	if err != nil {
		return err
	}
	defer es.Close()
	for {
		d, err := es.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = w.copyEntry(t, d, path+"/"+d.Name)
		}
		if err != nil {
			return err
		}
	}
}

func (w *walker) copyEntry(t *vac.Tree, d *vac.Dir, path string) error {
	w.cfg.Progress.Current.Store(&path)
	switch {
	case d.Type == vac.Directory:
		if err := w.emit(item{step: enter, path: path, dir: d}); err != nil {
			return err
		}
		if err := w.copyAll(t, d, path); err != nil {
			return err
		}
		return w.emit(item{step: leave})
	case d.Content.Kind == vac.Sliced:
		b, err := t.Bytes(w.ctx, d)
		if err != nil {
			return err
		}
		j := &job{path: path, dir: d, small: slices.Clone(b), hash: blake3.Sum256(b), done: make(chan struct{})}
		close(j.done)
		return w.emit(item{step: add, path: path, dir: d, job: j})
	}
	return w.emit(item{step: add, path: path, dir: d})
}

// Present asks the store for every block of t and returns an error that names the first one it does not have. A writer
// calls it before it catalogues a snapshot whose parent has left the catalog meanwhile: nothing else kept the parent's
// blocks.
func Present(ctx context.Context, t *vac.Tree) error {
	const batch = 512
	seen := map[venti.Score]bool{}
	var ask []venti.Score
	flush := func() error {
		has, err := t.Source().Store().Has(ctx, ask)
		if err != nil {
			return err
		}
		for i, ok := range has {
			if !ok {
				return &venti.BlockError{Op: "find", Score: ask[i], Err: venti.ErrNotFound}
			}
		}
		ask = ask[:0]
		return nil
	}
	err := t.Blocks(ctx, func(u vac.Use, err error) (bool, error) {
		if err != nil || seen[u.Ref.Score] {
			return false, err
		}
		seen[u.Ref.Score] = true
		if ask = append(ask, u.Ref.Score); len(ask) == batch {
			return true, flush()
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return flush()
}
