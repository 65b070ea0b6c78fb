package years

import (
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/repair"
)

// Units of virtual time.
const (
	Day  = 24 * time.Hour
	Year = 8766 * time.Hour // 365.25 days
)

// What one run may be asked for: the bounds of memory.
const (
	maxMembers = 100_000
	maxBlocks  = 20_000_000
	maxYears   = 50
)

// A Config describes a swarm and what happens to it. The zero Config is a thousand members whose machines are there nine
// hours of ten in sessions of eight, and die after a year in the mean; 100 000 blocks; and a year of the default policy.
type Config struct {
	Seed     uint64
	Members  int           // at any time: who dies is replaced by somebody new; 0 means 1000
	Blocks   int           // all stored when time begins; 0 means 100 000
	Block    int           // bytes of a block; 0 means 1 MiB
	Duration time.Duration // that the figures are about; 0 means a year
	Warmup   time.Duration // before it, of which only lost blocks are counted

	// Code is that of all blocks; the zero Code is what the default policy gives to a swarm of so many members.
	Code dhash.Code

	Churn Churn
	// Trace, if not empty, says what happens to the members instead of Churn and Members (ParseTrace).
	Trace []Event

	Grace    time.Duration // of silence, after which a member counts as gone; 0 means 24 h, negative none at all
	Interval time.Duration // in which the sweep looks at each block once; 0 means 6 h
	Rate     int64         // bytes a second that a member reads and writes for repair, unless it is urgent; 0 means 1 MiB
	Uplink   int64         // bytes a second that it does in an urgent repair; 0 means 8 MiB

	// Lines, if not zero, says when to repair in place of repair.Decide: for comparisons.
	Lines Lines
	// Stray is how many ranks beyond Code.Total a holder may have before it hands its fragment to a closer member that
	// has none.
	Stray int
	// NoBrake leaves out the brake that stops all repair when three tenths of the members fall silent within an hour.
	NoBrake bool
	// Release is the part of the members that may still be missing when that brake is taken off; 0 means three tenths.
	Release float64
	// Oracle makes the swarm know the truth: it reacts to the death of a member at once, and to silence not at all. Of
	// such a run the bytes and lost blocks are worth something; it does not follow who can be read.
	Oracle bool

	Reads int // of random blocks, spread evenly over Duration; 0 means a million, negative none
	// Progress, if not nil, is called now and then with the virtual time that has passed, of all that there is to pass.
	Progress func(passed, all time.Duration)
}

// A Churn says how members come and go, each independently of the others but for Sites and Diurnal.
type Churn struct {
	Availability float64       // part of the time that a member is there, its Site aside; 0 means 0.9
	Session      time.Duration // mean time that it is there at a stretch; 0 means 8 h
	Shape        float64       // Weibull's, of sessions and absences; 0 means 1: exponential. Below 1 the long ones are longer
	Lifetime     time.Duration // mean time to the loss of its disk, exponential; 0 means a year, negative never
	// Diurnal is by which part, 0 to below 1, sessions are shorter and absences longer for who leaves at the worst time of
	// the day, and the other way about twelve hours later.
	Diurnal float64

	Sites      int           // that the members are spread over evenly, each member a host of its own; 0: no sites
	SiteEvery  time.Duration // mean time between outages of a site; 0 means never
	SiteOutage time.Duration // mean time of an outage; 0 means 4 h
}

