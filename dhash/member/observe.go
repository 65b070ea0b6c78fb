package member

import (
	"math/rand/v2"
	"time"

	"ventidhash/dhash"
)

// Seen notes that a member was heard: it answered, or asked something. It is cheap enough for every request.
func (r *Roster) Seen(id dhash.ID, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[id]; e != nil {
		e.heard(now, r.pingInterval(e))
	}
}

// Failed notes that a member could not be reached, or did not answer. It is suspect at once and is tried again soon.
func (r *Roster) Failed(id dhash.ID, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[id]; e != nil && id != r.cfg.Self {
		e.failed(now, r.retryLimit())
	}
}

// Left notes that a member said goodbye.
func (r *Roster) Left(id dhash.ID, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[id]; e != nil && id != r.cfg.Self {
		e.left(now, r.retryLimit())
	}
}

// Check has a member contacted soon: a connection with it broke.
func (r *Roster) Check(id dhash.ID, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[id]; e != nil && !e.away && e.failing.IsZero() {
		e.next = now
	}
}

// pingInterval is when to ping a member after it was heard. Of two members the one with the lower id is to ping, the
// other one waits half as long again, and so each pair needs one ping an interval. mu is held.
func (r *Roster) pingInterval(e *entry) time.Duration {
	d := max(r.limits.PingInterval, time.Duration(len(r.entries))*time.Second/pingRate)
	if e.id < r.cfg.Self {
		d += d / 2
	}
	return d
}

// retryLimit bounds the time between attempts to reach a member that fails. mu is held.
func (r *Roster) retryLimit() time.Duration {
	limit := r.limits.RetryMax
	if r.alive == 0 {
		limit /= 4
	}
	return max(limit, time.Duration(r.failing)*time.Second/retryRate)
}

// Due returns up to n members that it is time to contact, those never contacted first, and how many are alive. Whoever
// calls it contacts them and reports Seen or Failed; they are not due again within wait.
func (r *Roster) Due(now time.Time, n int, wait time.Duration) (ids []dhash.ID, alive int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive, r.failing = 0, 0
	for id, e := range r.entries { // in random order, so that a long queue is fair
		if id == r.cfg.Self {
			continue
		}
		if e.liveness(now, e.rec.Time, r.limits) == Alive {
			r.alive++
		}
		if !e.failing.IsZero() {
			r.failing++
		}
		if e.next.After(now) || len(ids) >= n {
			continue
		}
		ids = append(ids, id)
		e.next, e.trying = now.Add(wait), true
	}
	return ids, r.alive
}

// Random returns up to n different members that are alive, without this node.
func (r *Roster) Random(now time.Time, n int) []dhash.ID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var chosen []dhash.ID
	seen := 0
	for id, e := range r.entries {
		if id == r.cfg.Self || e.liveness(now, e.rec.Time, r.limits) != Alive {
			continue
		}
		seen++
		if len(chosen) < n {
			chosen = append(chosen, id)
		} else if i := rand.IntN(seen); i < n {
			chosen[i] = id
		}
	}
	return chosen
}
