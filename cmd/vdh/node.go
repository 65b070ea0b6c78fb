package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
	"ventidhash/snapshot/archive"
)

// What the garbage collector is told in a node, unless GOGC and GOMEMLIMIT say otherwise. A node that idles has some
// 10 MiB of live objects, most of them the index and the connections; at twice that as garbage, its resident set stays
// well below 100 MiB with 24 members, and under load it collects a quarter as often as it would by default. The limit is
// what makes it collect more often instead of growing; it holds the windows of a few clients (gateway.Config.Window) and
// what members send at once. After a backup the runtime keeps most of it for long (155 MiB, 121 of them four minutes
// later), so what is free goes back to the system every nodeRest, and what is pooled at the second time.
const (
	nodeGarbage = 200 // percent
	nodeMemory  = 256 << 20
	nodeRest    = time.Minute
)

// nodeFlags say which member a node is.
type nodeFlags struct {
	listen, announce             []string
	capacity, domain, name, data string
	perOwner, metrics            string
	nat, retire, refill, jobs    bool
	upkeep                       node.Upkeep
}

func newNode(a *app) *cobra.Command {
	var f nodeFlags
	cmd := &cobra.Command{
		Use:   "node",
		Short: "run this machine's member of the swarm",
		Long: `Keeps fragments for the members of the swarm, and does the work of --store swarm for this user, until
it is told to stop. Ctrl-C or SIGTERM lets it finish what it is at and say goodbye; killed without
warning it loses nothing either.

--capacity is how much it lends: bytes, or a part of the disk that the fragments are on. --domain
says what fails together, as SITE/HOST: no site and no host is given more fragments of a block than
can be missed, so give machines in one room one site. Where the fragments are is settled at the
first start. --per-owner is how much of it one owner may use: a backup that would take more is told
so by this member, and goes to others.

Unasked it compares what it holds with the other members (--sweep), makes up for members that have
been silent for a day, within a budget (--repair-rate), and hashes all that is on its disk
(--scrub); vdh sweep, vdh repair and vdh node scrub have it do so at once.

With --retire it is about to leave: it serves on, gets nothing new, and hands what it holds to
others. It logs when it is safe to stop it for good, and vdh status says so too.

With --refill it has lost its disk: it begins with an empty folder, and the others make again what it
should hold. Without it a node whose fragments are missing does not start, since its disk may not be
mounted.

--metrics has it answer Prometheus at http://ADDR/metrics, which it does not else; :PORT is of this
machine alone. vdh help metrics lists them.

With --jobs it runs the jobs of the config file when their schedule says so, as vdh run does: for
machines where vdh schedule finds neither systemd nor cron. What is remembered of a job keeps it from
being run twice.

It logs lines on standard error; with --json each is an object with time, level and msg, and what
the line is about. With -q only what is wrong is logged, with -v more than usual.`,
		Example: `  vdh node
  vdh node --capacity 500GB --domain bern/attic
  vdh node --listen /ip4/0.0.0.0/tcp/4001 --announce /dns4/backup.example.org/tcp/4001`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.node(cmd.Context(), &f) },
	}
	cmd.AddCommand(newScrub(a))
	l := cmd.Flags()
	l.StringArrayVar(&f.listen, "listen", []string{"/ip4/0.0.0.0/tcp/17035", "/ip6/::/tcp/17035"}, "where to listen")
	l.StringArrayVar(&f.announce, "announce", nil, "where others find this machine, if not where it listens")
	l.StringVar(&f.capacity, "capacity", "50%", "how much to lend, like 500GB, or a part of the disk, like 80%")
	l.StringVar(&f.perOwner, "per-owner", "100%", "how much of that one owner may use, like 100GB or 20%")
	l.StringVar(&f.domain, "domain", "", "what fails together with this machine, SITE/HOST (default the machine's name for both)")
	l.StringVar(&f.name, "name", "", "name of this member, for people (default the machine's)")
	l.StringVar(&f.data, "data", "", "folder for the fragments (default $XDG_DATA_HOME/vdh/swarm/fragments)")
	l.StringVar(&f.metrics, "metrics", "", "where to answer Prometheus, HOST:PORT, or :PORT on this machine alone (default nowhere)")
	l.BoolVar(&f.nat, "nat", false, "others cannot dial this machine, since it is behind a router: find a way")
	l.BoolVar(&f.jobs, "jobs", false, "run the jobs of the config file when they are due")
	l.BoolVar(&f.retire, "retire", false, "leave: hand over what is here")
	l.BoolVar(&f.refill, "refill", false, "the disk was lost: begin with an empty folder, and have the others make what was on it")
	f.upkeep.Rate = 4 << 20
	l.Var((*bytesFlag)(&f.upkeep.Rate), "repair-rate", "how much repair may read and write in a second, unless a block is close to its loss; a quarter of it while people are served")
	for _, s := range []struct {
		to               *time.Duration
		name, value, why string
	}{
		{&f.upkeep.Sweep, "sweep", "6h", "time in which all that is held is compared with other members once"},
		{&f.upkeep.Scrub, "scrub", "30d", "time in which all that is held is hashed once"},
	} {
		_ = (*spanFlag)(s.to).Set(s.value) // a constant
		l.Var((*spanFlag)(s.to), s.name, s.why)
	}
	return cmd
}

