package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
	"ventidhash/venti"
)

// careJSON says what the JSON of these verbs has.
const careJSON = `With --json, one line of "type":"care" with swept (ended, seconds, blocks, short, above, strays,
neighbours, bytes), repair (queued, urgent, irreparable, braked, repaired, recoded, made, handed_off,
trimmed, bytes_read, bytes_written, oldest_seconds, last_error), scrubbed (fragments, bytes, damaged,
ended), heads (owners whose signed word on their newest list of snapshots is kept here),
head_conflicts, trash, trash_bytes, bad, retiring, left, and paused (why nothing is given up now).`

func newSweep(a *app) *cobra.Command {
	return a.newWork(node.WorkSweep, &cobra.Command{
		Use:   "sweep",
		Short: "have the node compare what it holds with the other members, now",
		Long: `Compares all that the member of this machine holds with the other members, and counts the fragments
of each block; owners' heads, which lead to their newest lists of snapshots, it hands on, and takes
those that are newer. A node does that by itself, spread over six hours (vdh node --sweep); what is
short is looked at by repair, which mends what has lost too much.

` + careJSON,
		Example: "  vdh sweep && vdh repair\n  vdh sweep --json | jq .swept.short",
	})
}

func newRepair(a *app) *cobra.Command {
	return a.newWork(node.WorkRepair, &cobra.Command{
		Use:   "repair",
		Short: "have the node mend what the sweep has found, now",
		Long: `Works through what the sweep has found to be short: blocks that have lost a fifth of their fragments
for good, or are close to their loss, get new ones; what lies with the wrong member is handed over. A
node does that by itself, within a budget (vdh node --repair-rate), and so does this.

It mends what this machine's member has to mend; others do their part. Exit code 11 if so many
members vanished at once that this one takes itself for cut off, and waits.

` + careJSON,
		Example: "  vdh sweep && vdh repair",
	})
}

func newScrub(a *app) *cobra.Command {
	return a.newWork(node.WorkScrub, &cobra.Command{
		Use:   "scrub",
		Short: "have the node hash every fragment on its disk, now",
		Long: `Reads all that lies on the disk of the member of this machine, drops what is damaged, and makes it
again of what the other members have. A node does that by itself, spread over thirty days (vdh node
--scrub). Exit code 1 if something was damaged.

` + careJSON,
		Example: "  vdh node scrub",
	})
}

// newWork completes a verb that has the node do something.
func (a *app) newWork(work string, cmd *cobra.Command) *cobra.Command {
	cmd.Args = args(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.work(cmd.Context(), work) }
	return cmd
}

// careLine is the JSON line of what a node says of its work.
type careLine struct {
	Type string `json:"type"` // "care"
	node.Care
}

// work has the node of this machine do something, and says how things are then.
func (a *app) work(ctx context.Context, work string) error {
	f, err := a.member()
	if err != nil {
		return err
	}
	l, err := node.DialLocal(ctx, f.Dir)
	if errors.Is(err, node.ErrNotRunning) {
		return fmt.Errorf("%w: no node runs here (vdh node starts it); members look after what they hold themselves", venti.ErrUnavailable)
	}
	if err != nil {
		return err
	}
	defer l.Close()
	var now tallyOf[node.Progress]
	stop := a.watch(ctx, work, 0, func() tally { return workTally(work, now.load()) })
	before, err := l.Status(ctx)
	if err != nil {
		stop()
		return err
	}
	care, err := l.Work(ctx, work, func(done, of int64) { now.store(node.Progress{Done: done, Of: of}) })
	stop()
	if err != nil {
		return err
	}
	if a.json {
		err = a.print(careLine{"care", care})
	} else {
		err = a.printWork(work, &care)
	}
	switch {
	case err != nil:
		return err
	case work == node.WorkRepair && care.Repair.Braked:
		return fmt.Errorf("%w: most members vanished at once, so this one takes itself for cut off and repairs nothing", venti.ErrUnavailable)
	case work == node.WorkScrub && care.Scrubbed.Damaged > before.Care.Scrubbed.Damaged:
		return fmt.Errorf("%s damaged, and dropped",
			count(care.Scrubbed.Damaged-before.Care.Scrubbed.Damaged, "fragment was", "fragments were"))
	}
	return nil
}

func workTally(work string, p node.Progress) tally {
	switch {
	case work == node.WorkScrub:
		return tally{what: fmt.Sprintf("%s of %s", size(p.Done), size(p.Of))}
	case work == node.WorkRepair:
		return tally{what: fmt.Sprintf("%d of %d blocks", p.Done, p.Of)}
	}
	return tally{what: fmt.Sprintf("%d of %d blocks compared", p.Done, p.Of)}
}

// printWork says what a work came to.
func (a *app) printWork(work string, c *node.Care) (err error) {
	switch work {
	case node.WorkSweep:
		if s := c.Swept; s != nil {
			_, err = fmt.Fprintf(a.out, "%s compared with %s in %.1f s, %s on the wire: %d lack fragments, %d lie with the wrong member\n",
				count(s.Blocks, "block", "blocks"), count(int64(s.Neighbours), "member", "members"), s.Seconds, size(s.Bytes), s.Short, s.Strays)
		}
	case node.WorkRepair:
		_, err = fmt.Fprintf(a.out, "since the node started: %s\n", repairText(&c.Repair))
	case node.WorkScrub:
		_, err = fmt.Fprintf(a.out, "since the node started %s of %s hashed, %d of them damaged; %s known to be damaged now\n",
			count(c.Scrubbed.Fragments, "fragment", "fragments"), size(c.Scrubbed.Bytes), c.Scrubbed.Damaged,
			count(c.Bad, "is", "are"))
	}
	return err
}

// repairText says what repair has done and has to do.
func repairText(r *node.Repairs) string {
	text := fmt.Sprintf("%s mended, %d coded anew, %s made, %d handed over; %d to look at",
		count(r.Repaired, "block", "blocks"), r.Recoded, count(r.Made, "fragment", "fragments"), r.HandedOff, r.Queued)
	if r.Urgent > 0 {
		text += fmt.Sprintf(", %d close to their loss", r.Urgent)
	}
	if r.Irreparable > 0 {
		text += fmt.Sprintf(", %d of which too few fragments answer", r.Irreparable)
	}
	if r.OldestSec > 0 {
		text += ", the oldest for " + (time.Duration(r.OldestSec) * time.Second).String()
	}
	return text
}