// Lines are a policy that is not repair.Decide: at which number of fragments to repair what.
type Lines struct {
	Repair int // fragments held by members that are not gone, at which all missing ones are made; 0: as repair.Decide
	Urgent int // fragments present at which Repair of them are made up for at once; negative: never; 0: Code.UrgentLine
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// withDefaults returns c with all that is left out filled in.
func (c Config) withDefaults() Config {
	c.Members = or(c.Members, 1000)
	if len(c.Trace) > 0 {
		c.Members = founders(c.Trace)
	}
	c.Blocks = or(c.Blocks, 100_000)
	c.Block = or(c.Block, 1<<20)
	c.Duration = or(c.Duration, Year)
	c.Code = or(c.Code, codec.Policy{}.Code(c.Members, false))
	c.Grace = max(0, or(c.Grace, Day))
	c.Interval = or(c.Interval, 6*time.Hour)
	c.Rate = or(c.Rate, 1<<20)
	c.Uplink = or(c.Uplink, 8<<20)
	c.Release = or(c.Release, brakePart)
	c.Reads = max(0, or(c.Reads, 1_000_000))
	if c.Lines != (Lines{}) {
		c.Lines.Repair = or(c.Lines.Repair, c.Code.Threshold())
		c.Lines.Urgent = or(c.Lines.Urgent, c.Code.UrgentLine())
	}
	c.Churn.Availability = or(c.Churn.Availability, 0.9)
	c.Churn.Session = or(c.Churn.Session, 8*time.Hour)
	c.Churn.Shape = or(c.Churn.Shape, 1)
	c.Churn.Lifetime = or(c.Churn.Lifetime, Year)
	c.Churn.SiteOutage = or(c.Churn.SiteOutage, 4*time.Hour)
	return c
}

// Validate names the field that is out of its range, and the range.
func (c Config) Validate() error {
	d := c.withDefaults()
	for _, f := range []struct {
		name           string
		is, least, top float64
	}{
		{"members", float64(d.Members), 1, maxMembers},
		{"blocks", float64(d.Blocks), batches, maxBlocks},
		{"block size in bytes", float64(d.Block), 1, 4 << 20},
		{"years", float64(d.Duration) / float64(Year), 0, maxYears},
		{"warm-up in years", float64(d.Warmup) / float64(Year), 0, maxYears},
		{"interval in hours", d.Interval.Hours(), 1. / 60, 8766},
		{"rate in bytes a second", float64(d.Rate), 1, 1 << 40},
		{"uplink in bytes a second", float64(d.Uplink), 1, 1 << 40},
		{"reads", float64(d.Reads), 0, 1 << 40},
		{"availability", d.Churn.Availability, 0.01, 1},
		{"session in minutes", d.Churn.Session.Minutes(), 1, 1e9},
		{"shape", d.Churn.Shape, 0.2, 10},
		{"diurnal", d.Churn.Diurnal, 0, 0.99},
		{"sites", float64(d.Churn.Sites), 0, float64(d.Members)},
		{"time between outages of a site in hours", d.Churn.SiteEvery.Hours(), 0, 1e9},
		{"outage of a site in minutes", d.Churn.SiteOutage.Minutes(), 1, 1e9},
		{"repair line", float64(d.Lines.Repair), 0, float64(d.Code.Total - 1)},
		{"urgent line", float64(d.Lines.Urgent), -1e9, float64(d.Code.Total - 1)},
		{"release", d.Release, 0, brakePart},
		{"ranks to stray", float64(d.Stray), 0, dhash.MaxTotal},
	} {
		if !(f.is >= f.least && f.is <= f.top) {
			return fmt.Errorf("simulation: %s: %g, want %g to %g", f.name, f.is, f.least, f.top)
		}
	}
	if err := d.Code.Validate(); err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	if d.Code.Total > d.Members {
		return fmt.Errorf("simulation: code %s needs %d members when time begins, there are %d", d.Code, d.Code.Total, d.Members)
	}
	if d.Churn.Lifetime > 0 && d.Churn.Lifetime < time.Hour {
		return fmt.Errorf("simulation: lifetime %v, want an hour or more", d.Churn.Lifetime)
	}
	return nil
}

// decide returns what the policy does about a block, always as the closest holder that answers.
func (c *Config) decide(present, absent int) (repair.Action, int) {
	if c.Lines == (Lines{}) {
		return repair.Decide(repair.View{Code: c.Code, Present: present, Absent: absent, Claimed: true}, dhash.Code{}, 0)
	}
	total := c.Code.Total
	act, count := repair.Nothing, 0
	switch {
	case present <= c.Lines.Urgent:
		act, count = repair.Urgent, max(max(c.Lines.Repair, c.Lines.Urgent+1)-present, total-present-absent)
	case present+absent <= c.Lines.Repair:
		act, count = repair.Mend, total-present-absent
	}
	if act != repair.Nothing && present < c.Code.Need {
		return repair.Wait, 0
	}
	return act, count
}
