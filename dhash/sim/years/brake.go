package years

import "time"

// The brake of a node that takes itself for cut off: it is put on when more than this part of the members that were there
// within the last hour are not, and taken off when they are back or count as gone.
const (
	brakeWindow = time.Hour
	brakePart   = 0.3
)

// A window knows the largest of the numbers that there were within brakeWindow.
type window struct{ steps []step }

// A step is a number that there was until another came.
type step struct {
	value int
	until time.Duration
}

// set says what the number is from now on.
func (w *window) set(now time.Duration, value int) {
	if n := len(w.steps); n > 0 {
		w.steps[n-1].until = now
	}
	for n := len(w.steps); n > 0 && w.steps[n-1].value <= value; n-- {
		w.steps = w.steps[:n-1]
	}
	w.steps = append(w.steps, step{value, far})
	w.largest(now)
}

// largest returns the largest number in the window.
func (w *window) largest(now time.Duration) int {
	for w.steps[0].until < now-brakeWindow {
		w.steps = w.steps[1:]
	}
	return w.steps[0].value
}

// braked reports whether so many members vanished at once that nobody repairs anything.
func (r *run) braked() bool {
	if r.cfg.NoBrake || r.cfg.Oracle {
		return false
	}
	few := func(before int, part float64) bool { return float64(r.alive) < (1-part)*float64(before) }
	if before := r.peak.largest(r.now); r.cutOff < 0 && few(before, brakePart) {
		r.cutOff, r.cutFrom = r.now, before
		r.brakes++
	}
	if r.cutOff >= 0 && (!few(r.cutFrom, r.cfg.Release) || r.now-r.cutOff > r.cfg.Grace) {
		r.cutOff = -1
		r.peak = window{}
		r.peak.set(r.now, r.alive)
	}
	return r.cutOff >= 0
}
