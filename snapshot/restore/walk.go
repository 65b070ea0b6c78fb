package restore

import (
	"context"
	"io"
	"sync"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A pass is what is done to the directories and entries of a traversal.
type pass interface {
	// enter opens f, whose parent is open, and reports whether its entries are to be dealt with. It is called before
	// anything of f is passed on, and not at all if nothing is.
	enter(ctx context.Context, f *folder) bool

	// entry deals with d, which is no directory. It is called from several goroutines.
	entry(ctx context.Context, f *folder, d *vac.Dir)

	// finish is called once nothing will happen in f any more; fd is its descriptor. Directories below f may not be
	// finished yet.
	finish(ctx context.Context, f *folder, fd int)
}

const (
	// A batch is given to a worker when it has that many entries or that much content.
	batchFiles = 64
	batchBytes = 1 << 20

	// queueBatches is how many batches the walk is ahead of the workers.
	queueBatches = 16

	// prefetches is how many shared blocks are fetched at once before a worker asks for them.
	prefetches = 4
)

// A batch is entries of one directory, in order.
type batch struct {
	folder *folder
	dirs   []*vac.Dir
}

// A walk is one traversal of a part of a snapshot.
type walk struct {
	run      *run
	pass     pass
	queue    chan batch
	batch    batch
	size     int64 // content of batch
	ahead    chan struct{}
	fetching sync.WaitGroup
	last     venti.Ref // shared block seen last
}

// traverse leads everything at and below d through p. fd is a descriptor of the target; traverse closes it.
func (r *run) traverse(ctx context.Context, p pass, d *vac.Dir, fd int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	w := &walk{run: r, pass: p, queue: make(chan batch, queueBatches), ahead: make(chan struct{}, prefetches)}
	var workers sync.WaitGroup
	for range r.cfg.workers() {
		workers.Go(func() {
			for b := range w.queue {
				w.work(ctx, b)
			}
		})
	}
	root := &folder{fd: fd, users: 1, dir: d, plain: true, fresh: r.fresh}
	if d.Type == vac.Directory {
		root.plain = d.Name == "" || isPlain(d)
		root.wanted = r.filter.include == nil
		w.directory(ctx, root)
	} else if w.ready(ctx, root) && (!r.filter.active() || r.filter.takes([]string{d.Name}, false)) {
		w.add(ctx, root, d)
		w.flush(ctx)
	}
	w.release(ctx, root)
	close(w.queue)
	workers.Wait()
	w.fetching.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// work deals with a batch.
func (w *walk) work(ctx context.Context, b batch) {
	for _, d := range b.dirs {
		if ctx.Err() != nil {
			break
		}
		w.pass.entry(ctx, b.folder, d)
	}
	w.release(ctx, b.folder)
}

// release gives f up, and finishes it if nobody else uses it.
func (w *walk) release(ctx context.Context, f *folder) {
	fd, last := f.release()
	if !last {
		return
	}
	if f.made && !f.failed && ctx.Err() == nil {
		w.pass.finish(ctx, f, fd)
	}
	if fd >= 0 {
		closeFD(fd)
	}
}

// directory leads everything below f through the pass. The entries of f are in the order of their names, those of
// directories below it between them.
func (w *walk) directory(ctx context.Context, f *folder) {
	if f.wanted && !w.ready(ctx, f) {
		return
	}
	es, err := w.run.tree.Entries(ctx, f.dir)
	if err != nil {
		w.broken(ctx, f, err)
		return
	}
	defer es.Close()
	for ctx.Err() == nil && !f.failed {
		d, err := es.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			w.broken(ctx, f, err)
			break
		}
		delete(f.extras, d.Name)
		if d.Type == vac.Directory {
			w.flush(ctx)
			w.descend(ctx, f, d)
		} else if w.takes(f, d) && w.ready(ctx, f) {
			w.add(ctx, f, d)
		}
	}
	w.flush(ctx)
}

func (w *walk) broken(ctx context.Context, f *folder, err error) {
	f.broken = true
	if ctx.Err() == nil {
		w.run.fail(List, f, "", err)
	}
}

func (w *walk) takes(f *folder, d *vac.Dir) bool {
	return !w.run.filter.active() || w.run.filter.takes(f.join(d.Name), false)
}

// descend leads the directory d of f, and everything below it, through the pass.
func (w *walk) descend(ctx context.Context, f *folder, d *vac.Dir) {
	x := &w.run.filter
	c := f.child(d, x.active())
	if x.active() {
		if !x.descends(c.parts) {
			return
		}
		c.wanted = x.takes(c.parts, true)
	}
	if c.wanted && !w.ready(ctx, c) {
		w.release(ctx, c)
		return
	}
	f.cool()
	w.directory(ctx, c)
	if err := f.warm(c); err != nil {
		f.failed = true
		w.run.fail(Create, f, "", err)
	}
	w.release(ctx, c)
}

// ready enters f, and the directories above it that were not entered yet.
func (w *walk) ready(ctx context.Context, f *folder) bool {
	if f.made || f.failed {
		return !f.failed
	}
	if f.parent != nil && !w.ready(ctx, f.parent) {
		f.failed = true
		return false
	}
	if !w.pass.enter(ctx, f) {
		f.failed = true
		return false
	}
	f.made = true
	return true
}

// add puts d into the batch of f, and has its shared block fetched.
func (w *walk) add(ctx context.Context, f *folder, d *vac.Dir) {
	if w.batch.folder != f {
		w.flush(ctx)
	}
	w.batch.folder = f
	w.batch.dirs = append(w.batch.dirs, d)
	w.size += d.Size
	if d.Content.Kind == vac.Sliced && d.Content.Slice.Block != w.last {
		w.last = d.Content.Slice.Block
		w.prefetch(ctx, w.last)
	}
	if len(w.batch.dirs) == batchFiles || w.size >= batchBytes {
		w.flush(ctx)
	}
}

// flush gives the batch to a worker.
func (w *walk) flush(ctx context.Context) {
	b := w.batch
	w.batch, w.size = batch{}, 0
	if len(b.dirs) == 0 {
		return
	}
	b.folder.hold()
	select {
	case w.queue <- b:
	case <-ctx.Done():
		w.release(ctx, b.folder)
	}
}

// prefetch fetches a shared block into the cache, unless enough are on their way. Whoever needs it sees the error.
func (w *walk) prefetch(ctx context.Context, ref venti.Ref) {
	if _, ok := w.pass.(prefetcher); !ok {
		return
	}
	select {
	case w.ahead <- struct{}{}:
	default:
		return
	}
	w.fetching.Go(func() {
		_, _ = w.run.source().Block(ctx, ref)
		<-w.ahead
	})
}

// A prefetcher is a pass that reads shared blocks.
type prefetcher interface{ prefetches() }

func (r *run) source() *tree.Source { return r.tree.Source() }
