package index

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger"
	"github.com/ipfs/go-datastore"

	"ventidhash/venti/arena"
)

const (
	stripes = 64

	// Rows are written to the datastore when so many wait, or when so many bytes were appended, which bounds what has to
	// be read again after a crash.
	flushRows  = 4096
	flushBytes = 256 << 20

	// Close leaves so little for the next Open to read again rather than writing to the datastore (Config.Leave).
	leaveRows  = 128
	leaveBytes = 4 << 20
)

// Config says whose index it is and how to read the arenas. Dir, Store, Arena, Key and Row are needed, but for
// Dir in memory (ReadOnly).
type Config struct {
	// Dir is the folder of the datastore. Open makes it, and removes what is in it if it is damaged.
	Dir string

	// Store is the id of whoever has the arenas. An index that was made for another one is thrown away.
	Store string

	// Arena holds the records. Whoever opened it closes it, after the index.
	Arena *arena.Arena

	// ReadOnly keeps all rows in memory and writes nothing.
	ReadOnly bool

	// Key returns the key that a record is about, from its kind and its own key. An error means that the program does not
	// know such records: they are left alone, and so is their segment.
	Key func(kind byte, recordKey []byte) ([]byte, error)

	// Row returns what a record says: the row at loc. An error means that the record cannot be what its key says; it is
	// skipped. rec and its slices are valid during the call only.
	Row func(loc arena.Loc, rec arena.Record) (Row, error)

	// Merge returns what the row of a key is after a record with the same key that says add; old is the row before, if
	// there was one. It returns false if there is to be none. Nil means that add takes the place of old.
	Merge func(old Row, have bool, add Row) (Row, bool)

	// Whole says that Row looks at the data of records, so that filling the index takes reading all.
	Whole bool

	// Split is the position in the keys of a byte that differs from key to key: filling a large index goes by it.
	Split int

	// Group is how many of the first bytes of keys say what belongs together: these rows are stored as one, so that
	// Group finds them at once, and Lock locks them together. They must not come to more than half of LogSize, and Split
	// must be less than Group. Zero means that each row is for itself.
	Group int

	// Room, if it is set, says whether the index may be written: on a full disk Badger would try for ever.
	Room *Room

	// Rows is about how many rows are held in memory while the index is filled. Zero means 262,144.
	Rows int

	// Leave is how many bytes of records Close may leave for the next Open to read, rather than writing their rows: a
	// store that stays small then has next to no index on the disk. Zero means 4 MiB, and 128 rows at most.
	Leave int64

	// LogSize is the size in bytes of the files in which Badger keeps what it has not sorted yet: the unit in which their
	// space comes back. Zero means 16 MiB; at least 1 MiB.
	LogSize int64

	// Log hears of damage and of an index that is built anew. Nil discards.
	Log *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Dir == "" && !c.ReadOnly:
		return errors.New("index: Dir is empty")
	case c.Arena == nil:
		return errors.New("index: Arena is nil")
	case c.Key == nil || c.Row == nil:
		return errors.New("index: Key or Row is nil")
	case c.Split < 0 || c.Group < 0 || c.Split >= MaxKey || c.Group > MaxKey:
		return fmt.Errorf("index: Split is %d and Group %d, not within 0 and %d", c.Split, c.Group, MaxKey)
	case c.Group > 0 && c.Split >= c.Group:
		return fmt.Errorf("index: Split is %d, not below Group, %d", c.Split, c.Group)
	case c.Rows < 0 || c.Leave < 0:
		return fmt.Errorf("index: Rows is %d and Leave %d; neither may be below 0", c.Rows, c.Leave)
	case c.LogSize != 0 && c.LogSize < 1<<20 || c.LogSize > 1<<30:
		return fmt.Errorf("index: LogSize is %d, not within 1 MiB and 1 GiB", c.LogSize)
	}
	return nil
}

// ErrDamaged says that the index cannot be read. Opened anew, it is built from the arenas.
var ErrDamaged = errors.New("index is damaged")

// An Index finds records. All methods may be called from many goroutines, but for Close.
type Index struct {
	cfg   Config
	log   *slog.Logger
	arena *arena.Arena
	ds    datastore.Batching
	db    *badger.DB   // below ds; nil while all rows are in memory
	close func() error // of the datastore
	seed  maphash.Seed

	stripe [stripes]sync.Mutex
	gate   sync.RWMutex // read side: a record is appended and its row set; taken after a stripe

	mu      sync.RWMutex // protects the following
	pending *changes
	writing *changes // being written; older than pending; nil if there is no write

	flushMu   sync.Mutex
	marks     map[uint32]mark // as in the datastore; under flushMu
	unflushed atomic.Int64    // bytes appended whose rows are not in the datastore
	mustFlush atomic.Bool     // rows wait that cannot be had from the arenas
	flushing  atomic.Bool     // a flush runs in the background
	bg        sync.WaitGroup
}

