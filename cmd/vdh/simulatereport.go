package main

import (
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"ventidhash/dhash/codec"
	"ventidhash/dhash/sim/years"
)

// A simulated is what a simulation has given.
type simulated struct {
	cfg      years.Config
	res      years.Result
	complete bool
	oracle   *years.Traffic // nil if there is none to compare with
	took     time.Duration
}

// simulationLine is the JSON line of a simulation.
type simulationLine struct {
	Type           string        `json:"type"` // "simulation"
	Code           string        `json:"code"`
	Members        int           `json:"members"`
	Blocks         int           `json:"blocks"`
	Days           float64       `json:"days"`
	Complete       bool          `json:"complete"`
	Unavailability float64       `json:"unavailability"`
	Low            float64       `json:"unavailability_low"`
	High           float64       `json:"unavailability_high"`
	Nines          float64       `json:"nines,omitempty"` // left out where it is infinite
	Reads          int           `json:"reads"`
	FailedReads    int           `json:"failed_reads"`
	ReadBound      float64       `json:"read_bound"`
	MostAtOnce     int           `json:"most_unreadable"`
	Spells         int           `json:"unreadable_spells"`
	Lost           int           `json:"lost"`
	Deaths         int           `json:"deaths"`
	Joins          int           `json:"joins"`
	Returned       int           `json:"returned"`
	Mended         int           `json:"mended"`
	Urgent         int           `json:"urgent"`
	Aborted        int           `json:"aborted"`
	Braked         int           `json:"braked"`
	Bytes          years.Traffic `json:"bytes"`
	PerMemberDay   float64       `json:"bytes_per_member_day"`
	OracleBytes    int64         `json:"oracle_bytes,omitempty"`
	OracleRatio    float64       `json:"oracle_ratio,omitempty"`
	OracleRatioAll float64       `json:"oracle_ratio_all,omitempty"`
	HeldMean       float64       `json:"held_mean"`
	HeldMax        float64       `json:"held_max"`
	TrafficMean    float64       `json:"traffic_mean"`
	TrafficMax     float64       `json:"traffic_max"`
	MarginLeast    int           `json:"margin_least"`
	Margin         []int64       `json:"margin"`
	Seconds        float64       `json:"seconds"`
}

// ratios returns how many times the oracle's bytes the policy's are: those of repair, and those with hand-off. They are
// 0 where there is no such number.
func (s *simulated) ratios() (repair, all float64) {
	if s.oracle == nil || s.oracle.Repair() == 0 {
		return 0, 0
	}
	b := s.res.Bytes
	return float64(b.Repair()) / float64(s.oracle.Repair()),
		float64(b.Repair()+b.HandOff) / float64(s.oracle.Repair()+s.oracle.HandOff)
}

func (s *simulated) line() simulationLine {
	r := s.res
	line := simulationLine{
		Type: "simulation", Code: r.Code.String(), Members: r.Members, Blocks: r.Blocks, Days: r.Simulated.Hours() / 24,
		Complete: s.complete, Unavailability: r.Unavailability, Low: r.Low, High: r.High, Reads: r.Reads,
		FailedReads: r.FailedReads, ReadBound: r.ReadBound, MostAtOnce: r.MostAtOnce, Spells: r.Spells, Lost: r.Lost,
		Deaths: r.Deaths, Joins: r.Joins, Returned: r.Returned, Mended: r.Mended, Urgent: r.Urgent, Aborted: r.Aborted,
		Braked: r.Braked, Bytes: r.Bytes, PerMemberDay: r.PerMemberDay(r.Bytes.Repair() + r.Bytes.HandOff),
		HeldMean: r.HeldMean, HeldMax: r.HeldMax, TrafficMean: r.TrafficMean, TrafficMax: r.TrafficMax,
		MarginLeast: r.Least, Margin: r.Margin, Seconds: s.took.Seconds(),
	}
	if r.Unavailability > 0 {
		line.Nines = codec.Nines(r.Unavailability)
	}
	if s.oracle != nil {
		line.OracleBytes = s.oracle.Repair()
	}
	line.OracleRatio, line.OracleRatioAll = s.ratios()
	return line
}

