package retain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
)

// A Verdict is what becomes of a snapshot.
type Verdict struct {
	Snapshot snapshot.Snapshot
	Keep     bool
	Why      []string // it is kept, for people; empty if it is not
}

// A Group is the snapshots of one host and list of paths, the newest first.
type Group struct {
	Host     string
	Paths    []string // sorted
	Verdicts []Verdict
}

// Plan decides about each snapshot of the list, which it leaves as it is. The groups come in the order of hosts and
// paths. An error is one of Policy.Validate.
func Plan(now time.Time, list []snapshot.Snapshot, p Policy) ([]Group, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	groups := groupsOf(list)
	for i := range groups {
		decide(now, groups[i].Verdicts, p)
	}
	return groups, nil
}

// Drop returns the snapshots that a plan does not keep, the newest of each group first.
func Drop(groups []Group) (drop []snapshot.Snapshot) {
	for _, g := range groups {
		for _, v := range g.Verdicts {
			if !v.Keep {
				drop = append(drop, v.Snapshot)
			}
		}
	}
	return drop
}

// groupsOf sorts a list into groups.
func groupsOf(list []snapshot.Snapshot) (groups []Group) {
	find := func(s snapshot.Snapshot) int {
		paths := slices.Sorted(slices.Values(s.Paths))
		i, ok := slices.BinarySearchFunc(groups, s, func(g Group, s snapshot.Snapshot) int {
			return cmp.Or(strings.Compare(g.Host, s.Host), slices.Compare(g.Paths, paths))
		})
		if !ok {
			groups = slices.Insert(groups, i, Group{Host: s.Host, Paths: paths})
		}
		return i
	}
	for _, s := range list {
		g := &groups[find(s)]
		g.Verdicts = append(g.Verdicts, Verdict{Snapshot: s})
	}
	for _, g := range groups {
		slices.SortFunc(g.Verdicts, func(a, b Verdict) int { return snapshot.Compare(b.Snapshot, a.Snapshot) })
	}
	return groups
}

// decide gives the verdicts on one group, the newest first.
func decide(now time.Time, all []Verdict, p Policy) {
	var counted []*Verdict
	for i := range all {
		v := &all[i]
		switch s := v.Snapshot; {
		case !s.Listed():
			v.keep("has no time")
		case s.Share:
			v.keep("share")
		case s.Time.After(now):
			v.keep("from the future")
		default:
			counted = append(counted, v)
		}
	}
	if len(counted) == 0 {
		return
	}
	counted[0].keep("newest")
	whole := func(v *Verdict) bool { return v.Snapshot.Incomplete == 0 }
	if i := slices.IndexFunc(counted, whole); i > 0 {
		counted[i].keep("newest that lacks nothing")
	}
	since := p.Within.Before(counted[0].Snapshot.Time.In(p.zone()))
	for _, v := range counted {
		if p.Within != (Span{}) && v.Snapshot.Time.After(since) {
			v.keep("within " + p.Within.String())
		}
		for _, tag := range p.Tags {
			if slices.Contains(v.Snapshot.Tags, tag) {
				v.keep(fmt.Sprintf("tag %q", tag))
			}
		}
	}
	for _, r := range p.rules() {
		r.apply(counted, p.zone())
	}
}

// apply keeps what a rule keeps.
func (r rule) apply(counted []*Verdict, zone *time.Location) {
	seen := map[slot]bool{}
	for place, v := range counted {
		if r.count != All && len(seen) >= r.count {
			return
		}
		of := r.of(v.Snapshot.Time.In(zone), place)
		switch {
		case !seen[of]:
			seen[of] = true
			v.keep(r.name)
		case place == len(counted)-1:
			v.keep("oldest " + r.name)
		}
	}
}

func (v *Verdict) keep(why string) {
	v.Keep = true
	v.Why = append(v.Why, why)
}
