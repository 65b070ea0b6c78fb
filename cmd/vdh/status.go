package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
)

// statusSnapshots is how many snapshots are shown, the newest.
const statusSnapshots = 5

const (
	// lateBy is how much later than its job has it a snapshot may be.
	lateBy = 12 * time.Hour

	// statusMaxAge is how old a newest snapshot may be that no job is about: as that of a nightly one.
	statusMaxAge = 24*time.Hour + lateBy
)

// statusPatience bounds how long vdh status looks for members where no node runs.
const statusPatience = 15 * time.Second

// statusFlags say what vdh status takes for protected.
type statusFlags struct {
	maxAge time.Duration
	given  bool // maxAge was
	paths  []string
}

func newStatus(a *app) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "say how things stand: the node, the swarm, the last snapshots; or how safe one is",
		Long: `Without a name it says in one sentence whether the files of this machine are protected, and why or
why not; and then more about the node of this machine, the swarm and the newest snapshots. The exit
code is 11 if no member of the swarm can be reached.

They are protected if each path has a snapshot that is not older than --max-age (12 hours more than
the longest pause of the job that backs it up, or else 36 hours), the last check found nothing wrong,
and, in a swarm, enough members answer to bring blocks back and the weakest block had a fragment more
than it needs when vdh check had it proven last. The paths are those that were backed up twice or
more from this host, those of the newest snapshot, and those of the jobs that run by themselves;
--path names others in place of them. Snapshots are those that this machine knows of; where its node
runs, it asks what other machines of this identity have kept and forgotten.

With the name of a snapshot it asks the holders of every block of it, now. ABOVE is how many
fragments more than are needed to bring a block back are there: 0 is the last line, below it a block
cannot be read until holders return. Holders are believed: vdh check has them prove it, and PROVEN
says when it last did, and how many fragments more than needed the weakest block had at least, all
snapshots of that check together. Contents are not read (vdh check --read-data does). The exit
code is 4 if a block has fewer fragments than a stored block should, 11 if one cannot be brought back
from who answers now, and 1 if it is gone. Of a store in a folder, which keeps a block once or not at
all, it says whether each is there.

With --json, one line of "type":"status" with protected, because, summary (the two as a sentence),
store, snapshots, joined, running and what the node says: swarm, swarm_id, id, name, domain,
version, started, addrs, capacity, used, free, fragments, care (as vdh sweep has it), members,
alive, revision, code, target_nines, fresh_nines, threshold_nines, dht_lookups, dht_requests,
dht_table; lends (owner, fragments, bytes, heartbeat, kept, state, waiting for each owner who has
something here), uses (members, fragments, bytes, as_of, kept: what members hold for this identity,
as they said last), and for each of the last snapshots one line of "type":"snapshot" as vdh
snapshots has it, in a swarm with proven (when vdh check last had it proven) and proven_above (below
zero: not all was). With a name, one line of "type":"snapshot_status" with score, blocks, bytes,
stored_bytes, overhead, above (how many blocks have how many), below_threshold, unreadable, asked,
silent, weakest (score, path, present, need, total), proven, proven_above.`,
		Example:           "  vdh status\n  vdh status latest\n  vdh status vac:4f1c… --store swarm",
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeNames(a, false),
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 1 {
				return a.statusOf(cmd.Context(), names[0])
			}
			f.given = cmd.Flags().Changed("max-age")
			return a.status(cmd.Context(), &f)
		},
	}
	f.maxAge = statusMaxAge
	cmd.Flags().Var((*spanFlag)(&f.maxAge), "max-age", "how old the newest snapshot of a path may be, whatever jobs say")
	cmd.Flags().StringArrayVar(&f.paths, "path", nil, "a path that is to be protected (default those that were backed up)")
	return cmd
}

