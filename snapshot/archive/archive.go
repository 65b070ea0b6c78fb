package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// The limits of the pipeline.
const (
	smallFile  = 128 << 10  // the longest file that goes into a shared block, in bytes
	blockSize  = 3800 << 10 // the longest that shared blocks get before their last content
	batchSize  = 7400 << 10 // small contents that are put in order at a time: two blocks
	readers    = 4          // files being read at once
	readAhead  = 64         // files waiting for a reader, or read and waiting to be packed
	assembling = 16 << 10   // records waiting for their directory
	unsettled  = 8          // shared blocks that are being sealed and stored
)

// Config says what to archive and where to. Store, Source, Sealer and either Paths or Stdin are needed.
type Config struct {
	Store   venti.Store
	Sealer  *seal.Sealer
	Source  *tree.Source // of the same store; for the parent
	RootKey seal.RootKey

	Paths []string  // absolute; one inside another is dropped
	Host  string    // recorded; the caller's choice
	User  string    // recorded
	Time  time.Time // recorded; zero is now

	Parent *vac.Tree // the snapshot to compare with; nil reads everything
	Force  bool      // read every file, even if unchanged
	Known  *Known    // contents that are stored already; nil for none

	Exclude       *Exclude // nil excludes nothing
	OneFileSystem bool     // do not enter directories on other file systems
	DryRun        bool     // store nothing

	Progress *Progress                                  // may be nil
	Warn     func(path string, err error)               // what could not be archived; may be nil; called from one goroutine at a time
	Saved    func(path string, what Change, size int64) // each entry that is not a directory; may be nil; as Warn
}

// A Change says how an entry compares with the parent snapshot.
type Change string

const (
	New       Change = "new"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
)

// Progress counts what a run has done so far. It may be read at any time.
type Progress struct {
	Files, Dirs atomic.Int64           // entries finished
	Bytes       atomic.Int64           // sizes of the files among them
	Read        atomic.Int64           // bytes read from files
	Current     atomic.Pointer[string] // path last looked at
}

// A Result is what a run did.
type Result struct {
	Root    *venti.Root
	Ref     venti.Ref
	New     int64 // files that the parent did not have
	Changed int64 // files that it had otherwise
	Same    int64 // files that it had
	Failed  int64 // files and directories that could not be archived, or changed while they were read
	Read    int64 // bytes read from files
	Added   int64 // bytes of sealed blocks that the store did not have, or if it does not count them (Added), of all
	SameTop bool  // the top directory is the parent's, block for block
}

var errNothing = errors.New("nothing to archive: give at least one path")

// Run archives what cfg says and returns the new root. The root is stored, but neither it nor anything else is durable
// before Store.Sync has returned; only then may its score be shown or catalogued. What could not be read goes to
// cfg.Warn and is counted in Result.Failed; it is not an error. An error means that there is no snapshot; blocks stored
// so far stay, and the next run finds them.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if len(cfg.Paths) == 0 {
		return nil, errNothing
	}
	cfg.Paths = Clean(cfg.Paths)
	r, err := newRun(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer r.cancel()
	top := plan(cfg.Paths)
	entry, err := r.pipeline(func(w *walker) error { return w.top(top) })
	if err != nil {
		_ = r.known.end() // so that the next run finds what this one has stored; without it, it stores some of that anew
		return nil, err
	}
	return r.finish(ctx, entry)
}

// A run is one call of Run, Stream or Share.
type run struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelFunc
	sink    *tree.Sink
	start   time.Time
	floor   atomic.Int64 // lowest clock reading, Unix nanoseconds
	owners  owners
	devices map[uint64]uint32
	trusted time.Time  // entries of the parent with a ctime before this are trusted
	old     vac.Shares // of the parent
	shares  vac.Shares // of the new snapshot
	known   *Known
	files   uint64
	dirs    uint64
	bytes   uint64
	read    atomic.Int64
	added   func() int64 // for Result.Added
	res     Result
}

// granularity is how coarse the clocks of file systems may be.
const granularity = 2 * time.Second

func newRun(ctx context.Context, cfg Config) (*run, error) {
	if cfg.Progress == nil {
		cfg.Progress = &Progress{}
	}
	r := &run{cfg: cfg, start: time.Now(), devices: map[uint64]uint32{}, shares: vac.Shares{}, old: vac.Shares{}, known: cfg.Known}
	r.owners.init()
	r.floor.Store(r.start.UnixNano())
	store := cfg.Store
	if cfg.DryRun {
		store = &dryStore{Store: store}
	}
	if r.known == nil {
		r.known = &Known{}
	}
	if p := cfg.Parent; p != nil {
		r.trusted = p.Root.Floor.Add(-granularity)
		var err error
		if r.old, err = vac.ReadShares(ctx, p.Source(), p.Root.Shared); err != nil {
			return nil, fmt.Errorf("parent snapshot %s: %w", p.Ref.Score.Short(), err)
		}
	}
	r.known.begin(store, r.old, cfg.DryRun)
	r.sink = tree.NewSink(store, cfg.Sealer, r.known)
	r.added = func() int64 {
		_, bytes := r.sink.Written()
		return bytes
	}
	if counting, ok := store.(interface{ Added() int64 }); ok {
		before := counting.Added()
		r.added = func() int64 { return counting.Added() - before }
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r, nil
}

// clock takes a reading for the floor.
func (r *run) clock() {
	now := time.Now().UnixNano()
	for {
		low := r.floor.Load()
		if now >= low || r.floor.CompareAndSwap(low, now) {
			return
		}
	}
}

// finish stores the table of shared blocks and the root.
func (r *run) finish(ctx context.Context, top venti.Entry) (*Result, error) {
	shared, err := r.shares.Write(ctx, r.sink)
	if err != nil {
		return nil, err
	}
	root := &venti.Root{Kind: venti.RootSnapshot, Time: r.cfg.Time, Floor: time.Unix(0, r.floor.Load()).UTC(),
		Host: r.cfg.Host, User: r.cfg.User, Paths: r.cfg.Paths, Top: top, Shared: shared,
		Files: r.files, Dirs: r.dirs, Bytes: r.bytes}
	if root.Time.IsZero() {
		root.Time = r.start
	}
	root.Time = root.Time.UTC().Round(0)
	if p := r.cfg.Parent; p != nil {
		root.Prev = p.Ref.Score
		r.res.SameTop = p.Root.Top == top
	}
	if r.res.Ref, err = r.sink.PutRoot(ctx, r.cfg.RootKey, root); err != nil {
		return nil, err
	}
	if err := r.known.end(); err != nil {
		r.warn("(cache of known contents)", err)
	}
	r.res.Root = root
	r.res.Read = r.read.Load()
	r.res.Added = r.added()
	return &r.res, nil
}

// warn reports what could not be archived. It is called by the assembler only, so that reports come in the order of the
// walk.
func (r *run) warn(path string, err error) {
	r.res.Failed++
	if r.cfg.Warn != nil {
		r.cfg.Warn(path, err)
	}
}

// dryStore takes blocks and keeps none. It counts those that the store does not have.
type dryStore struct {
	venti.Store
	added atomic.Int64
}

func (d *dryStore) Put(ctx context.Context, block []byte) (venti.Score, error) {
	s := venti.Sum(block)
	has, err := d.Has(ctx, []venti.Score{s})
	if err == nil && !has[0] {
		d.added.Add(int64(len(block)))
	}
	return s, err
}
func (d *dryStore) Sync(context.Context) error { return nil }
func (d *dryStore) Added() int64               { return d.added.Load() }

// Hostname returns the name to record when the user gives none.
func Hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return h
}
