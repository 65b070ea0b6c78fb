package retain

import (
	"errors"
	"fmt"
	"time"
)

// All is the number of a rule that keeps one of every hour, day and so on.
const All = -1

// ErrNoRule says that a policy has no rule. By it nothing would be kept, which nobody means.
var ErrNoRule = errors.New("the policy has no rule, so that nothing says what to keep")

// A Policy says what to keep. A number of zero is no rule.
type Policy struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly int

	Within Span     // before the newest of the group; zero is no rule
	Tags   []string // each keeps what has it

	Zone *time.Location // whose hours, days, weeks, months and years; nil is UTC
}

// IsZero reports whether the policy has no rule.
func (p Policy) IsZero() bool {
	for _, r := range p.rules() {
		if r.count != 0 {
			return false
		}
	}
	return p.Within == Span{} && len(p.Tags) == 0
}

// Validate returns an error that names the rule that cannot be, or ErrNoRule.
func (p Policy) Validate() error {
	for _, r := range p.rules() {
		if r.count < All {
			return fmt.Errorf("keep-%s is %d: want a number of snapshots, or %d for all", r.name, r.count, All)
		}
	}
	if err := p.Within.validate(); err != nil {
		return err
	}
	if p.IsZero() {
		return ErrNoRule
	}
	return nil
}

// zone returns the zone of the calendar.
func (p Policy) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

// A slot is an hour, day, week, month or year of a calendar: two times in the same one have the same slot. For Last,
// which has none, it is the place in the list.
type slot [5]int

// A rule keeps the newest snapshot of each of some slots.
type rule struct {
	name  string
	count int
	of    func(t time.Time, place int) slot
}

// rules returns the rules of a policy that count.
func (p Policy) rules() []rule {
	return []rule{
		{"last", p.Last, func(_ time.Time, place int) slot { return slot{place} }},
		{"hourly", p.Hourly, func(t time.Time, _ int) slot {
			_, offset := t.Zone() // the hour that comes twice has two
			return slot{t.Year(), int(t.Month()), t.Day(), t.Hour(), offset}
		}},
		{"daily", p.Daily, func(t time.Time, _ int) slot { return slot{t.Year(), int(t.Month()), t.Day()} }},
		{"weekly", p.Weekly, func(t time.Time, _ int) slot {
			year, week := t.ISOWeek()
			return slot{year, week}
		}},
		{"monthly", p.Monthly, func(t time.Time, _ int) slot { return slot{t.Year(), int(t.Month())} }},
		{"yearly", p.Yearly, func(t time.Time, _ int) slot { return slot{t.Year()} }},
	}
}