// statusLine is the JSON line of the status.
type statusLine struct {
	Type      string  `json:"type"` // "status"
	Protected bool    `json:"protected"`
	Because   string  `json:"because"`
	Summary   string  `json:"summary"` // the two as a sentence
	Store     rawName `json:"store"`   // a folder, or "swarm"
	Snapshots int     `json:"snapshots"`
	Joined    bool    `json:"joined"`  // this machine is in a swarm
	Running   bool    `json:"running"` // its node is
	*node.Status

	Lends []node.LentInfo `json:"lends,omitempty"` // to whom the node does
	Uses  *borrowed       `json:"uses,omitempty"`  // what members hold for this identity
}

func (a *app) status(ctx context.Context, f *statusFlags) error {
	line := statusLine{Type: "status", Store: swarmWord}
	for _, p := range f.paths {
		if !filepath.IsAbs(p) {
			return usage{fmt.Errorf("--path %s: give the whole path", printable(p))}
		}
	}
	at, err := a.where()
	if err != nil {
		return err
	}
	if !at.swarm {
		line.Store = rawName(at.dir)
	}
	_, _ = a.identity(false) // whoever it is asks the members; what is wrong with it snapshotsHere says
	cannotSee := a.seeSwarm(ctx, &line)
	list, err := a.snapshotsHere(ctx, at, line.Running)
	if err != nil {
		return err
	}
	line.Snapshots = len(list)
	if line.Uses, err = a.uses(); err != nil {
		return err
	}
	now := time.Now()
	rhythms, err := a.rhythms(at, now)
	if err != nil {
		return err
	}
	sources := sourcesOf(list, archive.Hostname(), f.paths, rhythms)
	if f.given {
		rhythms = nil
	}
	st := standing{now: now, maxAge: f.maxAge, rhythms: rhythms,
		sources: sources, swarm: at.swarm,
		proof: a.lastProven(at), blind: cannotSee, Status: line.Status}
	if line.Uses != nil {
		st.kept = line.Uses.Kept
	}
	line.Protected, line.Because = st.judge()
	if !at.swarm && cannotSee != nil {
		line.Because += ", and of the swarm no member can be reached"
	}
	line.Summary = sentence(line.Protected, line.Because)
	if a.json {
		err = a.print(line)
	} else {
		err = a.printStatus(&line)
	}
	if err == nil {
		err = a.printSnapshots(list[max(0, len(list)-statusSnapshots):], a.proven())
	}
	return errors.Join(err, cannotSee)
}

// rhythms returns how often jobs back up to a store.
func (a *app) rhythms(at location, now time.Time) ([]rhythm, error) {
	jobs, clash, err := a.listedJobs()
	if err != nil {
		return nil, err
	}
	if clash != nil {
		a.note("vdh: none of the jobs runs like that: %v", clash)
	}
	return rhythmsOf(jobs, at.String(), now), nil
}

