package fragstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti/durable"
)

const (
	booksName = "owners"
	clockName = "clock"

	// clockEvery is how old the clock on the disk may become: so much of the time that a member ran is forgotten when it is
	// killed.
	clockEvery = 10 * time.Minute
	maxClock   = 64 << 10
)

// now returns the time that claims are made at, in seconds since 1970: what the clock of the machine shows, but never less
// than it has shown.
func (s *Store) now() int64 {
	now := time.Now
	if s.cfg.now != nil {
		now = s.cfg.now
	}
	return max(now().Unix(), s.last.Load())
}

// openBooks reads what the store knows of owners and of its own time. What is damaged is as good as missing: the owner's
// book begins anew, and so does the time for which the member has run.
func (s *Store) openBooks() error {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	s.books, s.clock = map[dhash.Owner]claim.Book{}, &claim.Clock{}
	b, err := durable.ReadFile(filepath.Join(s.cfg.Dir, clockName), maxClock)
	if err == nil {
		var c *claim.Clock
		if c, err = claim.ParseClock(b); err == nil {
			s.clock, s.saved = c, c.Last
			s.last.Store(c.Last.Unix())
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("when this member ran is not known any more; it gives up nothing for now", slog.Any("err", err))
	}
	if err := os.Mkdir(s.booksDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(s.booksDir())
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if owner, ok := parseOwner(name); ok && len(s.books) < maxOwnersHere {
				s.openBook(owner)
			}
		}
		if errors.Is(err, io.EOF) {
			s.heirs.Store(heirsOf(s.books))
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *Store) openBook(o dhash.Owner) {
	b, err := durable.ReadFile(s.bookFile(o), claim.MaxBook)
	var book claim.Book
	if err == nil {
		book, err = claim.ParseBook(b)
	}
	if err == nil && book.Owner != o {
		err = errors.New("it is about another owner")
	}
	if err != nil {
		s.log.Warn("the book on an owner is lost; its claims are kept, and a new term begins",
			slog.String("owner", hex.EncodeToString(o[:])), slog.Any("err", err))
		return
	}
	s.books[o] = book
}

func (s *Store) booksDir() string { return filepath.Join(s.cfg.Dir, booksName) }

func (s *Store) bookFile(o dhash.Owner) string {
	return filepath.Join(s.booksDir(), hex.EncodeToString(o[:]))
}

func parseOwner(name string) (o dhash.Owner, ok bool) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != len(o) || hex.EncodeToString(b) != name {
		return o, false
	}
	return dhash.Owner(b), true
}

// A turn is that of whoever holds the book on an owner.
type turn struct {
	held chan struct{} // there is room for one in it
	n    int           // who holds it or waits for it; under booksMu
}

// hold waits for its turn with the book on an owner. unhold ends it.
func (s *Store) hold(ctx context.Context, o dhash.Owner) error {
	s.booksMu.Lock()
	t := s.turns[o]
	if t == nil {
		t = &turn{held: make(chan struct{}, 1)}
		s.turns[o] = t
	}
	t.n++
	s.booksMu.Unlock()
	if err := acquire(ctx, t.held); err != nil {
		s.leaveTurn(o, t)
		return err
	}
	return nil
}

func (s *Store) unhold(o dhash.Owner) {
	s.booksMu.Lock()
	t := s.turns[o]
	s.booksMu.Unlock()
	<-t.held
	s.leaveTurn(o, t)
}

func (s *Store) leaveTurn(o dhash.Owner, t *turn) {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	if t.n--; t.n == 0 {
		delete(s.turns, o)
	}
}

// acquire puts a token into c.
func acquire(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// book returns what is known of an owner.
func (s *Store) book(o dhash.Owner) (claim.Book, bool) {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	b, ok := s.books[o]
	return b, ok
}

// setBook writes what is known of an owner from now on. It is durable when setBook returns. The caller holds the book.
func (s *Store) setBook(b claim.Book) error {
	if err := durable.WriteFile(s.bookFile(b.Owner), b.Encode()); err != nil {
		return fmt.Errorf("writing the book on an owner: %w", full(err))
	}
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	s.books[b.Owner] = b
	if b.Heir != (dhash.Owner{}) {
		s.heirs.Store(heirsOf(s.books))
	}
	return nil
}

// dropBook forgets an owner. The caller holds the book.
func (s *Store) dropBook(o dhash.Owner) error {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	if b := s.books[o]; b.Heir != (dhash.Owner{}) {
		defer func() { s.heirs.Store(heirsOf(s.books)) }()
	}
	delete(s.books, o)
	if err := os.Remove(s.bookFile(o)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Observe notes that the member runs, and returns what it knows about itself, for Settle, Tend and Compact. It is called
// every few minutes: now is what the clock shows, running for how long the process has run by a clock that nobody sets
// and that goes on while the machine sleeps (CLOCK_BOOTTIME). members is how many members are known, this one included,
// and reachable how many of these answer.
func (s *Store) Observe(now time.Time, running time.Duration, members, reachable int) claim.Environment {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	was := s.clock.Jumped()
	s.clock.Observe(now, running, s.cfg.Limits)
	if is := s.clock.Jumped(); is != was {
		s.log.Warn("the clock jumped, or has kept step again for long enough", slog.Bool("jumped", is), slog.Time("now", now))
	}
	s.last.Store(s.clock.Last.Unix())
	s.saveClock(false)
	return claim.Environment{Now: s.clock.Now(now), Served: s.clock.Served(), Jumped: s.clock.Jumped(),
		Unmarked: s.unmarked(), Members: members, Reachable: reachable}
}

// saveClock writes the clock if it is time to. That it cannot be written is no failure: less is known after a restart, and
// nothing is given up on that. The caller holds booksMu.
func (s *Store) saveClock(always bool) {
	if d := s.clock.Last.Sub(s.saved); d == 0 || !always && d > 0 && d < clockEvery {
		return
	}
	if err := durable.WriteFile(filepath.Join(s.cfg.Dir, clockName), s.clock.Encode()); err != nil {
		s.log.Warn("the time for which this member ran cannot be written", slog.Any("err", err))
		return
	}
	s.saved = s.clock.Last
}

// unmarked reports whether the store's marker is gone.
func (s *Store) unmarked() bool {
	_, err := readMarker(s.cfg)
	return err != nil
}
