package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"ventidhash/dhash"
	"ventidhash/dhash/plan"
)

// planLine is the JSON line of a plan.
type planLine struct {
	Type         string   `json:"type"`            // "plan"
	Swarm        string   `json:"swarm,omitempty"` // its name, if this machine is in one
	Members      int      `json:"members"`
	Sites        int      `json:"sites,omitempty"` // of them, where known
	Availability float64  `json:"availability"`
	Rho          float64  `json:"rho"`
	Target       float64  `json:"target_nines"`
	Lifetime     float64  `json:"lifetime_hours"`
	Repair       float64  `json:"repair_hours"`
	Bandwidth    float64  `json:"bandwidth"` // bytes a second
	Data         float64  `json:"data"`      // bytes
	Blocks       float64  `json:"blocks"`
	Chosen       string   `json:"chosen"`
	Policy       string   `json:"policy"`
	Vital        string   `json:"vital_code"`
	Reached      bool     `json:"target_reached"`
	Needed       int      `json:"members_needed"` // 0 if no number reaches the target
	Why          string   `json:"why"`
	Warnings     []string `json:"warnings"`
}

// codeLine is the JSON line of a code.
type codeLine struct {
	Type      string             `json:"type"` // "code"
	Code      string             `json:"code"`
	Notes     []string           `json:"notes,omitempty"`
	Fits      bool               `json:"fits"`
	OnTarget  bool               `json:"on_target"`
	Overhead  float64            `json:"overhead"`
	Threshold int                `json:"threshold"` // fragments at which repair begins
	Fresh     float64            `json:"fresh_nines"`
	Then      float64            `json:"threshold_nines"`
	Mean      float64            `json:"mean_nines"`
	Retry     float64            `json:"retry_blocks"`
	Readable  float64            `json:"all_readable"`
	Lost      float64            `json:"lost_blocks_per_year"`
	MTTDL     map[string]float64 `json:"mttdl_years"`
	Held      float64            `json:"held_bytes"`
	Daily     float64            `json:"repair_bytes_per_day"`
	Eager     float64            `json:"eager_read_per_second"`
}

// perDay makes bytes a day of bytes a second.
const perDay = 24 * 3600

