package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
)

// A standing is what decides whether the files of this machine are protected.
type standing struct {
	now     time.Time
	maxAge  time.Duration // that the newest snapshot of a path may have which no job is about
	rhythms []rhythm
	sources []source
	proof   *lastProof // the newest of any snapshot in this store; nil without one

	// Of a swarm. blind says why nothing is known of it.
	swarm bool
	blind error
	*node.Status
	kept time.Time // until when members keep what they hold without another heartbeat; zero if none was heard
}

// A source is a path that is backed up regularly, and its newest snapshot.
type source struct {
	path       string
	newest     time.Time // zero without a snapshot
	unreadable uint64
}

// A rhythm is how often a job backs paths up.
type rhythm struct {
	paths  []string
	maxAge time.Duration // that their newest snapshots may have
}

// rhythmsOf returns those of the jobs of a store that run by themselves.
func rhythmsOf(jobs []*job, store string, now time.Time) (out []rhythm) {
	of := &job{Store: store}
	for _, j := range jobs {
		if j.calendar != nil && j.sameStore(of) && j.host() == archive.Hostname() {
			out = append(out, rhythm{j.Paths, j.calendar.gap(now) + lateBy})
		}
	}
	return out
}

// limit returns how old the newest snapshot of a path may be.
func (s *standing) limit(path string) time.Duration {
	limit := time.Duration(0)
	for _, r := range s.rhythms {
		covers := slices.ContainsFunc(r.paths, func(p string) bool { return archive.Within(path, p) })
		if covers && (limit == 0 || r.maxAge < limit) {
			limit = r.maxAge
		}
	}
	return cmp.Or(limit, s.maxAge)
}

// clockSlack is how far in the future a snapshot may be before its time is not believed.
const clockSlack = time.Hour