// Open opens the index, or makes it, and makes it say all that the arenas hold. An index that is damaged, or does not
// fit the arenas, is thrown away and built anew from them.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	x := &Index{cfg: cfg, log: cfg.Log, arena: cfg.Arena, seed: maphash.MakeSeed(), close: func() error { return nil }}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	x.pending = newChanges(cfg.Group)
	err := x.openDatastore(ctx)
	if err == nil {
		err = x.compare(ctx)
		if errors.Is(err, ErrDamaged) { // not damaged, perhaps, but not these arenas' either
			x.log.Warn("the index does not fit the arenas; building it anew", slog.Any("why", err))
			err = errors.Join(x.close(), discard(cfg.Dir))
			if err == nil {
				err = x.openDatastore(ctx)
			}
			if err == nil {
				err = x.compare(ctx)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

func (x *Index) openDatastore(ctx context.Context) error {
	if x.cfg.ReadOnly {
		x.ds = datastore.NewMapDatastore()
		return nil
	}
	d, why, err := openFor(ctx, x.cfg)
	if err != nil {
		return err
	}
	if why != nil {
		x.log.Warn("the index is damaged; building it anew from the arenas", slog.Any("why", why))
	}
	x.ds, x.db = d, d.DB
	x.close = func() error {
		x.close = func() error { return nil }
		err := closeBadger(d)
		if err == nil && x.cfg.Group == 0 { // groups may be too long for the tree
			freeLogs(x.cfg.Dir)
		}
		return err
	}
	return nil
}

// Lock locks what belongs together with key (Config.Group) and returns its lock. Whoever changes a row on the ground of
// what it was holds it from before Find or Lookup until after the change. It may lock other keys too: nobody locks two.
func (x *Index) Lock(key []byte) *sync.Mutex {
	group, _ := x.split(string(key))
	m := &x.stripe[maphash.String(x.seed, group)%stripes]
	m.Lock()
	return m
}

// Find returns the row of a key if its segment exists. A row of a segment that is gone says nothing.
func (x *Index) Find(ctx context.Context, key []byte) (Row, bool, error) {
	r, ok, err := x.Lookup(ctx, key)
	if err != nil || !ok {
		return Row{}, false, err
	}
	if _, there := x.arena.Segment(r.Loc.Segment); there {
		return r, true, nil
	}
	// It may have moved between the two looks.
	again, ok, err := x.Lookup(ctx, key)
	if err != nil || !ok || again.Loc == r.Loc {
		return Row{}, false, err
	}
	_, there := x.arena.Segment(again.Loc.Segment)
	return again, there, nil
}

// Append writes a record to the arenas and sets the row of key, which is r at the place of the record.
func (x *Index) Append(kind byte, recordKey, data, key []byte, r Row) (arena.Loc, error) {
	x.gate.RLock()
	defer x.gate.RUnlock()
	loc, err := x.arena.Append(kind, recordKey, data)
	if err != nil {
		return arena.Loc{}, err
	}
	r.Loc = loc
	x.change(key, change{row: r})
	x.unflushed.Add(int64(loc.Length))
	return loc, nil
}

// AppendState writes a record to the arenas that changes what the row of key says, but not where it points: r is what
// it says afterwards, made by row for the place of the record.
func (x *Index) AppendState(kind byte, recordKey, data, key []byte, row func(arena.Loc) Row) (arena.Loc, error) {
	x.gate.RLock()
	defer x.gate.RUnlock()
	loc, err := x.arena.Append(kind, recordKey, data)
	if err != nil {
		return arena.Loc{}, err
	}
	x.change(key, change{row: row(loc)})
	x.unflushed.Add(int64(loc.Length))
	return loc, nil
}

// Set changes a row to say something that the arenas do not.
func (x *Index) Set(key []byte, r Row) {
	x.change(key, change{row: r})
	x.mustFlush.Store(true) // in this order: Flush looks at it first
}

// Remove deletes a row, while the arenas still have the record.
func (x *Index) Remove(key []byte) {
	x.change(key, change{deleted: true})
	x.mustFlush.Store(true)
}

// Close writes what the next Open could not find out by itself, and closes the datastore. On a full disk it writes
// nothing, and that is no failure: rows come back from the arenas, and what only the rows said (that a record is damaged,
// or not needed) is found out again.
func (x *Index) Close() error {
	x.bg.Wait()
	var err error
	rows, bytes := leaveRows, int64(leaveBytes)
	if x.cfg.Leave > 0 {
		rows, bytes = flushRows, x.cfg.Leave
	}
	if !x.cfg.ReadOnly && (x.mustFlush.Load() || x.waiting() > rows || x.unflushed.Load() > bytes) {
		err = x.Flush(context.Background())
	}
	if errors.Is(err, ErrNoRoom) {
		x.reportFlush(err)
		err = nil
	}
	return errors.Join(err, x.close())
}
