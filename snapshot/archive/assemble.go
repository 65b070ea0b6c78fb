package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// pipeline runs walk, readers, packer and assembler, and returns the top directory. When it returns, nothing of them
// runs any more.
func (r *run) pipeline(walk func(*walker) error) (venti.Entry, error) {
	items := make(chan item, readAhead)
	jobs := make(chan *job, readers)
	packs := make(chan packed, assembling)
	ask := make(chan struct{})
	bufs := make(buffers, readAhead)

	var wg sync.WaitGroup
	var walkErr, packErr error
	wg.Go(func() {
		defer close(jobs)
		defer close(items)
		w := &walker{run: r, out: items, jobs: jobs}
		if walkErr = walk(w); walkErr != nil {
			r.cancel()
		}
	})
	for range readers {
		wg.Go(func() { r.reader(jobs, bufs) })
	}
	wg.Go(func() {
		defer close(packs)
		p := &packer{run: r, bufs: bufs, recent: map[tree.Hash]*promise{}}
		if packErr = p.pack(items, packs, ask); packErr != nil {
			r.cancel()
		}
		for range items { // so that the walk can end
		}
	})
	entry, err := r.assemble(packs, ask)
	if err != nil {
		r.cancel()
	}
	for range packs {
	}
	wg.Wait()
	return entry, firstCause(err, packErr, walkErr)
}

// firstCause returns the error that is more than the cancellation it led to.
func firstCause(errs ...error) error {
	var first error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if !errors.Is(err, context.Canceled) {
			return err
		}
		first = err
	}
	return first
}

// top walks everything that is archived.
func (w *walker) top(n *node) error {
	var old *vac.Content
	if p := w.cfg.Parent; p != nil {
		old = &p.Top().Content
	}
	if n.path == "" {
		return w.virtual(n, "", old)
	}
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", "/", err)
	}
	h := newHandle(fd)
	defer h.release()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError("stat", "/", err)
	}
	return w.directory(h, "", uint64(st.Dev), old)
}

// A frame is a directory being assembled.
type frame struct {
	w    *vac.DirWriter
	dir  *vac.Dir
	was  *vac.Dir // the parent's entry, if there is one
	path string
}

// assemble writes the directories from the items of the walk, and counts.
func (r *run) assemble(in <-chan packed, ask chan<- struct{}) (venti.Entry, error) {
	var old vac.Content
	if p := r.cfg.Parent; p != nil {
		old = p.Top().Content
	}
	stack := []frame{{w: r.dirWriter(old)}}
	defer func() {
		for _, f := range stack {
			f.w.Abort()
		}
	}()
	for it := range in {
		f := &stack[len(stack)-1]
		var err error
		switch it.step {
		case enter:
			stack = append(stack, frame{w: r.dirWriter(it.old), dir: it.dir, was: it.was, path: it.path})
		case leave:
			stack = stack[:len(stack)-1]
			err = r.leave(f, &stack[len(stack)-1])
		case drop:
			err = f.w.Drop()
		case fail:
			r.warn(it.path, it.err)
			if it.was != nil {
				err = f.w.Drop()
			}
		case keep:
			if err = f.w.Keep(it.dir); err == nil {
				r.saved(&it.item, it.dir)
			}
		case add:
			err = r.add(f, &it, ask)
		}
		if err != nil {
			return venti.Entry{}, err
		}
	}
	if err := r.ctx.Err(); err != nil {
		return venti.Entry{}, err
	}
	f := stack[0]
	stack = nil
	return f.w.CloseStream()
}

func (r *run) dirWriter(old vac.Content) *vac.DirWriter {
	src := r.cfg.Source
	if p := r.cfg.Parent; p != nil {
		src = p.Source()
	}
	return vac.NewDirWriter(r.ctx, r.sink, src, old)
}

// leave ends a directory and adds it to the one above.
func (r *run) leave(f, above *frame) error {
	content, _, err := f.w.Close()
	if err != nil {
		return err
	}
	r.dirs++
	r.cfg.Progress.Dirs.Add(1)
	f.dir.Content = content
	_, err = r.put(above.w, f.dir, f.was, f.path)
	return err
}

// put adds an entry that is new, or replaces the parent's. An entry that the format cannot hold is
// reported and left out; it has no Change then.
func (r *run) put(w *vac.DirWriter, d *vac.Dir, was *vac.Dir, path string) (what Change, err error) {
	same := false
	if was == nil {
		err, what = w.Add(d), New
	} else if same, err = w.Replace(d, was); same {
		what = Unchanged
	} else {
		what = Changed
	}
	if errors.Is(err, vac.ErrEntry) {
		r.warn(path, err)
		what, err = "", nil
		if was != nil {
			err = w.Drop()
		}
	}
	if err != nil {
		err = fmt.Errorf("entry %q: %w", path, err)
	}
	return what, err
}

// add adds a new or changed entry.
func (r *run) add(f *frame, it *packed, ask chan<- struct{}) error {
	d := it.dir
	if it.later != nil {
		s, size, err := it.later.wait(r.ctx, ask)
		if err != nil {
			return err
		}
		d.Content = vac.Content{Kind: vac.Sliced, Slice: s}
		if _, ok := r.shares[s.Block.Score]; !ok {
			r.shares[s.Block.Score] = vac.Share{Size: uint64(size)}
		}
	}
	if it.job != nil && it.job.warning != nil {
		r.warn(it.path, it.job.warning)
	}
	var err error
	if it.what, err = r.put(f.w, d, it.was, it.path); err != nil {
		return err
	}
	if it.what != "" {
		r.saved(&it.item, d)
	}
	return nil
}

// saved counts an entry that is in the new snapshot.
func (r *run) saved(it *item, d *vac.Dir) {
	r.files++
	p := r.cfg.Progress
	p.Files.Add(1)
	switch it.what {
	case New:
		r.res.New++
	case Changed:
		r.res.Changed++
	default:
		r.res.Same++
	}
	if d.Type == vac.File {
		r.bytes += uint64(d.Size)
		p.Bytes.Add(d.Size)
		if d.Content.Kind == vac.Sliced {
			r.use(d)
		}
	}
	if r.cfg.Saved != nil {
		r.cfg.Saved(it.path, it.what, d.Size)
	}
}

// use counts what d uses of its shared block.
func (r *run) use(d *vac.Dir) {
	score := d.Content.Slice.Block.Score
	s, ok := r.shares[score]
	if !ok {
		if o, ok := r.old[score]; ok {
			s.Size = o.Size
		} else {
			s.Size = uint64(r.known.blockSize(score))
		}
		s.Size = max(s.Size, uint64(d.Content.Slice.Offset)+uint64(d.Size))
	}
	s.Used += uint64(d.Size)
	r.shares[score] = s
}