// sourcesOf returns the paths of a host that are to be looked at: those that are named, or else those that were backed up
// twice or more, and those of the newest snapshot. A path that lies in another one is no source of its own. Shares do not
// count, nor do other hosts, unless there is nothing of this one. The paths of jobs that run by themselves count from the start.
func sourcesOf(list []snapshot.Snapshot, host string, named []string, jobs []rhythm) []source {
	other := func(s snapshot.Snapshot) bool { return s.Share || s.Host != host }
	own := slices.DeleteFunc(slices.Clone(list), other)
	if len(own) == 0 {
		own = slices.DeleteFunc(slices.Clone(list), func(s snapshot.Snapshot) bool { return s.Share })
	}
	slices.SortFunc(own, snapshot.Compare)
	paths := slices.Clone(named)
	if len(named) == 0 {
		for _, r := range jobs {
			paths = append(paths, r.paths...)
		}
		times := map[string]int{}
		for i, s := range own {
			for _, p := range s.Paths {
				if times[p]++; times[p] == 2 || times[p] == 1 && i == len(own)-1 {
					paths = append(paths, p)
				}
			}
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	var out []source
	for _, p := range paths {
		inside := func(q string) bool { return q != p && archive.Within(p, q) }
		if len(named) == 0 && slices.ContainsFunc(paths, inside) {
			continue
		}
		src := source{path: p}
		for _, s := range own {
			if slices.ContainsFunc(s.Paths, func(q string) bool { return archive.Within(p, q) }) {
				src.newest, src.unreadable = s.Time, s.Incomplete
			}
		}
		out = append(out, src)
	}
	return out
}

// A fact is a part of a sentence, and whether it is a reason for alarm.
type fact struct {
	text string
	bad  bool
}

// judge says whether the files are protected, and why or why not.
func (s *standing) judge() (protected bool, because string) {
	facts := s.ages()
	if f := s.proven(); len(s.sources) > 0 && f.text != "" {
		facts = append(facts, f)
	}
	if s.swarm {
		facts = append(facts, s.members()...)
	}
	var good, bad []string
	for _, f := range facts {
		if f.bad {
			bad = append(bad, f.text)
		} else {
			good = append(good, f.text)
		}
	}
	if len(bad) > 0 {
		return false, strings.Join(bad, ", ")
	}
	return true, strings.Join(good, ", ")
}

// sentence says it for people.
func sentence(protected bool, because string) string {
	if protected {
		return "Protected: " + because + "."
	}
	return "NOT protected: " + because + "."
}

// ages says how old the newest snapshots are.
func (s *standing) ages() []fact {
	if len(s.sources) == 0 {
		return []fact{{"there is no snapshot yet", true}}
	}
	var none, future, late, fresh []source
	unreadable := uint64(0)
	for _, src := range s.sources {
		age := s.now.Sub(src.newest)
		unreadable += src.unreadable
		switch {
		case src.newest.IsZero():
			none = append(none, src)
		case age < -clockSlack:
			future = append(future, src)
		case age > s.limit(src.path):
			late = append(late, src)
		default:
			fresh = append(fresh, src)
		}
	}
	var out []fact
	if len(none) > 0 {
		out = append(out, fact{"there is no snapshot of " + namesOf(none), true})
	}
	if len(future) > 0 {
		out = append(out, fact{"the last snapshot of " + namesOf(future) + " is dated in the future (is the clock right?)", true})
	}
	for _, group := range []struct {
		list []source
		bad  bool
	}{{late, true}, {fresh, false}} {
		if len(group.list) == 0 {
			continue
		}
		oldest := slices.MinFunc(group.list, func(a, b source) int { return a.newest.Compare(b.newest) })
		text := fmt.Sprintf("the last snapshot of %s is %s old", namesOf(group.list), ageText(s.now.Sub(oldest.newest)))
		if len(group.list) > 1 {
			text = fmt.Sprintf("the last snapshots of %s are up to %s old", namesOf(group.list), ageText(s.now.Sub(oldest.newest)))
		}
		out = append(out, fact{text, group.bad})
	}
	if unreadable > 0 {
		out = append(out, fact{count(int64(unreadable), "file", "files") + " could not be read for it", false})
	}
	return out
}

// proven says what the last check found.
func (s *standing) proven() fact {
	p := s.proof
	switch {
	case p == nil && s.swarm:
		return fact{"its blocks were not proven yet (vdh check)", false}
	case p == nil:
		return fact{"its contents were not checked yet (vdh check --read-data)", false}
	case p.above < 0:
		return fact{"the last check found damage or could not prove every block, " + ago(s.now, p.at), true}
	case !s.swarm:
		return fact{"all contents were read and found right " + ago(s.now, p.at), false}
	case p.above == 0:
		return fact{"the weakest block had no fragment more than it needs " + ago(s.now, p.at), true}
	}
	return fact{fmt.Sprintf("every block had at least %s more than it needs %s",
		count(int64(p.above), "fragment", "fragments"), ago(s.now, p.at)), false}
}

// members says how the swarm stands.
func (s *standing) members() []fact {
	if s.blind != nil || s.Status == nil {
		return []fact{{"no member of the swarm can be reached", true}}
	}
	var out []fact
	answer := fmt.Sprintf("%d of %s %s", s.Alive, count(int64(s.Members), "member", "members"), plural(s.Alive, "answers", "answer"))
	need := 1
	if c, err := dhash.ParseCode(s.Code); err == nil {
		need = c.Need
	}
	switch {
	case s.Members < 2:
		out = append(out, fact{"this machine is the only member of the swarm", true})
	case s.Alive < need:
		out = append(out, fact{fmt.Sprintf("%s, and a block needs %d", answer, need), true})
	default:
		out = append(out, fact{answer, false})
	}
	if s.Repair < s.Target-ninesSlack {
		out = append(out, fact{fmt.Sprintf("a new block has %.2f nines at least, below the target of %g", s.Repair, s.Target), false})
	}
	if !s.kept.IsZero() && s.kept.Before(s.now) {
		out = append(out, fact{"members keep what they hold for this identity only with another backup", true})
	}
	return out
}

// namesShown is how many paths a sentence names.
const namesShown = 3

// namesOf names sources in a sentence.
func namesOf(list []source) string {
	var names []string
	for i, s := range list {
		if i == namesShown-1 && len(list) > namesShown {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(list)-i)
		}
		names = append(names, printable(s.path))
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// ageText writes an age in the largest unit of which there are two.
func ageText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return count(int64(d/time.Minute), "minute", "minutes")
	case d < 2*day:
		return count(int64(d/time.Hour), "hour", "hours")
	}
	return count(int64(d/day), "day", "days")
}

// ago says when something was.
func ago(now, t time.Time) string { return ageText(max(0, now.Sub(t))) + " ago" }
