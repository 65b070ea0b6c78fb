package member

import (
	"slices"
	"time"

	"ventidhash/dhash/placement"
)

// A table is the roster as placement sees it. It is made anew only when it changes.
type table struct {
	stale   bool
	until   time.Time // when somebody in it is gone
	members []placement.Member
	changed chan struct{} // closed at the next change
}

func newTable() table { return table{changed: make(chan struct{})} }

// Table returns the members that placement counts on: all that lend something and are not gone, this node included. Two
// nodes with the same records have the same ones, in the same order. The slice, which must not be changed, is the same as
// long as nothing changes, and placement.New makes of it what placement needs. The channel is closed when a later call has
// made another one; a running Service calls Table every second.
func (r *Roster) Table(now time.Time) ([]placement.Member, <-chan struct{}) {
	r.mu.RLock()
	t, fresh := r.table, !r.table.stale && now.Before(r.table.until)
	r.mu.RUnlock()
	if fresh {
		return t.members, t.changed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rebuild(now)
	return r.table.members, r.table.changed
}

// rebuild makes the table, and keeps the old one if nothing is different. mu is held.
func (r *Roster) rebuild(now time.Time) {
	r.sort()
	var members []placement.Member
	until := now.Add(r.limits.Grace)
	for _, e := range r.sorted {
		end := e.rec.Time.Add(r.limits.Grace)
		if e.rec.Capacity == 0 || !now.Before(end) {
			continue
		}
		if end.Before(until) {
			until = end
		}
		members = append(members, placement.Member{ID: e.id, Key: e.key, Domain: e.rec.Domain, Full: !e.rec.Takes()})
	}
	r.table.stale, r.table.until = false, until
	if slices.Equal(members, r.table.members) {
		return
	}
	r.table.members = members
	close(r.table.changed)
	r.table.changed = make(chan struct{})
}
