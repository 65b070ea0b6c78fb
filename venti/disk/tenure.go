package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/venti"
	"ventidhash/venti/wire"
)

// tenure is how a process has the store for a while: as its owner, as a guest of the owner, or for reading only.
type tenure struct {
	store venti.Store
	core  *core // nil for a guest
	guest *wire.Client

	ops  sync.RWMutex // read side: an operation is running
	over bool         // under ops

	busy sync.Mutex // held while Trash, Reclaim or the like run, so that nobody takes the store away from them

	finish func() error // stops serving, before the core is shut; nil if there is nothing to stop
	lock   *os.File     // nil for a guest and for reading only
	floor  uint64

	once sync.Once
	err  error
}

// enter begins an operation, and reports false if the tenure is over.
func (t *tenure) enter() bool {
	t.ops.RLock()
	if t.over {
		t.ops.RUnlock()
		return false
	}
	return true
}

func (t *tenure) leave() { t.ops.RUnlock() }

// end ends the tenure after the operations in flight.
func (t *tenure) end() error {
	t.once.Do(func() {
		if t.guest != nil {
			t.err = t.guest.Close() // breaks off what is in flight: it is over anyway
		}
		if t.finish != nil {
			t.err = errors.Join(t.err, t.finish())
		}
		t.ops.Lock()
		defer t.ops.Unlock()
		t.over = true
		if t.core == nil {
			return
		}
		err := t.core.shut()
		if t.lock != nil {
			if err == nil {
				err = writeLockState(t.lock, lockState{clean: true, floor: t.floor})
			}
			err = errors.Join(err, t.lock.Close()) // and with it the lock goes
		}
		t.err = errors.Join(t.err, err)
	})
	return t.err
}

const (
	lockName = "lock"
	wantName = "want" // locked by whoever wants to be the owner and asks all others to let it
	sockName = "sock"
)

// contest is how long a process that wants to be the owner tries for the lock before it accepts that somebody else was
// quicker.
const contest = 200 * time.Millisecond

// acquire makes this process owner or guest. While one of its goroutines runs Own, it prefers to be the owner.
func (s *Store) acquire(ctx context.Context) (*tenure, error) {
	began := time.Now()
	var last error
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		own := s.owning.Load() > 0
		if own || !s.wanted() {
			t, err := s.tryOwn(ctx)
			if t != nil || err != nil {
				return t, err
			}
		}
		if !own || time.Since(began) > contest {
			t, err := s.tryGuest(ctx)
			if t != nil {
				return t, nil
			}
			last = err
		}
		if time.Since(began) > s.cfg.wait() {
			return nil, s.inUse(last)
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// inUse says who has the store.
func (s *Store) inUse(why error) error {
	path := filepath.Join(s.cfg.Dir, lockName)
	who := "another process"
	if pid := holder(path); pid != 0 {
		who = "process " + strconv.Itoa(pid)
	}
	err := fmt.Errorf("%w: %s has the store (lock file %s) and did not answer for %v; wait for it or stop it",
		venti.ErrUnavailable, who, path, s.cfg.wait())
	if why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return err
}

// wanted reports whether another process has asked to be left alone in taking the store.
func (s *Store) wanted() bool {
	f, err := os.Open(filepath.Join(s.cfg.Dir, wantName))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(flock(f, unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// tryOwn makes this process the owner, or returns nil if the store has one.
func (s *Store) tryOwn(ctx context.Context) (*tenure, error) {
	lock, err := tryLock(filepath.Join(s.cfg.Dir, lockName), unix.LOCK_EX)
	if isReadOnly(err) {
		return s.readOnly(ctx, err)
	}
	if err != nil || lock == nil {
		return nil, err
	}
	t, err := s.own(ctx, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return t, nil
}

// own opens the store for its owner, who has the lock, and begins to serve others.
func (s *Store) own(ctx context.Context, lock *os.File) (*tenure, error) {
	st, err := readLockState(lock)
	if err != nil {
		return nil, err
	}
	if !st.clean {
		s.log.Info("the store's last owner did not close it", slog.Int("pid", st.pid))
		err := withCounter(ctx, s.cfg.Dir, func(c *counter) error {
			st.floor = max(st.floor, c.next)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if err := writeLockState(lock, lockState{pid: os.Getpid(), floor: st.floor}); err != nil {
		return nil, err
	}
	c, err := openCore(ctx, s.cfg, s.id, st.floor)
	if err != nil {
		return nil, err
	}
	t := &tenure{store: c, core: c, lock: lock, floor: st.floor}
	if t.finish, err = s.serve(t); err != nil {
		// Nobody else can use the store meanwhile; we can.
		s.log.Warn("other processes cannot share the store", slog.Any("err", err))
	}
	s.log.Debug("owner of the store", slog.String("dir", s.cfg.Dir))
	return t, nil
}

// readOnly opens the store without changing anything in its folder.
func (s *Store) readOnly(ctx context.Context, why error) (*tenure, error) {
	cfg := s.cfg
	cfg.readOnly = true
	c, err := openCore(ctx, cfg, s.id, 0)
	if err != nil {
		return nil, errors.Join(err, why)
	}
	s.log.Info("the store can only be read", slog.Any("why", why))
	return &tenure{store: c, core: c}, nil
}

// serve lets other processes use the store through the socket. The returned function ends that.
func (s *Store) serve(t *tenure) (finish func() error, err error) {
	path := filepath.Join(s.cfg.Dir, sockName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	short, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by the right name, below
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	srv := &wire.Server{Store: t.store, Log: s.log, Yield: func(context.Context) error { return s.yield(t) }}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	return func() error {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		cancel()
		if serr := <-served; serr != nil && !errors.Is(serr, context.Canceled) && !errors.Is(serr, net.ErrClosed) {
			err = errors.Join(err, serr)
		}
		return err
	}, nil
}

// yield hands the store over because another process asked for it. It returns before that is done: the answer has to
// reach who asked. From then on this process is a guest like any other.
func (s *Store) yield(t *tenure) error {
	if !t.busy.TryLock() {
		return fmt.Errorf("%w: process %d is reclaiming or checking the store", venti.ErrUnavailable, os.Getpid())
	}
	go func() {
		defer t.busy.Unlock()
		s.drop(t)
	}()
	return nil
}

// tryGuest connects to the owner.
func (s *Store) tryGuest(ctx context.Context) (*tenure, error) {
	short, done, err := shortPath(filepath.Join(s.cfg.Dir, sockName))
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		return nil, err
	}
	client, err := wire.NewClient(ctx, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.log.Debug("guest of the store's owner", slog.String("dir", s.cfg.Dir))
	return &tenure{store: client, guest: client}, nil
}

// maxSocketPath is how long the name of a socket may be on every system.
const maxSocketPath = 100

// shortPath returns a name for path that is short enough for a socket. It is good until done is called.
func shortPath(path string) (short string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), filepath.Base(path)), func() { d.Close() }, nil
}
