package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"ventidhash/snapshot"
	"ventidhash/snapshot/retain"
)

// keepFlags are what the words of a command, or of a job, say about what to keep.
type keepFlags struct {
	last, hourly, daily, weekly, monthly, yearly keepCount
	within                                       string
	tags                                         []string
}

// A keepCount is a flag that is a number of snapshots, or all of them.
type keepCount int

// String implements pflag.Value.
func (k *keepCount) String() string {
	if *k == retain.All {
		return "all"
	}
	return strconv.Itoa(int(*k))
}

// Type implements pflag.Value.
func (*keepCount) Type() string { return "n" }

// Set implements pflag.Value.
func (k *keepCount) Set(text string) error {
	if text == "all" || text == "unlimited" || text == "-1" { // as restic writes it
		*k = retain.All
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n > math.MaxInt32 {
		return errors.New("want a number, or all")
	}
	*k = keepCount(n)
	return nil
}

// counts returns the numbers by the word behind --keep-.
func (f *keepFlags) counts() []struct {
	word string
	n    *keepCount
	why  string
} {
	return []struct {
		word string
		n    *keepCount
		why  string
	}{
		{"last", &f.last, "keep the last n snapshots"},
		{"hourly", &f.hourly, "keep the newest of each of the last n hours that have one"},
		{"daily", &f.daily, "the same of days"},
		{"weekly", &f.weekly, "the same of weeks"},
		{"monthly", &f.monthly, "the same of months"},
		{"yearly", &f.yearly, "the same of years"},
	}
}

func (f *keepFlags) add(l *pflag.FlagSet) {
	for _, c := range f.counts() {
		l.Var(c.n, "keep-"+c.word, c.why)
	}
	l.StringVar(&f.within, "keep-within", "", "keep what is younger than this before the newest, like 1y6m, 2w or 36h")
	l.StringArrayVar(&f.tags, "keep-tag", nil, "keep what has this tag")
}

// policyFlags returns the names of the flags that make a policy, and of those that say what it is about.
func policyFlags(l *pflag.FlagSet) (names []string) {
	l.VisitAll(func(f *pflag.Flag) {
		if strings.HasPrefix(f.Name, "keep-") || f.Name == "host" || f.Name == "path" || f.Name == "tag" {
			names = append(names, f.Name)
		}
	})
	return names
}

// policy returns the policy. Its zone is that of this machine.
func (f *keepFlags) policy() (p retain.Policy, err error) {
	p = retain.Policy{Last: int(f.last), Hourly: int(f.hourly), Daily: int(f.daily), Weekly: int(f.weekly), Monthly: int(f.monthly),
		Yearly: int(f.yearly), Tags: f.tags, Zone: time.Local}
	if f.within != "" {
		if p.Within, err = retain.ParseSpan(f.within); err != nil {
			return p, fmt.Errorf("keep-within: %w", err)
		}
	}
	return p, p.Validate()
}

// keptLine is the JSON line of a snapshot that a policy keeps.
type keptLine struct {
	snapshotLine
	Why []string `json:"why"`
}

// printVerdicts prints what becomes of each snapshot as JSON.
func (a *app) printVerdicts(f *forgetting) error {
	if f.policy == nil {
		for _, s := range f.gone {
			if err := a.print(lineOf("forgotten", s)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, g := range f.groups {
		for _, v := range g.Verdicts {
			var line any = lineOf("forgotten", v.Snapshot)
			if v.Keep {
				line = keptLine{lineOf("kept", v.Snapshot), v.Why}
			}
			if err := a.print(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// explainKept says of each snapshot whether a policy keeps it, and why.
func (a *app) explainKept(groups []retain.Group) error {
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintf(a.out, "%s %s\n", printable(g.Host), showPaths(g.Paths))
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		drop := 0
		for _, v := range g.Verdicts {
			what, why := "keep", strings.Join(v.Why, ", ")
			if !v.Keep {
				what, drop = "forget", drop+1
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", what, v.Snapshot.Score.Short(), localTime(v.Snapshot.Time), why)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "  %d kept, %d forgotten\n", len(g.Verdicts)-drop, drop)
	}
	return nil
}

// ofJob returns what fits the snapshots that a job makes: those of its host and of exactly its paths.
func ofJob(host string, paths []string) func(snapshot.Snapshot) bool {
	return func(s snapshot.Snapshot) bool {
		_, ok := snapshot.Parent([]snapshot.Snapshot{s}, host, paths)
		return ok
	}
}
