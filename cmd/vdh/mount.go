package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/mount"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
	"ventidhash/venti/wire"
)

// What a mount may take: of plaintext blocks, and in all on the collector's word. It is there for long, and beside
// others.
const (
	mountCache  = 24 << 20
	mountMemory = 160 << 20
)

// mountFlags say how to mount.
type mountFlags struct {
	allowOther, foreground bool
}

func newMount(a *app) *cobra.Command {
	var f mountFlags
	cmd := &cobra.Command{
		Use:   "mount [NAME[/PATH]] DIR",
		Short: "show snapshots as files, read-only",
		Long: `Shows a snapshot, or a directory of one, in the empty directory DIR. Without a name it shows all
snapshots:

  latest/                  the newest one
  ids/SCORE/               each by its score
  dates/YYYY/MM/DD/hhmm/   and by the time when it was begun; a second one of that minute is hhmm.1
  hosts/HOST/              latest, ids and dates of one machine

New snapshots appear by themselves, those that other machines make in a swarm within a minute or two
of looking. What is in them has the names, modes, owners, times, links, attributes, ACLs and holes
that were kept; devices do nothing. Inode numbers are the same each time.

vdh mount returns when the files are there; fusermount3 -u DIR ends it. With --foreground it stays,
says what could not be read, and Ctrl-C or SIGTERM ends it too. Only you can look into DIR. With
--allow-other others can, as far as the files' permissions and ACLs let them.

A block that cannot be had now is an input/output error for who reads it, and read again later. A
mount keeps no snapshot: one that is forgotten and pruned meanwhile cannot be read any more.

It needs FUSE: on Linux /dev/fuse, and for users other than root the package fuse3.

With --json, one line of "type":"mounted" with dir, and score and path of what was named.`,
		Example: `  mkdir -p ~/snapshots && vdh mount ~/snapshots
  diff -r ~/snapshots/latest/etc /etc
  fusermount3 -u ~/snapshots
  vdh mount latest/srv/www /mnt/www --foreground`,
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: completeMount(a),
		RunE: func(cmd *cobra.Command, words []string) error {
			name, dir := "", words[len(words)-1]
			if len(words) == 2 {
				name = words[0]
			} else if strings.HasPrefix(dir, "vac:") {
				return usage{errors.New("where is it to be mounted? Give an empty directory behind the snapshot")}
			}
			return a.mount(cmd.Context(), name, dir, f)
		},
	}
	l := cmd.Flags()
	l.BoolVar(&f.allowOther, "allow-other", false, "let other users in (who is not root needs user_allow_other in /etc/fuse.conf)")
	l.BoolVarP(&f.foreground, "foreground", "f", false, "stay until it is unmounted, and say what could not be read")
	return cmd
}

// completeMount completes a name, and then a directory.
func completeMount(a *app) cobra.CompletionFunc {
	name := completeNames(a, true)
	return func(cmd *cobra.Command, words []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(words) > 0 || strings.HasPrefix(begun, ".") || strings.HasPrefix(begun, "/") {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return name(cmd, words, begun)
	}
}

// mountedLine is the JSON line of a mount that is there.
type mountedLine struct {
	Type  string  `json:"type"` // "mounted"
	Dir   rawName `json:"dir"`
	Score string  `json:"score,omitempty"` // of the snapshot, if it is one
	Path  rawName `json:"path,omitempty"`
}

func (a *app) mount(ctx context.Context, name, dir string, f mountFlags) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	back, err := calledBack()
	if err != nil {
		return err
	}
	if back == nil && !f.foreground {
		return a.mountBehind(ctx)
	}
	limitMemory(mountMemory)
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) // one always waits in the kernel for the next request
	cfg := mount.Config{Dir: dir, AllowOther: f.allowOther, Log: slog.New(slog.NewTextHandler(a.errs, nil))}
	line := mountedLine{Type: "mounted", Dir: rawName(dir)}
	if name == "" {
		var all *mounted
		if all, err = a.allSnapshots(ctx); err == nil {
			cfg.Snapshots = all
			defer all.keepUp(ctx, cfg.Log)()
		}
	} else {
		var n *named
		if n, err = a.openForLong(ctx, name); err == nil {
			_, err = n.lookup(ctx)
		}
		if err == nil {
			cfg.Tree, cfg.Path = n.tree, n.path
			line.Score, line.Path = scoreText(n.tree.Ref.Score), rawName(n.path)
		}
	}
	if err != nil {
		return err
	}
	cfg.Ready = func() {
		if a.json {
			_ = a.print(line)
			_ = a.out.Flush()
		} else {
			a.note("mounted at %s; fusermount3 -u %s ends it", printable(dir), printable(dir))
		}
		back.ready()
	}
	return mount.Run(ctx, cfg)
}

