package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/venti"
)

// snapshotFilter says which snapshots are meant: of the values of each flag, one has to fit.
type snapshotFilter struct{ hosts, paths, tags []string }

func (f *snapshotFilter) fits(s snapshot.Snapshot) bool {
	has := func(path string) bool {
		return slices.ContainsFunc(s.Paths, func(p string) bool { return archive.Within(path, p) })
	}
	return (len(f.hosts) == 0 || slices.Contains(f.hosts, s.Host)) &&
		(len(f.paths) == 0 || slices.ContainsFunc(f.paths, has)) &&
		(len(f.tags) == 0 || slices.ContainsFunc(f.tags, func(t string) bool { return slices.Contains(s.Tags, t) }))
}

func newSnapshots(a *app) *cobra.Command {
	var f snapshotFilter
	var all bool
	cmd := &cobra.Command{
		Use:   "snapshots [NAME...]",
		Short: "list the snapshots",
		Long: `Lists the snapshots in the catalog, the oldest first. FILES counts what is no directory, SIZE is
the sum of the files' sizes, ADDED what the store grew by. (share) marks what vdh share made, and
(N unreadable) says that files are missing in the snapshot. The list needs no access to the blocks.
In a swarm the members are first asked, for five seconds at most, what other machines of this
identity have put on the list and taken off it.

A flag that is given several times means any of its values.

With --all the whole store is searched for snapshots, which takes long where it is large: those that
no list names, because they were forgotten, or because the list was lost, are marked (not listed).
vdh restore brings one back by its score, and vdh adopt puts it back on the list, unless a prune has
taken of it.

With --json, one line of "type":"snapshot" each with score, time, host, user, paths, tags, files,
dirs, bytes, bytes_added, seconds, parent, share, unreadable and unlisted.`,
		Example: `  vdh snapshots
  vdh snapshots --host www --path /srv/mail --tag nightly
  vdh snapshots --json | jq -r .score`,
		ValidArgsFunction: completeNames(a, false),
		RunE: func(cmd *cobra.Command, names []string) error {
			if _, err := a.identity(false); err != nil {
				return err
			}
			if all && len(names) > 0 {
				return usage{errors.New("--all is about all there is: leave the names away")}
			}
			a.refresh(cmd.Context(), refreshTime)
			if all {
				return a.printAll(cmd.Context(), f.fits)
			}
			list, err := a.listed(cmd.Context(), names)
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(s snapshot.Snapshot) bool { return !f.fits(s) })
			return a.printSnapshots(list, nil)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those in the store that are not on the list")
	cmd.Flags().StringArrayVar(&f.hosts, "host", nil, "only of this host")
	cmd.Flags().StringArrayVar(&f.paths, "path", nil, "only those that hold this path")
	cmd.Flags().StringArrayVar(&f.tags, "tag", nil, "only those with this tag")
	return cmd
}

// listFor returns the list of snapshots to look names up in, or, without names, to show. What other machines have done to it
// is asked for, unless each name is the whole score of a snapshot that is on the list.
func (a *app) listFor(ctx context.Context, names []snapshot.Name) ([]snapshot.Snapshot, error) {
	list, err := a.list(ctx)
	other := func(n snapshot.Name) bool { return n.Score.IsZero() || !listed(list, n.Score) }
	if err == nil && len(names) > 0 && !slices.ContainsFunc(names, other) {
		return list, nil
	}
	a.look(ctx)
	return a.list(ctx)
}

// listed returns the snapshots of the catalog that the names mean, without names all of them.
func (a *app) listed(ctx context.Context, names []string) ([]snapshot.Snapshot, error) {
	parsed := make([]snapshot.Name, len(names))
	for i, name := range names {
		var err error
		if parsed[i], err = snapshot.ParseName(name); err != nil {
			return nil, usage{err}
		}
	}
	list, err := a.listFor(ctx, parsed)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		a.explainEmpty()
	}
	if len(names) == 0 {
		return list, nil
	}
	var out []snapshot.Snapshot
	for i, n := range parsed {
		name := names[i]
		s, path, err := n.Find(list)
		switch {
		case err != nil:
			return nil, err
		case !s.Listed():
			return nil, fmt.Errorf("%w: vac:%s is not in the catalog", snapshot.ErrNoSnapshot, s.Score)
		case path != "" && n.Path == "":
			return nil, usage{fmt.Errorf("%s: a whole snapshot is meant here, so leave %s away", printable(name), printable(path))}
		}
		if !slices.ContainsFunc(out, func(o snapshot.Snapshot) bool { return o.Score == s.Score }) {
			out = append(out, s)
		}
	}
	return out, nil
}

