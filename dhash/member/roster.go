package member

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
)

// RosterConfig says what a roster is of. Only Swarm is needed.
type RosterConfig struct {
	Swarm    PublicKey  // the swarm's key
	Self     dhash.ID   // this node, if it is a member
	Manifest *Manifest  // the newest one known, verified; may be nil
	File     string     // where the roster is kept over restarts; empty keeps it in memory only
	Members  int        // bound on the number of members; 0 is 4096
	Limits   Thresholds // when silence means what; the manifest says the grace period unless it is set here
	Log      *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c RosterConfig) Validate() error {
	switch {
	case c.Swarm.IsZero():
		return errors.New("member: Swarm is empty")
	case c.Members < 0:
		return fmt.Errorf("member: Members is %d, below 0", c.Members)
	case c.Manifest != nil && c.Manifest.Swarm != c.Swarm:
		return errors.New("member: Manifest is another swarm's")
	}
	return c.Limits.Validate()
}

// recordGap is the least time between two records of one member that are taken from others: a bound on what a member
// that signs without end can cost.
const recordGap = time.Second

// A Roster holds the certified members that this node knows: the newest record of each, and what was observed of it. It
// does no network I/O; a Service fills it. All methods may be called from many goroutines at once.
type Roster struct {
	cfg   RosterConfig
	swarm SwarmID

	mu       sync.RWMutex // protects the following
	manifest *Manifest
	limits   Thresholds // as the manifest has them
	entries  map[dhash.ID]*entry
	sorted   []*entry // entries by Subject; nil if they must be sorted anew
	uses     useLedger
	sum      [32]byte // over sorted; valid if sorted is
	failing  int      // how many members failed, and how many were alive, at the last Due
	alive    int
	table    table
	dirty    bool // something that Save would write has changed
}

// An entry is a member that the roster knows. What is above observation does not change; a newer record makes a
// new entry.
type entry struct {
	id       dhash.ID
	rec      *Record
	raw      []byte // the encoding of rec
	key      dhash.Key
	accepted time.Time // when rec came
	observation
}

// A Status is a member as this node knows it.
type Status struct {
	Record   *Record // shared; not to be changed
	Liveness Liveness
	Seen     time.Time // when this node last heard it; zero for never
	Failing  time.Time // since when it cannot be reached; zero if it can
}

// OpenRoster returns the roster that is kept in cfg.File. A file that is missing or damaged makes an empty roster, for it
// is a cache; damage is logged. Later the file is written by Save.
func OpenRoster(cfg RosterConfig, now time.Time) (*Roster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Members == 0 {
		cfg.Members = 4096
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Roster{cfg: cfg, swarm: cfg.Swarm.Swarm(), manifest: cfg.Manifest, table: newTable()}
	r.limits = cfg.Limits.under(r.manifest)
	r.reset()
	if err := r.load(now); err != nil {
		cfg.Log.Warn("the saved roster cannot be used; starting with an empty one", slog.String("file", cfg.File),
			slog.Any("err", err))
		r.reset()
	}
	r.table.stale = true
	return r, nil
}

func (r *Roster) reset() {
	r.entries, r.sorted, r.uses = map[dhash.ID]*entry{}, nil, useLedger{limit: 4 * r.cfg.Members}
}

// Swarm returns the swarm's key.
func (r *Roster) Swarm() PublicKey { return r.cfg.Swarm }

// thresholds returns when silence means what.
func (r *Roster) thresholds() Thresholds {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.limits
}

// Manifest returns the newest manifest known, or nil. It must not be changed.
func (r *Roster) Manifest() *Manifest {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.manifest
}

// SetManifest takes a verified manifest if it is newer, and returns whether it was. Members whom it bans leave the
// roster. An error, which wraps ErrManifest, says that it was refused.
func (r *Roster) SetManifest(m *Manifest) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newer, err := m.Newer(r.manifest)
	if !newer || err != nil {
		return false, err
	}
	r.manifest, r.limits = m, r.cfg.Limits.under(m)
	r.table.stale = true
	for id, e := range r.entries {
		if slices.ContainsFunc(e.rec.Chain, func(c Certificate) bool { return m.bans(c.Subject) }) {
			r.drop(id)
		}
	}
	return true, nil
}

// drop removes an entry. mu is held.
func (r *Roster) drop(id dhash.ID) {
	delete(r.entries, id)
	r.sorted, r.table.stale, r.dirty = nil, true, true
}

// Add takes the encoded record of a member if it is newer than the one at hand, and returns whether it was. The record is
// verified: the signature, the certificates, the bans, the use counts. Errors wrap ErrRecord, dhash.ErrStranger,
// ErrClock or, if the roster is full, dhash.ErrBusy; the roster is then as before. raw is kept.
func (r *Roster) Add(raw []byte, now time.Time) (*Record, bool, error) {
	return r.add(raw, now, recordGap)
}