func (a *app) node(ctx context.Context, f *nodeFlags) error {
	folder, err := a.member()
	if err != nil {
		return err
	}
	cfg := node.Config{Folder: folder, Listen: f.listen, Announce: f.announce, Name: f.name, Domain: f.domain,
		Program: program(), NAT: f.nat, Log: a.logger(), Upkeep: f.upkeep, Retire: f.retire, Refill: f.refill}
	host := archive.Hostname()
	if cfg.Name == "" {
		cfg.Name = host
	}
	if cfg.Domain == "" {
		cfg.Domain = host + "/" + host
	}
	disk := folder.Dir
	if f.data != "" {
		if cfg.Fragments, err = filepath.Abs(f.data); err != nil {
			return err
		}
		disk = cfg.Fragments
	}
	if cfg.Capacity, err = node.ParseCapacity(f.capacity, disk); err != nil {
		return usage{err}
	}
	if cfg.PerOwner, err = ownersShare(f.perOwner, cfg.Capacity); err != nil {
		return usage{err}
	}
	var metricsAt net.Listener
	if f.metrics != "" {
		if metricsAt, err = listenHere("metrics", f.metrics); err != nil {
			return err
		}
		defer metricsAt.Close()
	}
	logged := newCountingHandler(cfg.Log.Handler())
	cfg.Log = slog.New(logged)
	tuneNode()
	n, err := node.Open(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil // it was told to stop while it started
		}
		return err
	}
	resting, stop := context.WithCancel(ctx)
	var rest sync.WaitGroup
	rest.Go(func() { giveBack(resting) })
	if metricsAt != nil {
		lists := func(ctx context.Context) []keptList { return keptLists(ctx, a.storePath) }
		rest.Go(func() { serveMetrics(resting, metricsAt, &nodeMetrics{n, lists, logged}, cfg.Log) })
	}
	if f.jobs {
		rest.Go(func() { a.keepJobs(resting, cfg.Log) })
	}
	err = n.Run(ctx)
	stop()
	rest.Wait()
	return err
}

// ownersShare reads how much of what is lent one owner may use.
func ownersShare(text string, capacity int64) (int64, error) {
	if part, ok := strings.CutSuffix(text, "%"); ok {
		x, err := strconv.ParseFloat(part, 64)
		if err == nil && x > 0 && x <= 100 {
			return max(1, int64(float64(capacity)*x/100)), nil
		}
	}
	var b bytesFlag
	if err := b.Set(text); err != nil {
		return 0, fmt.Errorf("--per-owner %q: want bytes, like 100GB, or a part of the capacity, like 20%%", text)
	}
	return int64(b), nil
}

// giveBack returns memory that is free to the system now and then, until ctx is done.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(nodeRest)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			debug.FreeOSMemory()
		}
	}
}

// tuneNode sets up a program that is there for months beside others: it takes half of the processors at most, and what
// tuneNode's constants say of memory. With fewer processors Go also spends less on waking up for each fragment: with 24
// members on two processors a put took a quarter less of them.
func tuneNode() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(nodeGarbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(nodeMemory)
	}
}

// logger returns the log of a program that is there to stay.
func (a *app) logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch {
	case a.verbose:
		opts.Level = slog.LevelDebug
	case a.quiet:
		opts.Level = slog.LevelWarn
	}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(a.stderr, opts))
}
