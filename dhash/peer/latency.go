package peer

import (
	"slices"
	"sync"
	"time"
)

const (
	nominal     = 128 << 10        // bytes of the fragment that latencies are told for
	latencyAge  = 10 * time.Minute // samples older than that are forgotten
	latencyKept = 64
)

// A latency is what is known about how long a member takes to answer.
type latency struct {
	mu      sync.Mutex // protects the following
	samples [latencyKept]sample
	count   int // ever
	ewma    time.Duration
}

type sample struct {
	at   time.Time
	took time.Duration
}

// add notes that at a certain time an answer of size bytes had taken so long. A large answer counts for what one of the
// nominal size would have taken, had it been all transfer.
func (l *latency) add(at time.Time, took time.Duration, size int) {
	if size > nominal {
		took = time.Duration(float64(took) * nominal / float64(size))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.samples[(l.count+latencyKept-1)%latencyKept]; l.count == 0 || at.Sub(last.at) > latencyAge {
		l.ewma = took
	} else {
		l.ewma += (took - l.ewma) / 8
	}
	l.samples[l.count%latencyKept] = sample{at, took}
	l.count++
}

// estimate returns the moving average and the 95th percentile, or zeros if nothing is known.
func (l *latency) estimate(now time.Time) (ewma, p95 time.Duration) {
	var young [latencyKept]time.Duration
	n := 0
	l.mu.Lock()
	for i := range min(l.count, latencyKept) {
		if s := l.samples[i]; now.Sub(s.at) <= latencyAge {
			young[n] = s.took
			n++
		}
	}
	ewma = l.ewma
	l.mu.Unlock()
	if n == 0 {
		return 0, 0
	}
	slices.Sort(young[:n])
	return ewma, young[(n*95+99)/100-1]
}
