package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/sim/procs"
	"ventidhash/snapshot/equal"
)

func newDemo(a *app) *cobra.Command {
	d := &demo{a: a}
	lose := ""
	cmd := &cobra.Command{
		Use:   "demo [PATH]",
		Short: "show a whole swarm at work on this machine",
		Long: `Starts a swarm on this machine, in which each member is a process with a store of its own, and all
talk over TCP; keeps PATH in it; ends almost a third of the members without warning; restores PATH
to another folder; compares every byte and attribute; and prints what it took. PATH is only read.
Without PATH it is the source of Go, or else another folder with real files.

Everything happens in a new folder below $TMPDIR, which is removed in the end, also after Ctrl-C.
Nothing that belongs to you is used or changed: no identity, store, config or cache.

The exit code is 0 only if all was equal.

With --json, one line of "type":"demo" with path, members, lost, code, files, dirs, bytes,
backup_seconds, bytes_added (compressed and sealed), bytes_on_disks, lowest_nines, fragments_left and
fragments_needed (of the weakest block after the loss), restore_seconds, compared_files, differences,
seconds.`,
		Example: "  vdh demo\n  vdh demo ~/Documents --lose 10\n  vdh demo --members 12 --lose 25% --keep",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, argv []string) (err error) {
			if d.lose, err = parseLoss(lose, d.members); err != nil {
				return usage{err}
			}
			if d.tree, err = demoTree(cmd.Context(), argv); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	l := cmd.Flags()
	l.IntVar(&d.members, "members", 24, "how many members the swarm has")
	l.StringVar(&lose, "lose", "30%", "how many members to lose: a number, or a part of all")
	l.BoolVar(&d.keep, "keep", false, "leave the folder when all is over")
	return cmd
}

// parseLoss reads how many of the members are to be lost.
func parseLoss(text string, members int) (int, error) {
	if members < 1 || members > 200 {
		return 0, fmt.Errorf("--members %d: give 1 to 200", members)
	}
	part, isPart := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(part)
	if isPart {
		n = n * members / 100
	}
	if err != nil || n < 0 || n >= members {
		return 0, fmt.Errorf("--lose %q: give a number below %d, or a part of all below 100%%", text, members)
	}
	return n, nil
}

// A demo is one demonstration. What it finds out stands in line.
type demo struct {
	a       *app
	members int
	lose    int
	keep    bool
	tree    string // what is kept

	program string // this one
	dir     string // where everything happens
	swarm   *procs.Swarm
	score   string
	line    demoLine
}

// run makes room, goes through the journey, and cleans up.
func (d *demo) run(ctx context.Context) (err error) {
	begin := time.Now()
	if d.program, err = os.Executable(); err != nil {
		return err
	}
	if err := d.room(); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "vdh-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.clean()) }()
	for _, step := range []func(context.Context) error{d.found, d.back, d.lost, d.restore, d.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.line.Seconds = time.Since(begin).Seconds()
	if err := d.report(); err != nil {
		return err
	}
	if n := d.line.Differences; n > 0 {
		return fmt.Errorf("what came back differs in %s", count(n, "place", "places"))
	}
	return nil
}

// clean ends the members and removes the folder.
func (d *demo) clean() error {
	var err error
	if d.swarm != nil {
		err = d.swarm.Close()
	}
	if d.keep {
		d.a.note("everything is still in %s; the members' logs are in members.log", d.dir)
		return err
	}
	return errors.Join(err, removeTree(d.dir))
}

// step says what begins, and returns how to say what came of it.
func (d *demo) step(number int, format string, args ...any) (done func(err error, format string, args ...any)) {
	if d.a.quiet || d.a.json {
		return func(error, string, ...any) {}
	}
	begin := time.Now()
	fmt.Fprintf(d.a.errs, "%d  %-52s ", number, fmt.Sprintf(format, args...)+" …")
	return func(err error, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if err != nil {
			text = "no"
		}
		fmt.Fprintf(d.a.errs, "%5.1f s  %s\n", time.Since(begin).Seconds(), text)
	}
}

// found starts the swarm.
func (d *demo) found(ctx context.Context) (err error) {
	done := d.step(1, "founding a swarm of %s", count(int64(d.members), "member", "members"))
	defer func() { done(err, "all know each other") }()
	log, err := os.Create(filepath.Join(d.dir, "members.log"))
	if err != nil {
		return err
	}
	defer log.Close() // the members have it open
	d.swarm, err = procs.Start(ctx, procs.Config{Program: d.program, Dir: filepath.Join(d.dir, "members"),
		Members: d.members, Output: log})
	if err != nil {
		return fmt.Errorf("%w%s", err, tailOf(log.Name()))
	}
	d.line.Members = d.members
	return d.swarm.Invite(d.client())
}

// client is the folder of data of whoever keeps and restores.
func (d *demo) client() string { return filepath.Join(d.dir, "client") }

// back keeps the tree in the swarm.
func (d *demo) back(ctx context.Context) (err error) {
	done := d.step(2, "keeping %s", shorten(d.tree, 36))
	defer func() { done(err, "%s, %s", count(int64(d.line.Files), "file", "files"), size(int64(d.line.Bytes))) }()
	var s struct { // of the JSON of a backup; backupSummary can be written, not read
		Score string  `json:"score"`
		Files uint64  `json:"files"`
		Dirs  uint64  `json:"dirs"`
		Bytes uint64  `json:"bytes"`
		Added int64   `json:"bytes_added"`
		Nines float64 `json:"lowest_nines"`
	}
	begin := time.Now()
	if err := d.vdh(ctx, &s, "backup", d.tree); err != nil {
		return err
	}
	d.score = s.Score
	d.line.Path, d.line.Files, d.line.Dirs, d.line.Bytes = rawName(d.tree), s.Files, s.Dirs, s.Bytes
	d.line.Backup, d.line.Added = time.Since(begin).Seconds(), s.Added
	d.line.Nines = s.Nines
	if d.line.Disks, err = d.swarm.Bytes(); err != nil {
		return err
	}
	st, err := d.swarm.Status(ctx, 0)
	d.line.Code = st.Code
	return err
}

// lost ends members as a power cut does, the one that founded the swarm first, and asks the others what they have.
func (d *demo) lost(ctx context.Context) (err error) {
	done := d.step(3, "losing %d of %d, without warning", d.lose, d.members)
	defer func() { done(err, "each block has %d fragments or more, and needs %d", d.line.Left, d.line.Need) }()
	for i := range d.lose {
		if err := d.swarm.Kill(i); err != nil {
			return err
		}
	}
	d.line.Lost = d.lose
	var s struct { // of the JSON of a status; survey can be written, not read
		Weakest struct {
			Present int `json:"present"`
			Need    int `json:"need"`
		} `json:"weakest"`
	}
	err = d.vdh(ctx, &s, "status", d.score)
	d.line.Left, d.line.Need = s.Weakest.Present, s.Weakest.Need
	return err
}

// restore brings the tree back to a place where nothing of it was.
func (d *demo) restore(ctx context.Context) (err error) {
	done := d.step(4, "restoring elsewhere")
	defer func() { done(err, "from those that are left") }()
	var s restoreSummary
	begin := time.Now()
	err = d.vdh(ctx, &s, "restore", d.score+d.tree, "--target", d.target())
	d.line.Restore = time.Since(begin).Seconds()
	return err
}

func (d *demo) target() string { return filepath.Join(d.dir, "restored") }

// compare looks whether what came back is what was kept.
func (d *demo) compare(ctx context.Context) (err error) {
	const told = 10
	var n equal.Count
	done := d.step(5, "comparing every byte and attribute")
	var lines []string
	cfg := equal.Config{Source: d.tree, Copy: d.target(), Owned: os.Geteuid() != 0, Differs: func(path, what string) {
		if len(lines) < told {
			lines = append(lines, printable(path)+": "+what)
		}
	}}
	n, err = equal.Trees(ctx, cfg)
	text := "all equal"
	if n.Differences > 0 {
		text = count(n.Differences, "difference", "differences")
	}
	done(err, "%s", text)
	for _, line := range lines {
		fmt.Fprintln(d.a.errs, "vdh:", line)
	}
	d.line.Compared, d.line.Differences = n.Files, n.Differences
	return err
}
