package arena

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// Config says where an arena is and how it grows. Only Dir is needed.
type Config struct {
	// Dir is the directory of the segment files. Open creates it.
	Dir string

	// SegmentSize is the size in bytes at which a segment is full; a record that does not fit into the rest begins the
	// next one. A record that is larger has a segment for itself. Zero means 64 MiB; the bound is 1 GiB.
	SegmentSize int64

	// OpenFiles bounds how many segment files are kept open for reading while nobody reads them. Zero means 64.
	OpenFiles int

	// ReadOnly opens the arena without changing a byte on the disk. Append, Sync, Seal and Remove then fail.
	ReadOnly bool

	// Log hears of damage that was found and of torn tails that were cut. Nil discards.
	Log *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("arena: Dir is empty")
	case c.SegmentSize < 0 || c.SegmentSize > 1<<30:
		return fmt.Errorf("arena: SegmentSize is %d, not within 0 and 1 GiB", c.SegmentSize)
	case c.OpenFiles < 0:
		return fmt.Errorf("arena: OpenFiles is %d, below 0", c.OpenFiles)
	}
	return nil
}

var (
	// ErrGone says that a segment was removed, or never was there.
	ErrGone = errors.New("segment is gone")

	// ErrReadOnly says that the arena was opened for reading only.
	ErrReadOnly = errors.New("arena is open for reading only")

	// ErrClosed says that the arena was closed.
	ErrClosed = errors.New("arena is closed")
)

// An Arena is a directory of segments, open. Its methods may be called from many goroutines.
type Arena struct {
	cfg Config
	log *slog.Logger

	// appendMu makes appends wait for each other. It is taken before mu.
	appendMu  sync.Mutex
	written   int64         // end of what was handed to early writeback in the active segment
	sealing   chan struct{} // closed when the segment before the active one is durable; nil if it is
	failedNow atomic.Bool   // failed is set: lets Append look without mu

	seq atomic.Uint64 // bytes appended since Open; grows after the write

	mu       sync.Mutex // protects the following, and the fields of segments
	segments map[uint32]*segment
	newest   *segment // the only one that may grow; nil while there is none
	open     int      // segments with f set
	asked    uint64
	dirDirty bool  // a file was made since the directory was last synced
	failed   error // an fsync failed, or the arena is closed

	syncMu  sync.Mutex    // protects the following
	syncing chan struct{} // closed when the sync in flight ends; nil if there is none
	synced  uint64        // seq up to which all is durable
	covered bool          // a Sync has covered what was there at Open

	// The system calls that tests replace.
	pwritev func(f *os.File, head, data []byte, off int64) (int, error)
	fsync   func(f *os.File) error
}

