package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/gateway"
	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/transfer"
	"ventidhash/venti"
)

// copyFlags are what the words of a copy say.
type copyFlags struct {
	from, to string
	dryRun   bool
}

func newCopy(a *app) *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy --to STORE [NAME...]",
		Short: "copy snapshots to another store, sending only what is missing there",
		Long: `Copies snapshots of this identity from one store to another, in any direction between folders and the
swarm: all that the other store does not list, or those that are named. They have the same scores
there. Only blocks that the other store does not have are sent; the list there gains a snapshot when
all of it is safely stored. A copy that was interrupted is simply run again; one during which the
swarm is out of reach waits for it (--patience).

A snapshot that is named is looked through even if it is listed there already, and what the other
store has lost of it is sent again.

Blocks that are damaged or cannot be had now are reported. The snapshots that need them are not
listed in the other store, everything else is copied, and the exit code is 3, or 11 if all that is
wrong is that blocks are unavailable now. 4 if the other store is the swarm, and some blocks are
below its target redundancy.

With --json, one line of "type":"copied" for each snapshot with the fields of vdh snapshots and
blocks_sent, bytes_sent, blocks_lacking and complete; on standard error one line of "type":"damage"
with score, state (missing, corrupt, unavailable), error, path and snapshot for each block that can
not be had; and one line of "type":"summary" with from, to, snapshots, already_there, complete,
blocks, blocks_sent, bytes_sent, blocks_lacking, seconds, dry_run, and for a swarm those of vdh
backup. In a dry run bytes_sent is the length of the contents before they are compressed.`,
		Example: `  vdh copy --to /mnt/usb/archive
  vdh copy --from /mnt/usb/archive --to swarm latest
  vdh copy --from swarm --to /srv/archive --dry-run`,
		ValidArgsFunction: completeNames(a, false),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.copy(cmd.Context(), names, &f) },
	}
	l := cmd.Flags()
	l.StringVar(&f.from, "from", "", "the store to copy from, named as for --store (default the store)")
	l.StringVar(&f.to, "to", "", "the store to copy to; a folder is made if it is not there")
	l.BoolVarP(&f.dryRun, "dry-run", "n", false, "send nothing, only say how much would be")
	_ = cmd.RegisterFlagCompletionFunc("from", completeStore) // an error says that there is no such flag
	_ = cmd.RegisterFlagCompletionFunc("to", completeStore)
	return a.patiently(cmd)
}

// beside returns a run of the program for the same user over another store. Close it.
func (a *app) beside(store string) *app {
	return &app{in: a.in, stdout: a.stdout, out: a.out, stderr: a.stderr, errs: a.errs, storePath: store, json: a.json,
		quiet: a.quiet, verbose: a.verbose, owner: a.owner, dial: a.dial, patience: a.patience}
}

// A copying is one run of vdh copy: the app is that of the store to copy from.
type copying struct {
	*app
	f       *copyFlags
	to      *app
	store   venti.Store      // of to
	list    *catalog.Catalog // of to; nil in a dry run where there is none
	already map[venti.Score]bool
	here    int // of the snapshots, those that need not be looked at
	begin   time.Time
}

func (a *app) copy(ctx context.Context, names []string, f *copyFlags) (err error) {
	if f.to == "" {
		return usage{errors.New("say where to with --to; see: vdh copy --help")}
	}
	if f.from != "" {
		a.storePath = f.from
	}
	if _, err := a.identity(false); err != nil {
		return err
	}
	c := &copying{app: a, f: f, to: a.beside(f.to), already: map[venti.Score]bool{}, begin: time.Now()}
	defer func() { err = errors.Join(err, c.to.close()) }()
	if err := c.apart(); err != nil {
		return err
	}
	if err := a.reading(ctx); err != nil {
		return err
	}
	a.refresh(ctx, refreshTime)
	snaps, err := a.listed(ctx, names)
	if err != nil {
		return err
	}
	if err := c.open(ctx); err != nil {
		return err
	}
	if len(names) == 0 {
		all := len(snaps)
		snaps = slices.DeleteFunc(snaps, func(s snapshot.Snapshot) bool { return c.already[s.Score] })
		c.here = all - len(snaps)
	}
	if !f.dryRun {
		c.to.keepMachine(ctx, c.list)
	}
	return c.run(ctx, snaps)
}

// ends returns which the two stores are.
func (c *copying) ends() (from, to location, err error) {
	if from, err = c.where(); err == nil {
		to, err = c.to.where()
	}
	return from, to, err
}

