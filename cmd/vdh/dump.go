package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/restore"
)

func newDump(a *app) *cobra.Command {
	var (
		cfg    restore.Config
		format string
	)
	cmd := &cobra.Command{
		Use:   "dump NAME[/PATH]",
		Short: "write a part of a snapshot as a tar archive to standard output",
		Long: `Writes what is at PATH as a tar archive (POSIX, with attributes) to standard output. Names in it are
those that vdh restore would make in its target. It is not written to a terminal.

What could not be read is reported, the archive is well formed, and the exit code is 3. Sockets have
no place in a tar archive.`,
		Example:           "  vdh dump latest/srv/www | ssh host tar -xpf - -C /srv/www\n  vdh dump latest --include '/etc' > etc.tar",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(a, true),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.dump(cmd.Context(), names[0], format, cfg) },
	}
	l := cmd.Flags()
	l.StringVar(&format, "format", "tar", "tar is the only one")
	l.StringArrayVarP(&cfg.Include, "include", "i", nil, "only what matches this pattern, as with vdh restore")
	l.StringArrayVarP(&cfg.Exclude, "exclude", "e", nil, "leave out what matches this pattern")
	l.BoolVar(&cfg.NumericIDs, "numeric-ids", false, "leave out the names of owners")
	return cmd
}

func (a *app) dump(ctx context.Context, name, format string, cfg restore.Config) error {
	if format != "tar" {
		return usage{fmt.Errorf("--format %q: tar is the only one", format)}
	}
	if isTerminal(a.stdout) {
		return usage{errors.New("an archive is not written to a terminal; send it to a file or another program")}
	}
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	if _, err := n.lookup(ctx); err != nil {
		return err
	}
	p := &restore.Progress{}
	cfg.Progress, cfg.Warn = p, a.fileError
	stop := a.watch(ctx, "dump", 0, func() tally {
		return tally{files: p.Files.Load(), bytes: p.Bytes.Load(), current: p.Path()}
	})
	rep, err := restore.Tar(ctx, n.tree, n.path, onlyWriter{a.out}, cfg)
	stop()
	if errors.Is(err, restore.ErrIncomplete) {
		return partial{fmt.Sprintf("%s could not be written as they should; the archive is well formed",
			count(rep.Failed(), "thing", "things"))}
	}
	return err
}
