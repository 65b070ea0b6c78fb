package years

import (
	"math"
	"time"

	"ventidhash/dhash"
)

// batches is in how many groups of neighbouring blocks the unreadable time is taken, for its confidence interval, and
// student the 97.5 % point of Student's distribution with one degree of freedom less.
const (
	batches = 20
	student = 2.0930
)

const maxNeed = dhash.MaxTotal

// Traffic is bytes between members by cause.
type Traffic struct {
	MendRead      int64 `json:"mend_read"`
	MendWritten   int64 `json:"mend_written"`
	UrgentRead    int64 `json:"urgent_read"`
	UrgentWritten int64 `json:"urgent_written"`
	HandOff       int64 `json:"hand_off"`
}

// Repair returns the bytes read and written to make fragments again.
func (t Traffic) Repair() int64 { return t.MendRead + t.MendWritten + t.UrgentRead + t.UrgentWritten }

// A tally is what a run counts.
type tally struct {
	bytes              Traffic
	unread             [batches]float64 // block-seconds
	spells             int
	dark, darkest      int // blocks that cannot be read now; most at once
	attempts, failures int
	losses             int
	joins, deaths      int
	returns, trimmed   int
	mended, urgent     int
	aborted, moved     int
	brakes             int
	margins            [2*maxNeed + 1]int64
	counted            [maxNeed + 1]int64
}

// A Result is what a simulation has found. Counts are of Simulated; Lost, Deaths, Joins, Returned, Trimmed, Aborted and
// Braked of the warm-up too.
type Result struct {
	Code      dhash.Code
	Members   int
	Blocks    int
	Simulated time.Duration // without the warm-up

	// Unavailability is the part of the block-time in which fewer than Need fragments are at members that answer, exact for
	// this run; Low and High are the ends of its 95 % confidence interval, by batch means.
	Unavailability, Low, High float64
	Spells                    int // how often a block became unreadable
	MostAtOnce, AtEnd         int // blocks unreadable at once, and in the end; lost ones are among them
	Reads, FailedReads        int
	ReadBound                 float64 // of the unavailability, by the reads: one-sided, 95 % (Clopper and Pearson)

	Lost              int // blocks of which fewer than Need fragments are on any disk
	Deaths, Joins     int
	Returned, Trimmed int // members that had counted as gone; fragments that were there twice
	Mended, Urgent    int // repairs
	Aborted           int // repairs whose member fell silent, or whose block was lost
	Moved             int // fragments handed off
	Braked            int // how often the swarm stopped repair because too many vanished at once

	Bytes Traffic

	// Margin is how often the sweep found a block with so many fragments present more than it needs: Margin[i] with i+Least.
	Margin []int64
	Least  int
	// Counted is how often it found so many at members that are not gone.
	Counted []int64

	HeldMean, HeldMax       float64 // fragments of a member, at the end
	TrafficMean, TrafficMax float64 // bytes a day that a member read and wrote for repair
}

// Availability returns 1 − Unavailability.
func (r Result) Availability() float64 { return 1 - r.Unavailability }

// PerMemberDay returns so many bytes of the whole swarm and time for one member and day.
func (r Result) PerMemberDay(bytes int64) float64 {
	if r.Simulated <= 0 {
		return 0
	}
	return float64(bytes) / float64(r.Members) / (float64(r.Simulated) / float64(Day))
}

// result returns what there is to say at r.now.
func (r *run) result() Result {
	for b := range r.since { // those that cannot be read now; the run does not go on after this
		if !r.cfg.Oracle && int(r.swarm.present[b]) < r.cfg.Code.Need {
			r.spell(int32(b), r.now)
		}
	}
	res := Result{
		Code: r.cfg.Code, Members: r.cfg.Members, Blocks: r.cfg.Blocks, Simulated: max(0, r.now-r.cfg.Warmup),
		Spells: r.spells, MostAtOnce: r.darkest, AtEnd: r.dark, Reads: r.attempts, FailedReads: r.failures,
		ReadBound: UpperBound(r.failures, r.attempts, 0.95), Lost: r.losses, Deaths: r.deaths, Joins: r.joins,
		Returned: r.returns, Trimmed: r.trimmed, Mended: r.mended, Urgent: r.urgent, Aborted: r.aborted, Moved: r.moved,
		Braked: r.brakes, Bytes: r.bytes, Counted: r.counted[:r.cfg.Code.Total+1],
	}
	if res.Simulated > 0 {
		res.Unavailability, res.Low, res.High = r.interval(res.Simulated)
	}
	first, last := 0, len(r.margins)-1
	for first < last && r.margins[first] == 0 {
		first++
	}
	for last > first && r.margins[last] == 0 {
		last--
	}
	res.Margin, res.Least = r.margins[first:last+1], first-maxNeed
	r.loads(&res)
	return res
}

// interval returns the unavailability and its confidence interval.
func (r *run) interval(span time.Duration) (mean, low, high float64) {
	var parts [batches]float64
	for i := range parts { // as spell cuts them
		first := (i*len(r.since) + batches - 1) / batches
		end := ((i+1)*len(r.since) + batches - 1) / batches
		parts[i] = r.unread[i] / (float64(end-first) * span.Seconds())
		mean += parts[i] / batches
	}
	var square float64
	for _, p := range parts {
		square += (p - mean) * (p - mean)
	}
	half := student * math.Sqrt(square/(batches-1)/batches)
	return mean, max(0, mean-half), mean + half
}

// loads says how even the load is.
func (r *run) loads(res *Result) {
	n := 0.0
	for i := range r.swarm.members {
		m := &r.swarm.members[i]
		if !m.joined || m.dead {
			continue
		}
		n++
		held, traffic := float64(len(m.blocks)), float64(m.traffic)/(float64(max(r.now, 1))/float64(Day))
		res.HeldMean += held
		res.TrafficMean += traffic
		res.HeldMax, res.TrafficMax = max(res.HeldMax, held), max(res.TrafficMax, traffic)
	}
	res.HeldMean /= max(n, 1)
	res.TrafficMean /= max(n, 1)
}

// UpperBound returns the exact upper bound of a probability of which so many attempts saw so many failures, at the given
// confidence (Clopper and Pearson, 1934). For none of n it is about 3/n at 0.95 (the rule of three).
func UpperBound(failures, attempts int, confidence float64) float64 {
	if failures >= attempts {
		return 1
	}
	low, high := float64(failures)/float64(attempts), 1.0
	for range 200 {
		mid := (low + high) / 2
		if atMost(failures, attempts, mid) > 1-confidence {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// atMost returns the probability of so many failures or fewer, 0 < p < 1.
func atMost(failures, attempts int, p float64) float64 {
	log := float64(attempts) * math.Log1p(-p)
	odds := math.Log(p) - math.Log1p(-p)
	logs, top := make([]float64, failures+1), math.Inf(-1)
	for i := range logs {
		logs[i] = log
		top = max(top, log)
		log += math.Log(float64(attempts-i)) - math.Log(float64(i+1)) + odds
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - top)
	}
	return math.Exp(top) * sum
}