// explainEmpty says why there may be no snapshots.
func (a *app) explainEmpty() {
	at, err := a.where()
	if err != nil {
		return
	}
	if others, _ := at.strangers(a.owner, a.catalog); len(others) > 0 {
		a.note("vdh: no snapshots of this identity here; %s of %s. Is this the right identity?",
			at.dir, count(int64(len(others)), "holds those of another one", "holds those of other ones"))
		return
	}
	a.note("vdh: no snapshots yet")
}

// snapshotLine is the JSON line of a snapshot.
type snapshotLine struct {
	Type       string    `json:"type"`
	Score      string    `json:"score"`
	Time       time.Time `json:"time"`
	Host       rawName   `json:"host"`
	User       rawName   `json:"user"`
	Paths      []rawName `json:"paths"`
	Tags       []rawName `json:"tags"`
	Files      uint64    `json:"files"`
	Dirs       uint64    `json:"dirs"`
	Bytes      uint64    `json:"bytes"`
	Added      uint64    `json:"bytes_added"`
	Seconds    float64   `json:"seconds"`
	Parent     string    `json:"parent,omitempty"`
	Share      bool      `json:"share,omitempty"`
	Unreadable uint64    `json:"unreadable,omitempty"`
	Unlisted   bool      `json:"unlisted,omitempty"`
	provenLine
}

func lineOf(kind string, s snapshot.Snapshot) snapshotLine {
	return snapshotLine{Type: kind, Score: scoreText(s.Score), Time: s.Time, Host: rawName(s.Host), User: rawName(s.User),
		Paths: rawNames(s.Paths), Tags: rawNames(s.Tags), Files: s.Files, Dirs: s.Dirs, Bytes: s.Bytes, Added: s.Added,
		Seconds: s.Duration.Seconds(), Parent: scoreText(s.Parent), Share: s.Share, Unreadable: s.Incomplete}
}

// printSnapshots prints a list of snapshots, with when they were last proven unless known is nil.
func (a *app) printSnapshots(list []snapshot.Snapshot, known provens) error {
	return a.printTable(list, known, nil)
}

// printTable is printSnapshots, and marks those that are not on the list.
func (a *app) printTable(list []snapshot.Snapshot, known provens, unlisted map[venti.Score]bool) error {
	if a.json {
		for _, s := range list {
			l := lineOf("snapshot", s)
			l.Unlisted = unlisted[s.Score]
			l.provenLine = known.line(s.Score)
			if err := a.print(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	head := ""
	if known != nil {
		head = "PROVEN\t"
	}
	fmt.Fprintln(w, "SCORE\tTIME\tHOST\tFILES\tSIZE\tADDED\t"+head+"PATHS\tTAGS")
	for _, s := range list {
		proven := ""
		if known != nil {
			proven = known.text(s.Score) + "\t"
		}
		added, marks := size(int64(s.Added)), labels(s)
		if unlisted[s.Score] {
			added, marks = "-", "(not listed)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s%s\t%s\n", s.Score.Short(), localTime(s.Time),
			printable(s.Host), s.Files, size(int64(s.Bytes)), added, proven, showPaths(s.Paths), marks)
	}
	return w.Flush()
}

// labels returns the tags of a snapshot, and what else is to be known about it.
func labels(s snapshot.Snapshot) string {
	text := showPaths(s.Tags)
	if s.Share {
		text += " (share)"
	}
	if s.Incomplete > 0 {
		text += fmt.Sprintf(" (%d unreadable)", s.Incomplete)
	}
	return text
}
