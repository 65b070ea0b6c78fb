package repair

import (
	"time"
)

// Traffic is what fragments cost: bytes of payloads.
type Traffic struct {
	Read    int64 // fetched from members
	Written int64 // sent to members
}

// A cause is why fragments are moved.
type cause int

const (
	byMend cause = iota
	byUrgent
	byRecode
	byHandoff
	causes
)

// Stats says what a Repairer has to do, and has done since it was made.
type Stats struct {
	Queued      int           // codings of blocks that have to be looked at
	Due         int           // of those queued, now
	Waiting     int           // of those queued, for the budget
	Urgent      int           // of those queued, within three fragments of their loss
	Irreparable int           // of those queued, with too few fragments at members that answer: an alarm
	Junk        int           // of those queued, codings that are not of their block
	Oldest      time.Duration // how long ago the first of those queued came
	Dropped     int64         // candidates that found no room in the queue
	Braked      bool          // most members vanished at once: nothing is repaired

	Repaired  int64 // blocks brought back to strength
	Recoded   int64 // blocks coded anew
	Made      int64 // fragments that were made and placed, for both
	HandedOff int64 // fragments sent to the member that should hold them
	Trimmed   int64 // own fragments given up because others hold them
	Bad       int64 // fragments that members said they hold, and that were bad or not there
	Failed    int64 // attempts
	LastError error // of an attempt; nil if none has failed

	Mend    Traffic
	Urgency Traffic // of what was near to its loss
	Recode  Traffic
	Handoff Traffic
}

// Stats returns what there is to do, and has been done.
func (r *Repairer) Stats() Stats {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Queued, s.Dropped, s.Braked = len(r.queue.items), r.queue.dropped, r.brake.on
	for _, it := range r.queue.items {
		s.Oldest = max(s.Oldest, now.Sub(it.first))
		switch {
		case it.lost && !it.junk:
			s.Irreparable++
		case it.junk:
			s.Junk++
		case it.class <= urgentClass:
			s.Urgent++
		}
		if it.poor {
			s.Waiting++
		} else if !it.next.After(now) {
			s.Due++
		}
	}
	return s
}

// tally changes the stats.
func (r *Repairer) tally(change func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.stats)
}

// spent counts bytes that were fetched and sent.
func (r *Repairer) spent(why cause, read, written int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.budget.spend(int64(read+written), time.Now())
	t := [causes]*Traffic{&r.stats.Mend, &r.stats.Urgency, &r.stats.Recode, &r.stats.Handoff}[why]
	t.Read += int64(read)
	t.Written += int64(written)
}
