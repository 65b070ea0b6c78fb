package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ventidhash/venti"
)

// Find returns the snapshot in the list that name means, and the path inside it that the name ends in, if any. A full
// score that the list does not have is no error, for it may name a root all the same: the Snapshot then has its Score
// only, and Listed is false. Other names that fit none are ErrNoSnapshot, a prefix that fits several is ErrAmbiguous;
// a name that cannot be read is neither.
func Find(list []Snapshot, name string) (Snapshot, string, error) {
	n, err := ParseName(name)
	if err != nil {
		return Snapshot{}, "", err
	}
	return n.Find(list)
}

// Find is the function Find for a name that has been read. A capability in it plays no part.
func (n Name) Find(list []Snapshot) (Snapshot, string, error) {
	find := n.byScore
	switch {
	case n.Latest:
		find = n.byTime
	case n.Prefix != "":
		find = n.byPrefix
	}
	s, err := find(list)
	if err != nil {
		return Snapshot{}, "", err
	}
	return s, n.SubPath, nil
}

func (n Name) byScore(list []Snapshot) (Snapshot, error) {
	i := slices.IndexFunc(list, func(s Snapshot) bool { return s.Score == n.Score })
	if i < 0 {
		return Snapshot{Score: n.Score}, nil
	}
	return list[i], nil
}

// shownCandidates bounds how many snapshots the error of an ambiguous prefix shows.
const shownCandidates = 10

func (n Name) byPrefix(list []Snapshot) (Snapshot, error) {
	var fit []Snapshot
	seen := map[venti.Score]bool{}
	for _, s := range list {
		if strings.HasPrefix(s.Score.String(), n.Prefix) && !seen[s.Score] {
			seen[s.Score] = true
			fit = append(fit, s)
		}
	}
	switch len(fit) {
	case 0:
		return Snapshot{}, fmt.Errorf("%w: none begins with %s", ErrNoSnapshot, n.Prefix)
	case 1:
		return fit[0], nil
	}
	var b strings.Builder
	slices.SortFunc(fit, Compare)
	for i, s := range fit {
		if i == shownCandidates {
			fmt.Fprintf(&b, "\n\tand %d more", len(fit)-i)
			break
		}
		fmt.Fprintf(&b, "\n\tvac:%s  %s  %.60q", s.Score, s.Time.UTC().Format(time.DateTime), s.Host)
		for _, p := range s.Paths[:min(3, len(s.Paths))] {
			fmt.Fprintf(&b, " %.80q", p)
		}
	}
	return Snapshot{}, fmt.Errorf("%w: %d begin with %s:%s", ErrAmbiguous, len(fit), n.Prefix, b.String())
}

func (n Name) byTime(list []Snapshot) (Snapshot, error) {
	s, ok := newest(list, func(s Snapshot) bool {
		return (n.Host == "" || s.Host == n.Host) &&
			(n.Path == "" || slices.ContainsFunc(s.Paths, func(p string) bool { return contains(p, n.Path) }))
	})
	if ok {
		return s, nil
	}
	what := "there is none yet"
	switch {
	case n.Path != "" && n.Host != "":
		what = fmt.Sprintf("none of host %q has %q in it", n.Host, n.Path)
	case n.Path != "":
		what = fmt.Sprintf("none has %q in it", n.Path)
	case n.Host != "":
		what = fmt.Sprintf("none is of host %q", n.Host)
	}
	return Snapshot{}, fmt.Errorf("%w: %s", ErrNoSnapshot, what)
}

// contains reports whether p is q or a directory above it.
func contains(p, q string) bool {
	p = strings.TrimRight(p, "/")
	return q == p || strings.HasPrefix(q, p+"/")
}