// Open opens the arena in cfg.Dir and makes the directory if it is missing. A torn tail of the newest segment, which a
// process leaves that was killed while it appended, is cut off: nothing in it was ever acknowledged. Other damage is
// left alone and is reported by Scan.
//
// Open reads the headers of the newest segment's records and no data.
func Open(cfg Config) (*Arena, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.SegmentSize == 0 {
		cfg.SegmentSize = 64 << 20
	}
	if cfg.OpenFiles == 0 {
		cfg.OpenFiles = 64
	}
	a := &Arena{
		cfg: cfg, log: cfg.Log, segments: map[uint32]*segment{},
		pwritev: pwritev, fsync: fdatasync,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if !cfg.ReadOnly {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := a.find(); err != nil {
		return nil, err
	}
	if a.newest != nil {
		if err := a.recoverTail(a.newest); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	if a.newest != nil {
		a.written = a.newest.size.Load()
	}
	a.dirDirty = true // a process that was killed may have made a file
	return a, nil
}

// find lists the segments. All but the newest two are sealed and synced.
func (a *Arena) find() error {
	entries, err := os.ReadDir(a.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) && a.cfg.ReadOnly {
		return nil
	}
	if err != nil {
		return err
	}
	var ids []uint32
	for _, e := range entries {
		id, ok := parseSegmentName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Size() > maxSegment {
			return fmt.Errorf("arena: %s has %d bytes, more than a segment can have", e.Name(), info.Size())
		}
		s := &segment{id: id, sealed: true}
		s.size.Store(info.Size())
		a.segments[id] = s
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, id := range ids {
		s := a.segments[id]
		if i < len(ids)-2 {
			s.synced = s.size.Load()
		}
		if i == len(ids)-1 {
			s.sealed = a.cfg.ReadOnly
			a.newest = s
		}
	}
	return nil
}

// maxSegment bounds the size of a segment file, so that offsets fit a Loc.
const maxSegment = 1<<32 - 1

// Segments returns the segments in the order of their ids.
func (a *Arena) Segments() []Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]Segment, 0, len(a.segments))
	for _, s := range a.segments {
		out = append(out, Segment{ID: s.id, Size: s.size.Load(), Sealed: s.sealed})
	}
	slices.SortFunc(out, func(x, y Segment) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	return out
}

// Segment returns one segment, and false if it is gone.
func (a *Arena) Segment(id uint32) (Segment, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.segments[id]
	if !ok {
		return Segment{}, false
	}
	return Segment{ID: s.id, Size: s.size.Load(), Sealed: s.sealed}, true
}

// Unique returns the 16 random bytes that segment id was given when it was made. They tell it from any other segment
// that ever has the same id. An error that wraps ErrDamaged says that its header cannot be read.
func (a *Arena) Unique(id uint32) ([16]byte, error) {
	s, f, err := a.acquire(id)
	if err != nil {
		return [16]byte{}, err
	}
	defer a.release(s)
	return readUnique(f, id)
}

// Remove deletes segment id. Whoever reads from it at this moment finishes; later reads get ErrGone. The newest segment
// cannot be removed (Seal begins another one), so that no id is ever given twice.
func (a *Arena) Remove(id uint32) error {
	if a.cfg.ReadOnly {
		return ErrReadOnly
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.segments[id]
	switch {
	case !ok:
		return fmt.Errorf("remove segment %08x: %w", id, ErrGone)
	case s == a.newest:
		return fmt.Errorf("remove segment %08x: it is the newest", id)
	}
	if err := os.Remove(filepath.Join(a.cfg.Dir, segmentName(id))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(a.segments, id)
	s.gone = true
	a.dirDirty = true
	return a.closeIdle(s)
}

// Close waits for a sync in flight and closes all files. It does not sync.
func (a *Arena) Close() error {
	a.appendMu.Lock()
	defer a.appendMu.Unlock()
	if a.sealing != nil {
		<-a.sealing
		a.sealing = nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setFailed(ErrClosed)
	var errs []error
	for _, s := range a.segments {
		s.gone = true
		errs = append(errs, a.closeIdle(s))
	}
	clear(a.segments)
	return errors.Join(errs...)
}

// setFailed ends appends and syncs. The caller holds mu.
func (a *Arena) setFailed(err error) {
	if a.failed == nil {
		a.failed = err
	}
	a.failedNow.Store(true)
}

// failure returns why appends and syncs fail, or nil.
func (a *Arena) failure() error {
	if !a.failedNow.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

// acquire returns an open file of segment id that stays open until release.
func (a *Arena) acquire(id uint32) (*segment, *os.File, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.segments[id]
	if !ok {
		return nil, nil, fmt.Errorf("segment %08x: %w", id, ErrGone)
	}
	if s.f == nil {
		flag := os.O_RDONLY
		if s == a.newest && !a.cfg.ReadOnly {
			flag = os.O_RDWR
		}
		f, err := os.OpenFile(filepath.Join(a.cfg.Dir, segmentName(id)), flag, 0)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("segment %08x: %w: %w", id, ErrGone, err)
		}
		if err != nil {
			return nil, nil, err
		}
		s.f = f
		a.open++
	}
	s.refs++
	a.asked++
	s.used = a.asked
	return s, s.f, nil
}

// release gives back what acquire returned, and closes the file that has waited longest if too many are open.
func (a *Arena) release(s *segment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.refs--
	if s.gone {
		_ = a.closeIdle(s) // only reads went through it, or its syncs have failed on their own
		return
	}
	for a.open > a.cfg.OpenFiles {
		var oldest *segment
		for _, c := range a.segments {
			if c.f != nil && c.refs == 0 && c != a.newest && (oldest == nil || c.used < oldest.used) {
				oldest = c
			}
		}
		if oldest == nil {
			return
		}
		_ = a.closeIdle(oldest)
	}
}

// closeIdle closes the file of s unless somebody uses it. The caller holds mu.
func (a *Arena) closeIdle(s *segment) error {
	if s.f == nil || s.refs > 0 {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	a.open--
	return err
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
