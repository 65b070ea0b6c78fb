package years

import "time"

// A heap keeps entries by their times, and those of the same time in the order in which they came, so that a run is
// the same each time. It does what container/heap does, without an interface value for each entry.
type heap[T any] struct {
	entries []timed[T]
	next    uint64
}

type timed[T any] struct {
	at    time.Duration
	order uint64
	what  T
}

func (h *heap[T]) less(i, j int) bool {
	a, b := &h.entries[i], &h.entries[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

// push adds an entry.
func (h *heap[T]) push(at time.Duration, what T) {
	h.entries = append(h.entries, timed[T]{at, h.next, what})
	h.next++
	for i := len(h.entries) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		h.entries[i], h.entries[up] = h.entries[up], h.entries[i]
		i = up
	}
}

// peek returns the time of the earliest entry; ok is false if there is none.
func (h *heap[T]) peek() (at time.Duration, ok bool) {
	if len(h.entries) == 0 {
		return 0, false
	}
	return h.entries[0].at, true
}

// pop removes the earliest entry, of which there must be one.
func (h *heap[T]) pop() (time.Duration, T) {
	top := h.entries[0]
	last := len(h.entries) - 1
	h.entries[0] = h.entries[last]
	h.entries[last] = timed[T]{}
	h.entries = h.entries[:last]
	for i := 0; ; {
		least := i
		for down := 2*i + 1; down <= 2*i+2 && down < last; down++ {
			if h.less(down, least) {
				least = down
			}
		}
		if least == i {
			return top.at, top.what
		}
		h.entries[i], h.entries[least] = h.entries[least], h.entries[i]
		i = least
	}
}