func (r *Roster) add(raw []byte, now time.Time, gap time.Duration) (*Record, bool, error) {
	rec, err := decodeRecord(raw)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	id := rec.ID()
	r.mu.RLock()
	old, manifest := r.entries[id], r.manifest
	r.mu.RUnlock()
	if old != nil {
		since := now.Sub(old.accepted)
		if rec.Sequence <= old.rec.Sequence || since >= 0 && since < gap {
			return old.rec, false, nil
		}
	}
	if err := r.check(rec, raw, old, manifest, now); err != nil {
		return nil, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.manifest != manifest {
		if _, err := rec.Chain.Verify(r.cfg.Swarm, rec.Subject, now, r.manifest); err != nil {
			return nil, false, err
		}
	}
	old = r.entries[id]
	if old != nil && rec.Sequence <= old.rec.Sequence {
		return old.rec, false, nil
	}
	if err := r.uses.count(rec.Chain); err != nil {
		return nil, false, err
	}
	if old == nil && len(r.entries) >= r.cfg.Members && !r.evict(now) {
		return nil, false, fmt.Errorf("%w: its roster of %d members is full", dhash.ErrBusy, r.cfg.Members)
	}
	e := &entry{id: id, rec: rec, raw: raw, key: id.Key(), accepted: now}
	if old != nil {
		e.observation = old.observation
	}
	if old != nil && !slices.EqualFunc(old.rec.Addrs, rec.Addrs, func(a, b ma.Multiaddr) bool { return a.Equal(b) }) {
		e.next = now // it moved; find out at once
	}
	r.entries[id] = e
	r.sorted, r.table.stale, r.dirty = nil, true, true
	return rec, true, nil
}

// check verifies a record that is to replace old, which may be nil.
func (r *Roster) check(rec *Record, raw []byte, old *entry, m *Manifest, now time.Time) error {
	if ahead := rec.Time.Sub(now); ahead > MaxSkew {
		return fmt.Errorf("%w: the record of %s is from %v in the future", ErrClock, rec.ID().Short(),
			ahead.Round(time.Second))
	}
	if now.Sub(rec.Time) > r.thresholds().Forget {
		return fmt.Errorf("%w: that of %s is from %s, too long ago", ErrRecord, rec.ID().Short(),
			rec.Time.Format(time.RFC3339))
	}
	if old == nil || !slices.Equal(old.rec.Chain, rec.Chain) {
		if _, err := rec.Chain.Verify(r.cfg.Swarm, rec.Subject, now, m); err != nil {
			return err
		}
	}
	if !rec.verify(raw, r.swarm) {
		return fmt.Errorf("%w: the signature of %s is bad", ErrRecord, rec.ID().Short())
	}
	return nil
}

// evict makes room for a new member, at the cost of the one that is gone for longest. mu is held.
func (r *Roster) evict(now time.Time) bool {
	var oldest *entry
	for id, e := range r.entries {
		gone := id != r.cfg.Self && now.Sub(e.rec.Time) >= r.limits.Grace
		if gone && (oldest == nil || e.rec.Time.Before(oldest.rec.Time)) {
			oldest = e
		}
	}
	if oldest == nil {
		return false
	}
	r.drop(oldest.id)
	return true
}

// Expire drops records that are too old, and members whose certificate has ended.
func (r *Roster) Expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, e := range r.entries {
		end := e.rec.Chain[len(e.rec.Chain)-1].Expires
		if id != r.cfg.Self && (now.Sub(e.rec.Time) > r.limits.Forget || !end.IsZero() && now.After(end)) {
			r.drop(id)
		}
	}
}

// Admit checks the certificates of a client, whose proven key is subject. Errors wrap dhash.ErrStranger.
func (r *Roster) Admit(chain Chain, subject PublicKey, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := chain.Verify(r.cfg.Swarm, subject, now, r.manifest); err != nil {
		return err
	}
	return r.uses.count(chain)
}

// IsMember reports whether the roster holds a record of id: whoever proves to have its key is a member.
func (r *Roster) IsMember(id dhash.ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.entries[id] != nil
}

// Get returns what is known of a member.
func (r *Roster) Get(id dhash.ID, now time.Time) (Status, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.entries[id]
	if e == nil {
		return Status{}, false
	}
	return r.status(e, now), true
}

// List returns all members, by id.
func (r *Roster) List(now time.Time) []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sort()
	list := make([]Status, 0, len(r.sorted))
	for _, e := range r.sorted {
		list = append(list, r.status(e, now))
	}
	return list
}

// Len returns the number of members known, this node included.
func (r *Roster) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.entries)
}

func (r *Roster) status(e *entry, now time.Time) Status {
	s := Status{Record: e.rec, Seen: e.seen, Failing: e.failing}
	if s.Liveness = e.liveness(now, e.rec.Time, r.limits); e.id == r.cfg.Self {
		s.Liveness, s.Seen, s.Failing = Alive, now, time.Time{}
	}
	return s
}

// sort makes sorted, if it is not. mu is held for writing.
func (r *Roster) sort() {
	if r.sorted != nil {
		return
	}
	r.sorted = make([]*entry, 0, len(r.entries))
	for _, e := range r.entries {
		r.sorted = append(r.sorted, e)
	}
	slices.SortFunc(r.sorted, func(a, b *entry) int { return bytes.Compare(a.rec.Subject[:], b.rec.Subject[:]) })
	r.sum = sumOf(r.sorted)
}