// printSimulated says what came out.
func (a *app) printSimulated(s *simulated) error {
	if a.json {
		return a.print(s.line())
	}
	r := s.res
	days := r.Simulated.Hours() / 24
	part := ""
	if !s.complete {
		part = fmt.Sprintf(" of %.0f, then stopped", s.cfg.Duration.Hours()/24)
	}
	fmt.Fprintf(a.out, "%s members, %s blocks of %s, code %s, %.0f days%s (%.0f s)\n\n", humanize.Comma(int64(r.Members)),
		humanize.Comma(int64(r.Blocks)), size(int64(s.cfg.Block)), r.Code, days, part, s.took.Seconds())
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "unreadable\t%.2g of the time of a block (95 %%: %.2g to %.2g)%s\n", r.Unavailability, r.Low, r.High, nines(r))
	fmt.Fprintf(w, "random reads\t%s, %s failed: below %.2g (95 %%)\n", humanize.Comma(int64(r.Reads)),
		humanize.Comma(int64(r.FailedReads)), r.ReadBound)
	fmt.Fprintf(w, "at worst\t%s unreadable at once\n", count(int64(r.MostAtOnce), "block", "blocks"))
	fmt.Fprintf(w, "lost\t%s, of %s that died\n", count(int64(r.Lost), "block", "blocks"),
		count(int64(r.Deaths), "member", "members"))
	fmt.Fprintf(w, "repairs\t%s in time, %s urgent, %s in vain\n", humanize.Comma(int64(r.Mended)),
		humanize.Comma(int64(r.Urgent)), humanize.Comma(int64(r.Aborted)))
	if r.Braked > 0 {
		fmt.Fprintf(w, "brake\ton %s, too many members having vanished at once\n", count(int64(r.Braked), "time", "times"))
	}
	fmt.Fprintf(w, "fragments held\t%.0f a member, at most %.0f (%.2f times)\n", r.HeldMean, r.HeldMax, r.HeldMax/max(r.HeldMean, 1))
	fmt.Fprintf(w, "repair traffic\t%s a day and member, at most %s\n", size(int64(r.TrafficMean)), size(int64(r.TrafficMax)))
	if repair, all := s.ratios(); repair > 0 {
		fmt.Fprintf(w, "oracle\trepair takes %.2f times what it would, %.2f times with hand-off\n", repair, all)
	}
	fmt.Fprintf(w, "\nBYTES A DAY AND MEMBER\tREAD\tWRITTEN\n")
	for _, row := range []struct {
		what          string
		read, written int64
	}{
		{"repair in time", r.Bytes.MendRead, r.Bytes.MendWritten},
		{"urgent repair", r.Bytes.UrgentRead, r.Bytes.UrgentWritten},
		{"hand-off", 0, r.Bytes.HandOff},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.what, size(int64(r.PerMemberDay(row.read))), size(int64(r.PerMemberDay(row.written))))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.printMargin(r)
	return nil
}

// nines says how many nines a result has.
func nines(r years.Result) string {
	if n := codec.Nines(r.Unavailability); !math.IsInf(n, 1) {
		return fmt.Sprintf(": %.2f nines", n)
	}
	return ""
}

// printMargin says how often how many fragments more than needed were present.
func (a *app) printMargin(r years.Result) {
	var all int64
	for _, n := range r.Margin {
		all += n
	}
	if all == 0 {
		return
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nPRESENT OVER NEEDED\tOF ALL LOOKS\t\n")
	for i, n := range r.Margin {
		fmt.Fprintf(w, "%+d\t%.4f %%\t\n", i+r.Least, 100*float64(n)/float64(all))
	}
	w.Flush()
}
