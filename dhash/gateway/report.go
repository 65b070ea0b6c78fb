package gateway

import (
	"ventidhash/dhash"
	"ventidhash/dhash/codec"
)

// A Report says how safely the blocks are kept that were put through a Gateway and are settled.
type Report struct {
	Blocks    int64
	Bytes     int64   // of the blocks
	Fragments int64   // that were placed
	Stored    int64   // bytes of their payloads
	Below     int64   // blocks kept below their code's threshold, those that were there already included
	Nines     float64 // the lowest availability of any block put, or found to be there; zero if there was none

	weighed bool
}

// Counts says what a Gateway has asked of the swarm.
type Counts struct {
	Puts    int64 // fragments sent
	Gets    int64 // fragments asked for
	Hedges  int64 // fragments asked for because an answer was late
	Mended  int64 // bad fragments replaced
	Short   int64 // blocks of which not every fragment found a place
	New     int64 // blocks put that the members could not have brought back before
	Added   int64 // bytes of them
	Lookups int64 // lookups in the DHT

	Challenges int64 // proofs asked for
	Proven     int64 // proofs that came and were right
	False      int64 // answers that prove nothing
	Lacking    int64 // fragments that members say they hold, and could not prove
}

// Report returns the report as of now. Sync before.
func (g *Gateway) Report() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.report
}

// Counts returns what has been counted so far.
func (g *Gateway) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts
}

func (g *Gateway) count(change func(*Counts)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.counts)
}

// add counts a block of which placed fragments are held, of which stored count.
func (r *Report) add(enc *codec.Encoded, stored, placed int, nines func(need, count int) float64) {
	r.Blocks++
	r.Bytes += int64(enc.Length)
	r.Fragments += int64(placed)
	r.Stored += int64(placed * enc.Code.PayloadSize(enc.Length))
	r.weigh(enc.Code, stored, nines)
}

// weigh lets a block of which stored fragments count as held count for what the report says about safety.
func (r *Report) weigh(c dhash.Code, stored int, nines func(need, count int) float64) {
	if stored < c.Threshold() {
		r.Below++
	}
	if nines != nil {
		if n := nines(c.Need, stored); !r.weighed || n < r.Nines {
			r.Nines = n
		}
	}
	r.weighed = true
}

// noteHeld lets a block that was there already count.
func (g *Gateway) noteHeld(st State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.weigh(st.Code, st.Stored, g.cfg.Nines)
}
