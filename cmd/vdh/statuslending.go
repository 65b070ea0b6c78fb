package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"ventidhash/dhash/lenders"
	"ventidhash/dhash/node"
)

// borrowed is what the members of a swarm hold for the identity of this machine, as they said when they were last heard.
type borrowed struct {
	Members   int       `json:"members"`
	Fragments int64     `json:"fragments"`
	Bytes     int64     `json:"bytes"`
	AsOf      time.Time `json:"as_of"` // of the oldest of those words
	Kept      time.Time `json:"kept"`  // until when all of it is kept without another heartbeat
}

// uses returns what members hold for the identity of this machine, nil if none was heard of.
func (a *app) uses() (*borrowed, error) {
	if a.owner == nil {
		return nil, nil
	}
	dir, err := swarmDir()
	if err != nil {
		return nil, err
	}
	list, err := lenders.Read(location{swarm: true, dir: dir}.notes(a.owner))
	if err != nil {
		return nil, err
	}
	var u borrowed
	for _, l := range list {
		if l.Claims == 0 {
			continue
		}
		u.Members++
		u.Fragments += l.Claims
		u.Bytes += l.Bytes
		if u.AsOf.IsZero() || l.Heard.Before(u.AsOf) {
			u.AsOf = l.Heard
		}
		if u.Kept.IsZero() || l.Kept.Before(u.Kept) {
			u.Kept = l.Kept
		}
	}
	if u.Members == 0 {
		return nil, nil
	}
	return &u, nil
}

func printUses(w io.Writer, u *borrowed) {
	if u != nil {
		fmt.Fprintf(w, "  I use\t%s on %s, as of %s; kept until %s without another backup\n", size(u.Bytes),
			count(int64(u.Members), "member", "members"), humanize.Time(u.AsOf), u.Kept.Local().Format(time.DateOnly))
	}
}

// lentShown is how many owners are listed for people, those who have the most.
const lentShown = 12

func printLent(w io.Writer, list []node.LentInfo) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b node.LentInfo) int { return int(min(1, max(-1, b.Bytes-a.Bytes))) })
	for i, l := range list {
		if i == lentShown {
			fmt.Fprintf(w, "  \tand to %s more\n", count(int64(len(list)-i), "owner", "owners"))
			break
		}
		heard := "no heartbeat yet"
		if !l.Heartbeat.IsZero() {
			heard = "heard " + humanize.Time(l.Heartbeat)
		}
		if l.State != "active" {
			heard += ", " + l.State
		}
		if l.Waiting > 0 {
			heard += ", " + count(int64(l.Waiting), "statement waits", "statements wait") + " for a second word"
		}
		name := "  to owner"
		if i > 0 {
			name = "  "
		}
		fmt.Fprintf(w, "%s\t%.8s, %s in %s, %s\n", name, l.Owner, size(l.Bytes), count(l.Fragments, "fragment", "fragments"), heard)
	}
}
