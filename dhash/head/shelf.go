package head

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// MaxOwners is how many owners' heads a Shelf holds where ShelfConfig does not say.
const MaxOwners = 1 << 16

// A ShelfConfig says where a Shelf is, and whose heads it holds rather than others'. File is needed.
type ShelfConfig struct {
	File   string // made if it is not there
	Owners int    // at most; 0 means MaxOwners

	// Prefer reports whether an owner's head goes before those of others when there is no room for all: an owner of whom
	// fragments are held here. Nil: nobody's does. It must not call the Shelf.
	Prefer func(o dhash.Owner) bool

	// Self is the member. Of those who are not preferred the owner goes first whose key is the farthest from its own: the
	// one whose head others keep more likely.
	Self dhash.ID

	Log *slog.Logger // nil discards
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c ShelfConfig) Validate() error {
	switch {
	case c.File == "":
		return errors.New("head: File is missing")
	case c.Owners < 0:
		return fmt.Errorf("head: Owners is %d, below 0", c.Owners)
	}
	return nil
}

// A Shelf holds the heads that a member keeps, in memory and on its disk. All methods may be called from many
// goroutines.
//
// What is damaged on the disk is dropped and logged, and comes back from the other members.
type Shelf struct {
	cfg ShelfConfig
	log *slog.Logger

	mu       sync.Mutex // protects the following
	heads    map[dhash.Owner][]venti.Head
	count    int // of heads
	conflict int // owners who have more than one
	file     *os.File
	records  int  // whole ones in the file
	unclean  bool // there is something in the file that is to go
	closed   bool
}

// OpenShelf opens the shelf in cfg.File. Only one Shelf at a time may have the file. Close it.
func OpenShelf(cfg ShelfConfig) (*Shelf, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Owners == 0 {
		cfg.Owners = MaxOwners
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Shelf{cfg: cfg, log: cfg.Log, heads: map[dhash.Owner][]venti.Head{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("opening the heads of owners in %s: %w", cfg.File, err)
	}
	return s, nil
}

// Close closes the file. Everything that was taken is on the disk already.
func (s *Shelf) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// Take decides about heads whose signatures are good, in order, and returns the verdicts, and the heads that newer ones of
// the same owners have replaced. Those that are kept are on the disk when it returns nil; after an error nothing has
// changed. When there is no room for another owner the head of one who is preferred takes the place of one who is not.
func (s *Shelf) Take(heads []venti.Head, now time.Time) (verdicts []Verdict, replaced []venti.Head, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verdicts = make([]Verdict, len(heads))
	changed := map[dhash.Owner][]venti.Head{} // an owner who is to be forgotten has none
	var taken []venti.Head
	room := s.cfg.Owners - len(s.heads)
	for i, h := range heads {
		o := dhash.Owner(h.Owner)
		have, ok := changed[o]
		if !ok {
			have = s.heads[o]
		}
		v := Decide(have, h, now)
		if v == New && len(have) == 0 && room <= 0 {
			if other, found := s.least(o, changed); found {
				changed[other] = nil
				room++
			} else {
				v = Full
			}
		}
		if verdicts[i] = v; v != New && v != Conflict {
			continue
		}
		if len(have) == 0 {
			room--
		} else if v == New {
			replaced = append(replaced, have...)
		}
		changed[o] = Apply(have, h, v)
		taken = append(taken, h)
	}
	if len(taken) == 0 {
		return verdicts, nil, nil
	}
	if err := s.append(taken); err != nil {
		return nil, nil, fmt.Errorf("keeping %d heads of owners: %w", len(taken), err)
	}
	for o, list := range changed {
		s.set(o, list)
		s.unclean = s.unclean || len(list) == 0 // else who has given its place away would be there again
	}
	if err := s.tidy(); err != nil { // what was taken is on the disk all the same
		s.log.Warn("writing the heads of owners anew", slog.Any("err", err))
	}
	return verdicts, replaced, nil
}

// least returns who is to give its place to the owner o, if o is preferred: of those who are not, and are not in keep, the
// one whose key is the farthest from the member's. mu is held.
func (s *Shelf) least(o dhash.Owner, keep map[dhash.Owner][]venti.Head) (least dhash.Owner, found bool) {
	if s.cfg.Prefer == nil || !s.cfg.Prefer(o) {
		return least, false
	}
	self, far := s.cfg.Self.Key(), dhash.Key{}
	for other := range s.heads {
		at := dhash.OwnerKey(other)
		if _, kept := keep[other]; kept || found && self.Compare(at, far) <= 0 || s.cfg.Prefer(other) {
			continue
		}
		least, far, found = other, at, true
	}
	if found {
		s.log.Warn("there is no room for the heads of all owners; one of whom nothing is held here is forgotten",
			slog.String("owner", fmt.Sprintf("%x", least[:8])))
	}
	return least, found
}

// set notes the heads of an owner, none to forget it. mu is held.
func (s *Shelf) set(o dhash.Owner, list []venti.Head) {
	old := s.heads[o]
	s.count += len(list) - len(old)
	if len(old) > 1 {
		s.conflict--
	}
	if len(list) > 1 {
		s.conflict++
	}
	if len(list) == 0 {
		delete(s.heads, o)
	} else {
		s.heads[o] = list
	}
}

// Of returns the heads of an owner: none, one, or several of one sequence in conflict. The slice is not to be changed.
func (s *Shelf) Of(o dhash.Owner) []venti.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heads[o]
}

// Owners returns all owners of whom a head is here, in ascending order.
func (s *Shelf) Owners() []dhash.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]dhash.Owner, 0, len(s.heads))
	for o := range s.heads {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b dhash.Owner) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// Count returns of how many owners a head is here, and how many of these have heads in conflict.
func (s *Shelf) Count() (owners, conflicts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heads), s.conflict
}

// Drop forgets owners. After an error they may be back when the shelf is opened again.
func (s *Shelf) Drop(owners ...dhash.Owner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range owners {
		if len(s.heads[o]) > 0 {
			s.set(o, nil)
			s.unclean = true
		}
	}
	return s.tidy()
}
