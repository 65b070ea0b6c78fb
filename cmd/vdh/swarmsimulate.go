package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"ventidhash/dhash"
	"ventidhash/dhash/sim/years"
)

// simulateMemory is what the garbage collector aims to stay under in a simulation, in bytes: ten thousand members and a
// million blocks take a third of it.
const simulateMemory = 1 << 30

// simulateFlags are the flags that are no fields of a years.Config as they are.
type simulateFlags struct {
	years    float64
	code     string
	trace    string
	noOracle bool
}

func newSimulate(a *app) *cobra.Command {
	var (
		f   simulateFlags
		cfg years.Config
	)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "simulate years of a swarm, and say what of its blocks could be read",
		Long: `Simulates a swarm for years, with members that come and go, and some that never come back, in
minutes and without a network. What is repaired when, and who holds what, is decided by the same
code as in a node. It says for what part of the time blocks could not be read, how many were lost,
and what repair took, also compared with an oracle that knows of each silence whether it is a death.

--availability is how likely a member is there, for a --session in the mean. --lifetime is the mean
time until its disk is lost; somebody new takes its place. A member that was silent for --grace
counts as gone, and blocks are looked at once an --interval. Members may be at --sites, which go dark
as a whole. Times are like 90m, 8h, 2d, 1w or 1y, and bytes like 64K, 1M or 2MiB.

Instead of all this, --trace FILE says what happened to the members: the line time,member,event and
then one for each event, with whole seconds from the beginning, a name, and up, down or dead.

The rules are changed by --code, --repair-at, --urgent-at, --grace and so on, so that a swarm of 8
copies, or one that repairs at the last moment, can be seen too.

The same flags and --seed give the same result. Ctrl-C stops and prints what there is, with exit code
130; the figures are then about less time.

With --json, one line of "type":"simulation" with code, members, blocks, days, complete,
unavailability, unavailability_low, unavailability_high (95 %), nines, reads, failed_reads,
read_bound (95 %), most_unreadable, unreadable_spells, lost, deaths, joins, returned, mended, urgent,
aborted, braked, bytes (mend_read, mend_written, urgent_read, urgent_written, hand_off),
bytes_per_member_day, oracle_bytes, oracle_ratio (of repair), oracle_ratio_all (with hand-off),
held_mean, held_max (fragments), traffic_mean, traffic_max (bytes a day), margin_least, margin (how
often margin_least, and one more each, fragments were present beyond those needed) and seconds.`,
		Example: `  vdh swarm simulate
  vdh swarm simulate --members 60 --blocks 20000 --years 3 --availability 0.8
  vdh swarm simulate --code 7/14 --repair-at 13 --urgent-at -1
  vdh swarm simulate --sites 10 --site-every 60d --site-outage 6h
  vdh swarm simulate --trace outage.csv --years 0.1 --json | jq .most_unreadable`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.trace != "" && cmd.Flags().Changed("members") {
				return usage{errors.New("give either --members or --trace, which says who they are")}
			}
			if err := f.fill(&cfg); err != nil {
				return err
			}
			return a.simulate(cmd.Context(), cfg, !f.noOracle)
		},
	}
	simulateOptions(cmd, &f, &cfg)
	return cmd
}

