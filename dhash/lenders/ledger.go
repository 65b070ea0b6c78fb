package lenders

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ErrInUse says that another program speaks to the owner's lenders from this machine now.
var ErrInUse = errors.New("another vdh speaks to the lenders just now")

// A carrier brings a member a statement, and its answer back: *node.Local and *node.Client do. An error that is not the
// member's own wraps venti.ErrUnavailable. It is called from several goroutines at once.
type carrier interface {
	State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error)
}

// Config says whose lenders, and where the notes on them are. All of it is needed.
type Config struct {
	Dir     string             // a folder of the owner's alone; made if it is not there
	Swarm   [32]byte           // the swarm's id
	Key     ed25519.PrivateKey // the owner's
	Carrier carrier
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("lenders: Dir is empty")
	case c.Swarm == [32]byte{}:
		return errors.New("lenders: Swarm is zero")
	case len(c.Key) != ed25519.PrivateKeySize:
		return errors.New("lenders: Key is no Ed25519 key")
	case c.Carrier == nil:
		return errors.New("lenders: Carrier is nil")
	}
	return nil
}

// A Lender is what an owner knows about a member that was spoken to.
type Lender struct {
	ID    dhash.ID
	Sent  uint64    // the highest number of a statement that was sent from here
	Heard time.Time // when it last answered a heartbeat, by the owner's clock
	Now   time.Time // what the lender's clock showed then
	Kept  time.Time // until when the claims are kept without another heartbeat, by the lender's clock; zero without claims

	Claims, Bytes int64 // what the owner had there

	Told     uint64    // the newest batch of what is owed up to which it was told everything
	Retained time.Time // when it was last told all that is needed, or first spoken to
	Other    bool      // it has heard in the owner's name what was not sent from here
}

// A Ledger is an owner's notes on its lenders, and the way to tell them something. One program at a time has it open. Its
// methods are for one goroutine.
type Ledger struct {
	cfg  Config
	lock *os.File

	mu      sync.Mutex // protects the following
	lenders map[dhash.ID]*Lender
	owed    owed
}

// Open opens an owner's ledger, or makes it. The error wraps ErrInUse while another program has it. Close it.
func Open(cfg Config) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, waitingDir), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(cfg.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%w: %s is locked", ErrInUse, lock.Name())
		}
		return nil, errors.Join(err, lock.Close())
	}
	l := &Ledger{cfg: cfg, lock: lock, lenders: map[dhash.ID]*Lender{}}
	list, err := Read(cfg.Dir)
	if err == nil {
		l.owed, err = readOwed(cfg.Dir)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	for i := range list {
		l.lenders[list[i].ID] = &list[i]
		l.owed.last = max(l.owed.last, list[i].Told) // where the batches are lost, none is taken for told that comes
	}
	return l, nil
}

// Close gives the ledger back to other programs.
func (l *Ledger) Close() error { return l.lock.Close() }

// Lenders returns the lenders that were spoken to, by id.
func (l *Ledger) Lenders() []Lender {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Lender, 0, len(l.lenders))
	for _, r := range l.lenders {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Lender) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return out
}

// Trust forgets that somebody else spoke in the owner's name: the caller knows that no other machine does, or that it goes
// by the same list of snapshots.
func (l *Ledger) Trust() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.lenders {
		r.Other = false
	}
}

// Owe puts down blocks that are let go, which were found to be needed no more after a time. It is durable when Owe
// returns. Tell tells the lenders. Blocks that are owed and needed again, as keep says, are taken out.
func (l *Ledger) Owe(scores []venti.Score, after time.Time, keep func(venti.Score) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.owed
	l.owed = l.owed.without(keep).with(scores, after)
	if l.owed.same(was) {
		return nil
	}
	return l.owed.write(l.cfg.Dir)
}

// Owed returns how many blocks are let go of which not every lender has been told.
func (l *Ledger) Owed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owed.count()
}

// Due reports whether there is anything to tell those who were heard: something is owed, or waits, or it is time to say all
// that is needed.
func (l *Ledger) Due(heard []Heard) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owed.count() > 0 || slices.ContainsFunc(heard, func(h Heard) bool {
		return h.Err == nil && !h.None() && (len(h.Answer.Waiting) > 0 || h.At.Sub(l.line(h.ID, h.At).Retained) >= RetainEvery)
	})
}

// line returns what is known of a lender; mu is held.
func (l *Ledger) line(id dhash.ID, now time.Time) *Lender {
	r := l.lenders[id]
	if r == nil {
		r = &Lender{ID: id, Retained: now}
		l.lenders[id] = r
	}
	return r
}

// forgetAfter is how long a lender that is no member any more is remembered: longer than its claims last.
const forgetAfter = 300 * 24 * time.Hour

// save writes the lenders' lines; mu is held.
func (l *Ledger) save(now time.Time) error {
	maps.DeleteFunc(l.lenders, func(_ dhash.ID, r *Lender) bool {
		return now.Sub(time.UnixMilli(int64(r.Sent))) > forgetAfter && now.Sub(r.Heard) > forgetAfter
	})
	list := make([]Lender, 0, len(l.lenders))
	for _, r := range l.lenders {
		list = append(list, *r)
	}
	return writeLenders(l.cfg.Dir, list)
}

// number returns the number of the next statement to a lender, once it is put down.
func (l *Ledger) number(id dhash.ID, now time.Time) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line(id, now).next(now), l.save(now)
}

// next returns the number of the next statement: the time in milliseconds, or one more than the last.
func (r *Lender) next(now time.Time) uint64 {
	r.Sent = max(r.Sent+1, uint64(max(1, now.UnixMilli())))
	return r.Sent
}

// tidy drops the batches that everybody has been told who may need them, and saves all.
func (l *Ledger) tidy(members []dhash.ID, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.owed.last
	for _, id := range members {
		told = min(told, l.line(id, now).Told)
	}
	for _, r := range l.lenders {
		if r.Claims > 0 { // also one that is not among the members now: it may come back
			told = min(told, r.Told)
		}
	}
	was := l.owed
	l.owed = l.owed.after(told, now)
	if !l.owed.same(was) {
		if err := l.owed.write(l.cfg.Dir); err != nil {
			return err
		}
	}
	return l.save(now)
}
