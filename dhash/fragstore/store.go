package fragstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// A Store holds the fragments of one member. All methods may be called from many goroutines.
type Store struct {
	cfg   Config
	log   *slog.Logger
	lock  *os.File
	arena *arena.Arena
	x     *index.Index
	room  *index.Room

	opsMu  sync.Mutex     // protects closed, and ops against its end
	ops    sync.WaitGroup // operations in flight
	closed bool

	tend sync.Mutex // held by Compact and Scrub

	gather  gatherer
	buffers sync.Pool // *[]byte, in which records are put together

	mu     sync.Mutex // protects the following; taken after the lock of a row
	used   int64      // bytes of the arenas
	count  counts
	owners map[dhash.Owner]Use

	listing chan struct{} // held by who goes through many claims for a statement: there is room for one in it

	booksMu sync.Mutex // protects the following
	books   map[dhash.Owner]claim.Book
	turns   map[dhash.Owner]*turn // owners whose books are held
	clock   *claim.Clock
	saved   time.Time // Last of the clock as it is on the disk

	last    atomic.Int64 // Last of the clock
	revived atomic.Int64 // how often trash was read

	heirs   atomic.Pointer[heirs] // changes with books
	handing chan struct{}         // held by who settles a hand-over: there is room for one in it

	step func(name string) error // tests: called between the steps of Compact and Settle
}

var errClosed = fmt.Errorf("%w: the fragment store is closed", dhash.ErrBusy)

// Open opens the fragments of a member, or makes the folder. An error that wraps ErrMarker says that the folder is not
// the member's, one that wraps venti.ErrUnavailable that another process has it.
//
// ctx bounds Open only. It takes as long as it takes to read the index, and, should that be damaged, all fragments.
// Close the store in the end: what was acknowledged is safe without, but the next Open has to look for more.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.Log, owners: map[dhash.Owner]Use{}, listing: make(chan struct{}, 1),
		handing: make(chan struct{}, 1), turns: map[dhash.Owner]*turn{}}
	s.heirs.Store(heirsOf(nil))
	s.gather.wait = cmp.Or(cfg.gather, gatherTime)
	s.gather.sync = func() error { return s.arena.Sync(context.Background()) }
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	id, lock, err := openFolder(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the fragments: %w", err)
	}
	s.lock = lock
	s.room = &index.Room{Dir: cfg.Dir, Reserve: cfg.Reserve}
	err = s.open(ctx, id)
	if err == nil {
		err = s.openBooks()
	}
	if err != nil {
		return nil, fmt.Errorf("opening the fragments in %s: %w", cfg.Dir, errors.Join(err, s.shut()))
	}
	return s, nil
}

// rebuildRows is how many rows a rebuild of the index holds in memory, about 300 bytes each.
const rebuildRows = 32 << 10

func (s *Store) open(ctx context.Context, id string) error {
	var err error
	s.arena, err = arena.Open(arena.Config{Dir: filepath.Join(s.cfg.Dir, "arenas"), SegmentSize: s.cfg.SegmentSize, Log: s.log})
	if err != nil {
		return err
	}
	if err = s.openIndex(ctx, id); !errors.Is(err, errRow) {
		return err
	}
	s.log.Warn("the index has rows that make no sense; building it anew from the arenas", slog.Any("why", err))
	if err := errors.Join(s.x.Close(), os.RemoveAll(s.indexDir())); err != nil {
		return err
	}
	return s.openIndex(ctx, id)
}

func (s *Store) indexDir() string { return filepath.Join(s.cfg.Dir, "index") }

func (s *Store) openIndex(ctx context.Context, id string) (err error) {
	s.x, err = index.Open(ctx, index.Config{
		Dir: s.indexDir(), Store: id, Arena: s.arena,
		Key: indexKey, Row: recordRow, Merge: mergeRows, Whole: true,
		Group: groupLen, Split: 1, Rows: cmp.Or(s.cfg.rebuildRows, rebuildRows), Leave: 32 << 20, LogSize: 1 << 20,
		Room: s.room, Log: s.log,
	})
	if err != nil {
		return err
	}
	return s.countAll(ctx)
}

// Close ends the use of the store. Operations in flight end first; later ones get dhash.ErrBusy.
func (s *Store) Close() error {
	s.opsMu.Lock()
	was := s.closed
	s.closed = true
	s.opsMu.Unlock()
	s.ops.Wait()
	s.gather.work.Wait()
	if was {
		return nil
	}
	s.booksMu.Lock()
	s.saveClock(true)
	s.booksMu.Unlock()
	return s.shut()
}

func (s *Store) shut() error {
	var errs []error
	if s.x != nil {
		errs = append(errs, s.x.Collect(context.Background()), s.x.Close())
	}
	if s.arena != nil {
		errs = append(errs, s.arena.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...) // and with the file the lock goes
}

// enter begins an operation; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.opsMu.Lock()
	defer s.opsMu.Unlock()
	if s.closed {
		return errClosed
	}
	s.ops.Add(1)
	return nil
}

func (s *Store) leave() { s.ops.Done() }

// find returns the row of a fragment if its segment exists.
func (s *Store) find(ctx context.Context, n Name) (row, bool, error) {
	r, ok, err := s.byKey(ctx, n.rowKey(rowFragment))
	if err == nil && ok && r.name != n {
		return row{}, false, fmt.Errorf("%w: two fragments have the key of %v", errRow, n)
	}
	return r, ok, err
}

func (s *Store) byKey(ctx context.Context, key []byte) (row, bool, error) {
	x, ok, err := s.x.Find(ctx, key)
	if err != nil || !ok {
		return row{}, false, err
	}
	r, err := parseRow(key, x)
	return r, err == nil, err
}

// ofScore returns the rows of all fragments of a block whose segments exist, in the order of their codings.
func (s *Store) ofScore(ctx context.Context, score venti.Score) (rows []row, err error) {
	err = s.x.Group(ctx, groupKey(rowFragment, score), func(key []byte, x index.Row, err error) error {
		if err != nil {
			return err
		}
		r, there, err := s.placed(ctx, key, x)
		if there && r.name.Score == score {
			rows = append(rows, r)
		}
		return err
	})
	return rows, err
}

// placed reads a row that a walk has come to, and reports whether its segment exists. The walk shows rows as they were when it
// began: of a fragment that a compaction has moved since, it is the row of today.
func (s *Store) placed(ctx context.Context, key []byte, x index.Row) (r row, there bool, err error) {
	if r, err = parseRow(key, x); err != nil {
		return row{}, false, err
	}
	if _, there = s.arena.Segment(r.loc.Segment); there {
		return r, true, nil
	}
	r, ok, err := s.byKey(ctx, key)
	if err != nil || !ok {
		return row{}, false, err
	}
	_, there = s.arena.Segment(r.loc.Segment)
	return r, there, nil
}

// unavailable wraps an error of the machine, as opposed to one of the data, in venti.ErrUnavailable. What already is one
// of the sentinels, and the end of a context, stays as it is.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{dhash.ErrNoFragment, dhash.ErrFull, dhash.ErrQuota, dhash.ErrHandedOver, dhash.ErrBusy, dhash.ErrFragment,
		venti.ErrUnavailable, venti.ErrCorrupt, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
}