// openForLong opens a snapshot without holding it: the session that others open theirs in would keep a prune from
// freeing anything for as long as the mount is there.
func (a *app) openForLong(ctx context.Context, name string) (*named, error) {
	if n, err := snapshot.ParseName(name); err == nil && !n.HasCapability() {
		if _, err := a.identity(false); err != nil {
			return nil, err
		}
		if _, err := a.blocks(ctx, false); err != nil {
			return nil, err
		}
		if n.Score.IsZero() {
			a.look(ctx)
		}
	}
	if err := a.steadySource(ctx); err != nil {
		return nil, err
	}
	n, err := a.open(ctx, name)
	if a.lease != nil {
		err = errors.Join(err, a.lease.Close())
		a.lease = nil
	}
	return n, err
}

// allSnapshots returns the catalog as a mount wants it.
func (a *app) allSnapshots(ctx context.Context) (*mounted, error) {
	cat, err := a.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := a.blocks(ctx, false); err != nil {
		return nil, err
	}
	a.look(ctx)
	return &mounted{a: a, cat: cat}, a.steadySource(ctx)
}

// steadySource makes the source of blocks one that a mount can read from for months.
func (a *app) steadySource(ctx context.Context) error {
	if _, err := a.blocks(ctx, false); err != nil {
		return err
	}
	sealer, err := a.seals()
	if err != nil {
		return err
	}
	a.source = tree.NewSource(steady{late{a}}, sealer, mountCache)
	a.source.AlsoOwn(a.formerKeys())
	return nil
}

// mounted is the catalog, of which the list is read again only when its head is another one.
type mounted struct {
	a   *app
	cat *catalog.Catalog
	up  *keepingUp

	mu   sync.Mutex // protects the following
	head venti.Head
	list []snapshot.Snapshot
}

// keepUp begins to take in what other machines do to the list, until stop is called. Nobody looks at it yet.
func (m *mounted) keepUp(ctx context.Context, log *slog.Logger) (stop func()) {
	m.up, stop = m.a.keepUp(ctx, log)
	return stop
}

// List implements mount.Snapshots.
func (m *mounted) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	m.up.looked()
	m.mu.Lock()
	defer m.mu.Unlock()
	head, err := m.cat.Head()
	if errors.Is(err, catalog.ErrNoHead) {
		return nil, nil
	}
	if err == nil && head == m.head {
		return m.list, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := m.cat.List(ctx)
	if err != nil {
		return nil, err
	}
	m.head, m.list = head, list
	return list, nil
}

// Open implements mount.Snapshots.
func (m *mounted) Open(ctx context.Context, s snapshot.Snapshot) (*vac.Tree, error) {
	return vac.OpenOwn(ctx, m.a.source, m.a.owner.RootKey(), s.Score)
}

// steady is the store for somebody who reads it for months: when the node that it is reached through has gone, it is
// opened anew.
type steady struct{ late }

// Get implements venti.Store.
func (s steady) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	st, err := s.a.blocks(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("opening the store again: %w", err)
	}
	b, err := st.Get(ctx, score)
	if !errors.Is(err, wire.ErrLost) || ctx.Err() != nil {
		return b, err
	}
	s.a.leave(st)
	if st, err = s.a.blocks(ctx, false); err != nil {
		return nil, fmt.Errorf("opening the store again: %w", err)
	}
	return st.Get(ctx, score)
}

// leave gives up a swarm to which the connection is gone, if it is still the one in use.
func (a *app) leave(st venti.Store) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.swarm != nil && venti.Store(a.swarm) == st {
		_ = a.swarm.Close() // it is gone already
		a.swarm = nil
	}
}