// printPlan writes a plan. The first of the codes is the chosen one.
func (a *app) printPlan(s *planned, list []candidate) error {
	best := list[0].Figures
	line := planLine{"plan", s.name, s.Members, s.sites, s.P, s.Rho, s.Nines, s.Lifetime.Hours(), s.Repair.Hours(), s.Bandwidth,
		s.Data, s.Blocks, best.Code.String(), s.policy().String(), vital(best.Code).String(), best.OnTarget, s.MembersNeeded(),
		s.why(best), s.warnings(best)}
	if a.json {
		if err := a.print(line); err != nil {
			return err
		}
		for _, c := range list {
			mttdl := map[string]float64{}
			for m, years := range c.MTTDL {
				mttdl[plan.Model(m).String()] = years
			}
			if err := a.print(codeLine{"code", c.Code.String(), c.notes, c.Fits, c.OnTarget, c.Overhead, c.Code.Threshold(), c.Fresh,
				c.Threshold, c.Mean, c.Retry, c.Readable, c.Lost, mttdl, s.Held(c.Code), c.Traffic * perDay, c.Eager}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := a.printAssumed(s); err != nil {
		return err
	}
	if err := a.printCodes(s, list); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\n%s\n", wrap(line.Why, "", "  "))
	for _, w := range line.Warnings {
		fmt.Fprintf(a.out, "\n%s\n", wrap(w, "Warning: ", "  "))
	}
	return nil
}

// printAssumed writes what a plan is made for.
func (a *app) printAssumed(s *planned) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	name := "none (this machine has joined none), so this is about one that could be"
	if s.name != "" {
		name = printable(s.name)
	}
	fmt.Fprintf(w, "swarm\t%s\n", name)
	together := "and fail independently"
	if s.Rho > 0 {
		together = fmt.Sprintf("and fail together (rho %g)", s.Rho)
	}
	at := ""
	if s.sites > 0 {
		at = " at " + count(int64(s.sites), "site", "sites")
	}
	fmt.Fprintf(w, "members\t%s%s, that answer %s of the time, live %s %s\n", humanize.Comma(int64(s.Members)), at,
		share(s.P), spanText(s.Lifetime), together)
	fmt.Fprintf(w, "data\t%s in %s %s\n", amount(s.Data), figure(s.Blocks), plural(int(min(s.Blocks, 2)), "block", "blocks"))
	fmt.Fprintf(w, "repair\tdone %s after it is due, may take %s/s of a member\n", spanText(s.Repair), amount(s.Bandwidth))
	fmt.Fprintf(w, "target\t%g nines, %s, to be had still when repair begins\n", s.Nines, share(1-math.Pow(10, -s.Nines)))
	return w.Flush()
}

// planLegend says what the columns mean.
const planLegend = `
STORED     bytes on disks for each byte kept
NINES      availability of a block with all its fragments in place, 3 for 99.9 %
AT REPAIR  the same with a fifth of them gone, when repair begins: this is held against the target
RETRY      blocks that are unavailable at any time, because too many holders are away: try again later
ALL READ   how likely none of them is, if blocks were independent
LOST/YEAR  blocks that are gone for good after a year, if members are lost independently
MTTDL      mean years until one given block is lost, by the model M2: all that is missing is made at
           once, when repair is due. Other models (--json) differ by a factor of 10,000 or more
REPAIR     what a member reads and writes for repair in a day
`

// printCodes writes the table.
func (a *app) printCodes(s *planned, list []candidate) error {
	fmt.Fprintln(a.out)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "CODE\tSTORED\tNINES\tAT REPAIR\tRETRY\tALL READ\tLOST/YEAR\tMTTDL (M2)\tREPAIR/DAY\t")
	for _, c := range list {
		notes := strings.Join(c.notes, ", ")
		if notes != "" {
			notes = "  " + notes
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s y\t%s\t%s\n", c.Code, c.Overhead, s.ninesText(c.Fresh),
			s.ninesText(c.Threshold), figure(c.Retry), likelihood(c.Readable), figure(c.Lost), figure(c.MTTDL[plan.M2]),
			amount(c.Traffic*perDay), notes)
	}
	if err := w.Flush(); err != nil || a.quiet {
		return err
	}
	_, err := fmt.Fprint(a.out, planLegend)
	return err
}

// vital returns the code of the blocks on which others hang.
func vital(c dhash.Code) dhash.Code { return dhash.Code{Need: max(1, c.Need/2), Total: c.Total} }

// why says which code is chosen, and for what reason.
func (s *planned) why(best plan.Figures) string {
	c := best.Code
	gone := c.Total - c.Threshold()
	switch {
	case c.Total == 1:
		return "A single member keeps each block once: there is nothing to choose, and nobody to repair from."
	case !best.OnTarget:
		return fmt.Sprintf("It would choose %s, whole copies, though they miss the target: nothing else does better with %s. "+
			"When repair begins a block has %s nines.", c, count(int64(s.Members), "member", "members"), s.ninesText(best.Threshold))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "It would choose %s: any %d of %d fragments bring a block back, and with %d gone, when repair begins, "+
		"it still has %s nines", c, c.Need, c.Total, gone, s.ninesText(best.Threshold))
	if next := (dhash.Code{Need: c.Need + 1, Total: c.Total}); next.Need < next.Threshold() {
		fmt.Fprintf(&b, "; %s would store less and have %s", next, s.ninesText(s.Assess(next).Threshold))
	}
	fmt.Fprintf(&b, ". Pointer blocks and roots, whose loss would cost all that hangs on them, get %s.", vital(c))
	if n := sitesNeeded(c); n > 0 {
		fmt.Fprintf(&b, " At %d sites or more (vdh node --domain SITE/HOST) the loss of one leaves 3 fragments to spare.", n)
	}
	return b.String()
}

// sitesNeeded returns at how many sites members must be so that none has more than its share of a block
// (dhash.Code.DomainLimit), 0 if no number does it.
func sitesNeeded(c dhash.Code) int {
	limit := c.Total - c.Need - 3
	if limit < 1 {
		return 0
	}
	return (c.Total + limit - 1) / limit
}

// What a plan warns of: blocks lost in a year, the availability at which codes stop working, and the correlation.
const (
	planLosses  = 0.01
	planPoorP   = 0.6
	planPoorRho = 0.05
)

// warnings returns what the user should know before relying on the plan.
func (s *planned) warnings(best plan.Figures) []string {
	out := []string{}
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch n := s.MembersNeeded(); {
	case best.OnTarget:
	case n > 0:
		say("the swarm is too small for its target of %g nines, which takes %s. A lower target is --nines.", s.Nines,
			count(int64(n), "member", "members"))
	default:
		say("no number of such members reaches the target of %g nines. A lower target is --nines.", s.Nines)
	}
	if p := s.policy(); p != best.Code {
		if f := s.Assess(p); !f.OnTarget {
			say("%s, which members use, misses the target: %s nines when repair begins.", p, s.ninesText(f.Threshold))
		}
	}
	if best.Eager > s.Bandwidth {
		say("repair can need more than its budget of %s/s: where each lost fragment is made by itself, a member reads "+
			"NEED × held / lifetime, %s/s. Repair that waits for the threshold needs %s/s. Where that is too much, it falls behind, and more "+
			"is lost.", amount(s.Bandwidth), amount(best.Eager), amount(best.Traffic))
	}
	if best.Lost >= planLosses {
		say("%s of %s blocks are to be expected lost for good in a year. It takes more members, or such as live "+
			"longer (--lifetime), or faster repair (--repair).", figure(best.Lost), figure(s.Blocks))
	}
	if s.P <= planPoorP {
		say("with members that answer %s of the time no code that stores two bytes for one is any good, "+
			"however many fragments it has.",
			share(s.P))
	}
	if s.Rho >= planPoorRho {
		say("members that fail together so much (rho %g) make five whole copies better than any code that stores "+
			"two bytes for one. More fragments do not help; other sites do.", s.Rho)
	}
	if n := sitesNeeded(best.Code); s.sites > 0 && s.sites < n {
		say("the members are at %s; at fewer than %d the loss of one can leave a block unreadable (vdh node --domain SITE/HOST).",
			count(int64(s.sites), "site", "sites"), n)
	}
	return out
}

// ninesText writes a number of nines, and never as if it were on target when it is not.
func (s *planned) ninesText(x float64) string {
	rounded := math.Round(x*100) / 100
	if x < s.Nines-ninesSlack && rounded >= s.Nines {
		rounded = math.Floor(x*100) / 100
	}
	return strconv.FormatFloat(rounded, 'f', 2, 64)
}

// figure writes a number that may be very large or very small, with three digits of it.
func figure(x float64) string {
	switch {
	case x == 0 || x >= 999.5 && x < 1e7:
		return humanize.Comma(int64(math.Round(x)))
	case x >= 0.001 && x < 999.5:
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(x, 'e', 1, 64), "e")
	n, _ := strconv.Atoi(exp) // what FormatFloat writes is a number
	return fmt.Sprintf("%se%d", mantissa, n)
}

// amount writes a number of bytes, in the units in which flags take it.
func amount(bytes float64) string { return humanize.Bytes(uint64(min(bytes, math.MaxInt64))) }

// share writes a part of 1 in percent, to a millionth of it or, if that is more, to the last 9 of its nines.
func share(x float64) string {
	digits := 4
	if x > 0.5 && x < 1 {
		digits = max(digits, int(math.Ceil(-math.Log10(1-x)-ninesSlack))-2)
	}
	text := strconv.FormatFloat(x*100, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + " %"
}

// likelihood writes a probability in percent, and never as if it were certain.
func likelihood(x float64) string {
	switch {
	case x < 0.0001:
		return "<0.01 %"
	case x > 0.9999:
		return ">99.99 %"
	}
	return strconv.FormatFloat(x*100, 'f', 2, 64) + " %"
}

// spanText writes a time as a flag takes it.
func spanText(d time.Duration) string {
	switch {
	case d%plan.Year == 0:
		return fmt.Sprintf("%dy", d/plan.Year)
	case d%(24*time.Hour) == 0 && d > 72*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.Round(time.Second).String()
}

// planWidth is how wide the text of a plan is, in letters.
const planWidth = 100

// wrap breaks a text into lines, the first of which begins with first and the others with rest.
func wrap(text, first, rest string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		if i > 0 && len([]rune(line))+1+len([]rune(word)) > planWidth {
			b.WriteString(line + "\n")
			line = rest + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	b.WriteString(line)
	return b.String()
}