// snapshotsHere returns the snapshots of which this machine has the list, none where there is no identity or store. What
// other machines have done to it is asked for where the node runs: to join the swarm a second time would take too long.
func (a *app) snapshotsHere(ctx context.Context, at location, running bool) ([]snapshot.Snapshot, error) {
	dir, err := dataDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	owner, err := a.identity(false)
	if err != nil {
		if _, e := os.Stat(dir + "/identity"); errors.Is(e, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	if at.swarm && running {
		a.look(ctx)
	}
	if _, err := os.Stat(at.catalog(owner)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return a.list(ctx)
}

// seeSwarm fills in what can be seen of the swarm. The error says that nothing can.
func (a *app) seeSwarm(ctx context.Context, line *statusLine) error {
	f, err := a.member()
	if errors.Is(err, node.ErrNoSwarm) {
		return nil
	}
	if err != nil {
		return err
	}
	line.Joined = true
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	v, running, err := a.view(ctx, f)
	if err != nil {
		return err
	}
	defer v.Close()
	st, err := v.Status(ctx)
	if err != nil {
		return err
	}
	line.Running, line.Status = running, &st
	if l, ok := v.(interface {
		Lent(context.Context) ([]node.LentInfo, error)
	}); ok {
		line.Lends, err = l.Lent(ctx)
	}
	return err
}

// printCare writes how a node keeps what it holds.
func printCare(w io.Writer, c *node.Care) {
	if c == nil {
		return
	}
	if c.Retiring {
		left := "nothing is left here: it is safe to stop this node for good"
		switch {
		case c.Left > 0:
			left = count(c.Left, "fragment is", "fragments are") + " to be handed over yet"
		case c.HeadsLeft > 0:
			left = count(int64(c.HeadsLeft), "owner's head is", "owners' heads are") + " to be handed over yet"
		}
		fmt.Fprintf(w, "  retires\t%s\n", left)
	}
	if s := c.Swept; s != nil {
		fmt.Fprintf(w, "  swept\t%s: %s, %d lack fragments\n", humanize.Time(s.Ended), count(s.Blocks, "block", "blocks"), s.Short)
	}
	if r := c.Repair; r.Braked || r.Queued > 0 || r.Repaired+r.Recoded+r.HandedOff > 0 {
		fmt.Fprintf(w, "  repair\t%s\n", repairText(&r))
		if r.Braked {
			fmt.Fprintf(w, "  \tit waits, since most members vanished at once: this node takes itself for cut off\n")
		}
	}
	if c.Heads > 0 {
		fmt.Fprintf(w, "  heads\t%s\n", headsText(c))
	}
	if c.Bad > 0 {
		fmt.Fprintf(w, "  damaged\t%s\n", count(c.Bad, "fragment", "fragments"))
	}
	if c.Trash > 0 {
		fmt.Fprintf(w, "  trash\t%s, %s\n", count(c.Trash, "fragment", "fragments"), size(c.TrashBytes))
	}
}

// headsText says of how many owners a node keeps the head.
func headsText(c *node.Care) string {
	text := "of " + count(int64(c.Heads), "owner", "owners")
	if c.Conflicts > 0 {
		text += fmt.Sprintf(", %d of them with two lists of the same number", c.Conflicts)
	}
	return text
}

// printStatus writes what is known for people.
func (a *app) printStatus(l *statusLine) error {
	fmt.Fprintf(a.out, "%s\n\n", l.Summary)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if st := l.Status; st != nil {
		if l.Running {
			fmt.Fprintf(w, "node\t%s, %s in %s, since %s\n", shortID(st.ID), printable(st.Name), printable(st.Domain), localTime(st.Started))
			fmt.Fprintf(w, "  lends\t%s, %s used, %s free\n", size(st.Capacity), size(st.Used), size(st.Free))
			fmt.Fprintf(w, "  holds\t%s\n", count(st.Fragments, "fragment", "fragments"))
			printCare(w, st.Care)
			printLent(w, l.Lends)
		}
		if !l.Running {
			fmt.Fprintf(w, "node\tnot running (vdh node); this is what others say\n")
		}
		fmt.Fprintf(w, "swarm\t%s, revision %d\n", printable(st.Swarm), st.Revision)
		fmt.Fprintf(w, "  members\t%d, %d alive\n", st.Members, st.Alive)
		need, total, _ := strings.Cut(st.Code, "/")
		fmt.Fprintf(w, "  new blocks\tany %s of %s fragments bring one back\n", need, total)
		fmt.Fprintf(w, "  nines\t%.2f at first, %.2f before a block is repaired, target %g\n", st.Fresh, st.Repair, st.Target)
	} else if l.Joined {
		fmt.Fprintf(w, "node\tnot running (vdh node)\n")
	}
	printUses(w, l.Uses)
	fmt.Fprintf(w, "store\t%s\n", printable(string(l.Store)))
	fmt.Fprintf(w, "snapshots\t%d\n", l.Snapshots)
	if err := w.Flush(); err != nil || l.Snapshots == 0 {
		return err
	}
	_, err := fmt.Fprintln(a.out)
	return err
}