// apart returns an error if the two stores are one.
func (c *copying) apart() error {
	from, to, err := c.ends()
	if err != nil {
		return err
	}
	if from.swarm == to.swarm && realPath(from.dir) == realPath(to.dir) {
		return usage{fmt.Errorf("%s is both where to copy from and where to", to)}
	}
	return from.there()
}

// open opens the store to copy to, and its list.
func (c *copying) open(ctx context.Context) (err error) {
	at, err := c.to.where()
	if err != nil {
		return err
	}
	if c.f.dryRun {
		if at.there() != nil {
			c.store = nothing{}
			return nil
		}
		c.store, err = c.to.blocks(ctx, false)
	} else if _, err = c.to.blocks(ctx, true); err == nil {
		if c.store, err = c.to.session(ctx); err == nil {
			err = c.to.rememberStore()
		}
		if c.to.swarm != nil {
			c.store = completing{c.to.swarm}
		}
	}
	if err != nil {
		return err
	}
	if c.list, err = c.to.snapshots(ctx); err != nil {
		return err
	}
	c.to.refresh(ctx, refreshTime)
	list, err := c.list.List(ctx)
	for _, s := range list {
		c.already[s.Score] = true
	}
	return err
}

// completing is a swarm that holds only what it holds as well as it should: anything else is worth being put again, which
// sends no more than the fragments that are missing. A copy that was killed leaves such blocks.
type completing struct{ swarmStore }

// Has implements venti.Store.
func (s completing) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	has := make([]bool, 0, len(scores))
	var good []venti.Score
	err := s.Survey(ctx, scores, func(st gateway.State) error {
		ok := st.Code.Need > 0 && st.Mine >= st.Code.Need && st.Stored >= st.Code.Threshold()
		if has = append(has, ok); ok {
			good = append(good, st.Score)
		}
		return nil
	})
	if err != nil || len(good) == 0 {
		return has, err
	}
	renewed, err := s.Renew(ctx, good)
	if err != nil {
		return nil, err
	}
	for i := range has {
		if has[i] {
			has[i], renewed = renewed[0], renewed[1:]
		}
	}
	return has, nil
}

// rememberStore notes that this machine keeps snapshots in the store, so that it is missed when it is gone (mayMakeStore).
func (a *app) rememberStore() error {
	k, err := a.known()
	if err == nil {
		k.Close()
	}
	return err
}

// run copies snapshots, and reports.
func (c *copying) run(ctx context.Context, snaps []snapshot.Snapshot) error {
	src, err := c.plain(ctx)
	if err != nil {
		return err
	}
	var now tallyOf[transfer.Progress]
	stop := c.watch(ctx, "copy", 0, func() tally {
		p := now.load()
		return tally{what: fmt.Sprintf("%d of %d snapshots, %s, %s sent (%s)", p.Snapshots, len(snaps),
			count(p.Blocks, "block", "blocks"), count(p.Sent, "block", "blocks"), size(p.Bytes))}
	})
	var fault error // of printing
	rep, err := transfer.Run(ctx, snaps, transfer.Config{From: src, To: c.store, RootKey: c.owner.RootKey(), List: c.enter,
		DryRun: c.f.dryRun, Progress: now.store, Damaged: c.damaged,
		Done: func(d transfer.Copied) { fault = errors.Join(fault, c.copied(d)) }})
	stop()
	if err = errors.Join(err, fault); err != nil {
		return err
	}
	var held *redundancy
	if !c.f.dryRun {
		if held, err = c.to.redundancy(ctx); err != nil {
			return err
		}
	}
	if err := c.report(rep, held); err != nil {
		return err
	}
	if !c.f.dryRun {
		c.to.heartbeat(ctx)
	}
	return copyVerdict(rep, c.to.lagging(held.shortfall()))
}

// enter puts a snapshot, all of which is stored, into the list.
func (c *copying) enter(ctx context.Context, s snapshot.Snapshot) error {
	if c.already[s.Score] {
		return c.store.Sync(ctx)
	}
	return c.to.kept(c.list.Add(ctx, s))
}

// copyVerdict returns the error of a copy that came to its end; short is what else is not as it should be.
func copyVerdict(r transfer.Report, short error) error {
	if r.Lacking == 0 {
		return short
	}
	text := fmt.Sprintf("%s cannot be had, so %s not copied whole and not listed there; the rest is (vdh check says more)",
		count(r.Lacking, "block", "blocks"), count(int64(r.Snapshots-r.Complete), "snapshot was", "snapshots were"))
	if short != nil {
		text += "; " + short.Error()
	}
	if r.OnlyAbsent {
		return fmt.Errorf("%w: %s", venti.ErrUnavailable, text)
	}
	return partial{text}
}