// simulateOptions declares the flags.
func simulateOptions(cmd *cobra.Command, f *simulateFlags, cfg *years.Config) {
	l := cmd.Flags()
	l.SortFlags = false
	span := func(to *time.Duration, name, value, what string) {
		if value != "" {
			*to, _ = readSpan(value)
		}
		l.Var((*spanFlag)(to), name, what)
	}
	amount := func(to *int64, name, value, what string) {
		n, _ := humanize.ParseBytes(value)
		*to = int64(n)
		l.Var((*bytesFlag)(to), name, what)
	}
	l.IntVar(&cfg.Members, "members", 1000, "members at any time")
	l.IntVar(&cfg.Blocks, "blocks", 100_000, "blocks")
	l.IntVar(&cfg.Block, "block-size", 1<<20, "bytes of a block")
	l.Float64Var(&f.years, "years", 1, "years that the figures are about")
	span(&cfg.Warmup, "warmup", "", "time before them, in which repair reaches its stride")
	l.Float64Var(&cfg.Churn.Availability, "availability", 0.9, "how likely a member is there, 0.01 to 1")
	span(&cfg.Churn.Session, "session", "8h", "mean time for which a member is there at a stretch")
	l.Float64Var(&cfg.Churn.Shape, "shape", 1, "Weibull shape of sessions and absences; below 1 the long ones are longer")
	span(&cfg.Churn.Lifetime, "lifetime", "1y", "mean time until a member's disk is lost; 0s is never")
	l.Float64Var(&cfg.Churn.Diurnal, "diurnal", 0, "by what part sessions are shorter at the worst time of the day, 0 to 0.99")
	l.IntVar(&cfg.Churn.Sites, "sites", 0, "sites that the members are at; 0 is one each")
	span(&cfg.Churn.SiteEvery, "site-every", "", "mean time between outages of a site; 0s is never")
	span(&cfg.Churn.SiteOutage, "site-outage", "4h", "mean time of an outage of a site")
	l.StringVar(&f.trace, "trace", "", "`file` that says what happens to the members")
	l.StringVar(&f.code, "code", "", "`NEED/TOTAL` (default what five nines ask for, 8/20 from 20 members on)")
	span(&cfg.Grace, "grace", "24h", "time of silence after which a member counts as gone")
	span(&cfg.Interval, "interval", "6h", "time in which each block is looked at once")
	l.IntVar(&cfg.Lines.Repair, "repair-at", 0, "make what is missing where so `many` fragments are left (default as a node)")
	l.IntVar(&cfg.Lines.Urgent, "urgent-at", 0, "do so at once where so `many` answer, -1 never (default as a node)")
	l.IntVar(&cfg.Stray, "stray", 0, "ranks beyond TOTAL at which a holder keeps its fragment")
	l.BoolVar(&cfg.NoBrake, "no-brake", false, "repair also when three tenths of the members vanish at once")
	l.Float64Var(&cfg.Release, "release", 0.3, "part of the members that may be missing when that brake comes off")
	amount(&cfg.Rate, "rate", "1MiB", "bytes a second that a member spends on repair")
	amount(&cfg.Uplink, "uplink", "8MiB", "bytes a second that it spends on an urgent one")
	l.IntVar(&cfg.Reads, "reads", 1_000_000, "random reads, spread over the time")
	l.Uint64Var(&cfg.Seed, "seed", 1, "the same seed gives the same events")
	l.BoolVar(&f.noOracle, "no-oracle", false, "do without the comparison, which takes half the time")
}

// fill puts what is not a flag as it is into cfg.
func (f *simulateFlags) fill(cfg *years.Config) error {
	if !(f.years > 0 && f.years <= 50) {
		return usage{fmt.Errorf("--years %g: want more than 0, at most 50", f.years)}
	}
	cfg.Duration = time.Duration(f.years * float64(years.Year))
	// Where a flag says 0, a Config takes the default, or wants to hear that 0 is meant.
	for name, zero := range map[string]bool{
		"members": cfg.Members == 0 && f.trace == "", "blocks": cfg.Blocks == 0, "block-size": cfg.Block == 0,
		"availability": cfg.Churn.Availability == 0, "session": cfg.Churn.Session == 0, "shape": cfg.Churn.Shape == 0,
		"interval": cfg.Interval == 0, "site-outage": cfg.Churn.SiteOutage == 0, "release": cfg.Release == 0,
	} {
		if zero {
			return usage{fmt.Errorf("--%s: want more than 0", name)}
		}
	}
	never := func(d *time.Duration) {
		if *d == 0 {
			*d = -1
		}
	}
	never(&cfg.Grace)
	never(&cfg.Churn.Lifetime)
	if cfg.Reads == 0 {
		cfg.Reads = -1
	}
	if f.code != "" {
		c, err := dhash.ParseCode(f.code)
		if err != nil {
			return usage{fmt.Errorf("--code: %w", err)}
		}
		cfg.Code = c
	}
	if f.trace != "" {
		file, err := os.Open(f.trace)
		if err != nil {
			return err
		}
		defer file.Close()
		if cfg.Trace, err = years.ParseTrace(file); err != nil {
			return fmt.Errorf("%s: %w", printable(f.trace), err)
		}
	}
	if err := cfg.Validate(); err != nil {
		return usage{err}
	}
	return nil
}

// simulate runs the simulation, and then the oracle's, and prints what came out, also if it was stopped.
func (a *app) simulate(ctx context.Context, cfg years.Config, oracle bool) error {
	limitMemory(simulateMemory)
	begin := time.Now()
	type progress struct {
		what        string
		passed, all time.Duration
	}
	var last tallyOf[progress]
	stop := a.watch(ctx, "simulate", 0, func() tally {
		p := last.load()
		return tally{what: fmt.Sprintf("%s%.0f of %.0f days", p.what, p.passed.Hours()/24, p.all.Hours()/24)}
	})
	told := func(what string) func(passed, all time.Duration) {
		return func(passed, all time.Duration) { last.store(progress{what, passed, all}) }
	}
	cfg.Progress = told("")
	s := simulated{cfg: cfg}
	var err error
	s.res, err = years.Run(ctx, cfg)
	s.complete = err == nil
	if err == nil && oracle {
		cfg.Oracle, cfg.Progress = true, told("the oracle, ")
		var res years.Result
		if res, err = years.Run(ctx, cfg); err == nil {
			s.oracle = &res.Bytes
		}
	}
	stop()
	s.took = time.Since(begin)
	if err != nil && ctx.Err() == nil {
		return err
	}
	return errors.Join(a.printSimulated(&s), err)
}
