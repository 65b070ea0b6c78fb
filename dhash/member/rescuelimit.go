package member

import (
	"sync"
	"time"
)

// A rescueLimiter bounds what rescues cost a member. Owners that are known and others are bounded apart, by what their
// connection has proven before a byte is read, so that strangers cannot keep an owner waiting. A connection is good for
// one request; what it costs to make another is bounded by package kad.
type rescueLimiter struct {
	mu    sync.Mutex              // protects the following
	asked map[string]struct{}     // connections that are open, and on which somebody has asked; so the host bounds them
	of    map[bool]*rescueAllowed // by whether the owner is known
}

// rescueAllowed is what those of one kind may still do.
type rescueAllowed struct {
	running int
	tokens  float64
	counted time.Time // when tokens was
}

const (
	rescueSlots = 4   // requests of a kind that are answered at once
	rescueRate  = 2.0 // requests of a kind in a second
	rescueBurst = 16.0
)

func newRescueLimiter() rescueLimiter {
	return rescueLimiter{asked: map[string]struct{}{}, of: map[bool]*rescueAllowed{
		false: {tokens: rescueBurst}, true: {tokens: rescueBurst}}}
}

// enter returns a function to be called when the request on a connection has been answered, or nil if there are too many.
func (l *rescueLimiter) enter(conn string, known bool, now time.Time) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.of[known]
	if passed := now.Sub(a.counted); passed > 0 {
		a.tokens, a.counted = min(rescueBurst, a.tokens+passed.Seconds()*rescueRate), now
	}
	if _, again := l.asked[conn]; again || a.running >= rescueSlots || a.tokens < 1 {
		return nil
	}
	l.asked[conn] = struct{}{}
	a.running++
	a.tokens--
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.running--
	}
}

// gone forgets a connection that is closed.
func (l *rescueLimiter) gone(conn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.asked, conn)
}
