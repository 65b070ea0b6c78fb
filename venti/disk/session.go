package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Session tells whoever reclaims space that a writer is at work: blocks that it put, or asked for, from its beginning
// on stay until it ends. It lives as long as its process, or until Close.
type Session struct {
	number uint64
	f      *os.File
}

// Session begins a session. A writer begins one before its first Has or Put and closes it when what it wrote is named
// by a catalog. Sessions work whoever owns the store. A store that can only be read has none.
func (s *Store) Session(ctx context.Context) (*Session, error) {
	var out *Session
	err := withCounter(ctx, s.cfg.Dir, func(c *counter) error {
		number, f, err := newSessionFile(sessionDir(s.cfg.Dir), c.next)
		if err != nil {
			return err
		}
		if err = flock(f, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			_, err = fmt.Fprintf(f, "pid %d\n", os.Getpid())
		}
		if err == nil {
			err = c.set(number + 1)
		}
		if err != nil {
			return errors.Join(err, os.Remove(f.Name()), f.Close())
		}
		out = &Session{number: number, f: f}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("beginning a session in %s: %w", s.cfg.Dir, err)
	}
	return out, nil
}

// newSessionFile makes the file of session number, or of the first after it whose file is not there yet: a power cut may
// have taken the counter back, but not the files.
func newSessionFile(dir string, number uint64) (uint64, *os.File, error) {
	for ; ; number++ {
		f, err := os.OpenFile(filepath.Join(dir, strconv.FormatUint(number, 10)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return number, f, err
		}
	}
}

// Close ends the session. Calls after the first do nothing.
func (s *Session) Close() error {
	if s.f == nil {
		return nil
	}
	err := errors.Join(os.Remove(s.f.Name()), s.f.Close())
	s.f = nil
	return err
}

func sessionDir(dir string) string { return filepath.Join(dir, "sessions") }

// counter is the file that holds the number of the next session, locked.
type counter struct {
	f    *os.File
	next uint64
}

const counterName = "next"

// withCounter calls fn while no session can begin.
func withCounter(ctx context.Context, dir string, fn func(*counter) error) error {
	if err := os.Mkdir(sessionDir(dir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	path := filepath.Join(sessionDir(dir), counterName)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		f, err := tryLock(path, unix.LOCK_EX)
		if err != nil {
			return err
		}
		if f == nil {
			if err := pause(ctx, wait); err != nil {
				return err
			}
			continue
		}
		defer f.Close()
		c := &counter{f: f}
		if err := c.read(); err != nil {
			return err
		}
		return fn(c)
	}
}

// read reads the number of the next session. A counter that was lost goes on above the sessions that are there.
func (c *counter) read() error {
	b, err := io.ReadAll(io.NewSectionReader(c.f, 0, 64))
	if err != nil {
		return err
	}
	if c.next, err = strconv.ParseUint(strings.TrimSuffix(string(b), "\n"), 10, 64); err == nil {
		return nil
	}
	numbers, err := sessionNumbers(filepath.Dir(c.f.Name()))
	if err != nil {
		return err
	}
	c.next = 1
	for _, n := range numbers {
		c.next = max(c.next, n+1)
	}
	return nil
}

// set writes the number of the next session.
func (c *counter) set(next uint64) error {
	text := strconv.FormatUint(next, 10) + "\n"
	if _, err := c.f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	if err := c.f.Truncate(int64(len(text))); err != nil {
		return err
	}
	c.next = next
	return nil
}

// sessionNumbers returns the numbers of the session files in dir, of the dead ones too.
func sessionNumbers(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// Settled says which trash nobody can need any more: that which became trash before every session that now lives began.
// What is settled stays settled.
type Settled struct {
	below uint64 // every live session has this number or a higher one
}

// Settled looks which sessions live. except names sessions to be left out: the caller's own. Files of dead sessions are
// removed.
func (s *Store) Settled(ctx context.Context, except ...*Session) (Settled, error) {
	var out Settled
	err := withCounter(ctx, s.cfg.Dir, func(c *counter) error {
		out.below = c.next
		numbers, err := sessionNumbers(sessionDir(s.cfg.Dir))
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if isSession(except, n) {
				continue
			}
			alive, err := sessionLives(filepath.Join(sessionDir(s.cfg.Dir), strconv.FormatUint(n, 10)))
			if err != nil {
				return err
			}
			if alive {
				out.below = min(out.below, n)
			}
		}
		return nil
	})
	if err != nil {
		return Settled{}, fmt.Errorf("looking for sessions in %s: %w", s.cfg.Dir, err)
	}
	return out, nil
}

func isSession(list []*Session, n uint64) bool {
	for _, s := range list {
		if s != nil && s.f != nil && s.number == n {
			return true
		}
	}
	return false
}

// sessionLives reports whether the process that began a session still has it, and removes the file if not.
func sessionLives(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it ended
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return false, nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
