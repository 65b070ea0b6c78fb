package repair

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A Candidate is a coding of a block that somebody has found wanting: the sweep, or a gateway that could not place all
// fragments. It is a hint; a Repairer counts exactly before it does anything.
type Candidate struct {
	Score   venti.Score
	Coding  dhash.Coding
	Code    dhash.Code
	Present int // about how many different fragments are held by members that answer
	Rank    int // how many of these members act before this one, as far as is known: it can wait for its turn

	// Stray says that nobody has counted: it is only that this member holds a fragment that others should hold.
	Stray bool
}

// maxRetry is how many times Config.Retry what is tried again waits at most: 6 hours, if nothing else is said.
const maxRetry = 360

// key is what an item is about.
type key struct {
	score  venti.Score
	coding dhash.Coding
}

// An item is a candidate in the queue, with what has become of it.
type item struct {
	Candidate
	vital bool // its code is that of a vital block

	first    time.Time // when it came into the queue
	next     time.Time // not to be looked at before
	last     time.Time // when it was looked at
	short    time.Time // since when it is seen short; zero if it is not
	attempts int       // failures in a row
	err      error     // the last failure

	poor bool // waits for the budget
	lost bool // fewer than Need fragments can be had
	junk bool // its fragments are not those that an honest encoder makes of the block

	news     *Candidate // what came while it was worked at; nil if nothing did
	farewell *farewell  // nil until the own fragment might be given up

	class int // which heap it is in
	at    int // its place there
}

// A farewell is what speaks for giving up this member's fragment of an item.
type farewell struct {
	agreed  time.Time    // when a survey first said so; zero if the last one did not
	before  time.Time    // what agreed was before this survey
	because dhash.Coding // of the coding that was found to replace this one; zero if the same fragment is elsewhere
	proven  dhash.Coding // has been read whole and is an honest coding of the block
	refuted dhash.Coding // has been read, and is not
}

// parting returns the item's farewell, made if need be.
func (it *item) parting() *farewell {
	if it.farewell == nil {
		it.farewell = new(farewell)
	}
	return it.farewell
}

func (it *item) key() key { return key{it.Score, it.Coding} }

// The classes of items, the most pressing first: first those of which Need−1 or fewer fragments are left, then those
// with Need, and so on; then whole ones that are to be coded anew; then those that are only in the wrong place.
const (
	urgentClass = 4 // up to three more than Need, and the urgent line
	shortClass  = dhash.MaxTotal + 1
	vitalClass  = shortClass + 1
	recodeClass = vitalClass + 1
	classes     = recodeClass + 1
)

// classOf returns the class of a candidate. What is above its threshold is here because it is to be coded anew or
// lies where it should not: that costs nothing to put off.
func classOf(c Candidate, vital bool) int {
	if !c.Stray && c.Present <= c.Code.Threshold() && c.Present < c.Code.Total {
		class := max(0, c.Present-c.Code.Need+1)
		if c.Present > c.Code.UrgentLine() {
			class = max(class, urgentClass+1)
		}
		return class
	}
	if vital {
		return vitalClass
	}
	return recodeClass
}

// A queue holds items by how near their blocks are to being lost, and by when each is due. It is bounded, and drops the
// healthiest when it is full. Items that are taken out to be worked at are still known. Not safe for concurrent use.
type queue struct {
	retry   time.Duration // Config.Retry
	limit   int
	items   map[key]*item
	heaps   [classes]byNext
	dropped int64
}

// byNext is a heap of the items of one class, the one that is due first at its top.
type byNext []*item

func (h byNext) Len() int           { return len(h) }
func (h byNext) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h byNext) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *byNext) Push(x any)        { it := x.(*item); it.at = len(*h); *h = append(*h, it) }
func (h *byNext) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	it.at = -1
	return it
}

func newQueue(limit int, retry time.Duration) *queue {
	return &queue{limit: limit, retry: retry, items: map[key]*item{}}
}

// add takes a candidate in, to be looked at when it is this member's turn, or notes its news if it is known. What has changed
// is looked at soon, if it is this member's turn.
func (q *queue) add(c Candidate, vital bool, now time.Time, turn time.Duration) {
	if it := q.items[key{c.Score, c.Coding}]; it != nil {
		if it.Present == c.Present || c.Stray {
			return // no news
		}
		if it.at < 0 { // being worked at, by what was seen before
			it.news = &c
			return
		}
		heap.Remove(&q.heaps[it.class], it.at)
		it.Candidate = c
		soon := it.first.Add(turn)
		if again := it.last.Add(q.retry); again.After(soon) {
			soon = again
		}
		if soon.Before(it.next) && (it.farewell == nil || it.farewell.agreed.IsZero()) {
			it.next = soon
		}
		q.push(it)
		return
	}
	it := &item{Candidate: c, vital: vital, first: now, next: now.Add(turn), at: -1}
	if !c.Stray {
		it.short = now // as whoever found it says
	}
	if len(q.items) >= q.limit && !q.evict(classOf(c, vital)) {
		q.dropped++
		return
	}
	q.items[it.key()] = it
	q.push(it)
}

// evict drops an item that is healthier than the class, and reports whether there was one.
func (q *queue) evict(than int) bool {
	for class := classes - 1; class > than; class-- {
		if n := len(q.heaps[class]); n > 0 {
			it := heap.Remove(&q.heaps[class], n-1).(*item)
			delete(q.items, it.key())
			q.dropped++
			return true
		}
	}
	return false
}

// push files an item that is in no heap.
func (q *queue) push(it *item) {
	it.class = classOf(it.Candidate, it.vital)
	heap.Push(&q.heaps[it.class], it)
}

// take returns up to n items that are due and of a class up to the given one, the most pressing first. They stay known,
// and go back with push or away with remove.
func (q *queue) take(now time.Time, n, class int) (batch []*item) {
	for c := 0; c <= class; c++ {
		for h := &q.heaps[c]; len(batch) < n && len(*h) > 0 && !(*h)[0].next.After(now); {
			batch = append(batch, heap.Pop(h).(*item))
		}
	}
	return batch
}

// remove forgets an item that was taken.
func (q *queue) remove(it *item) { delete(q.items, it.key()) }

// due returns when the next item up to a class is due, if there is one.
func (q *queue) due(class int) (when time.Time, ok bool) {
	for c := 0; c <= class; c++ {
		if h := q.heaps[c]; len(h) > 0 && (!ok || h[0].next.Before(when)) {
			when, ok = h[0].next, true
		}
	}
	return when, ok
}

// backoff returns how long to wait after so many failures in a row, 1 or more: twice as long after each.
func (q *queue) backoff(failures int) time.Duration {
	d := q.retry << min(failures-1, 9)
	return q.within(time.Duration(float64(d) * (0.75 + rand.Float64()/2)))
}

// within keeps a wait within its bounds.
func (q *queue) within(wait time.Duration) time.Duration {
	return max(q.retry, min(maxRetry*q.retry, wait))
}
