package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/vac"
)

func newLs(a *app) *cobra.Command {
	var long, recursive bool
	cmd := &cobra.Command{
		Use:   "ls NAME[/PATH]...",
		Short: "list the files of a snapshot",
		Long: `Lists what is in a directory of a snapshot, or a file itself. With -R everything below it, with
paths. No contents are read. With -R, a directory that cannot be read is reported, the rest is
listed, and the exit code is 3.

With --json, one line of "type":"entry" each with snapshot, path, kind (file, directory, symlink,
fifo, socket, char device, block device), mode, uid, gid, user, group, size, mtime, inode, links,
target, major, minor and xattrs.`,
		Example: `  vdh ls latest/srv/www
  vdh ls -lR 4f1c0ab2/etc
  vdh ls 'latest@www:/srv'`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNames(a, true),
		RunE: func(cmd *cobra.Command, names []string) error {
			w := &walker{app: a}
			for _, name := range names {
				if err := w.ls(cmd.Context(), name, long, recursive); err != nil {
					return err
				}
			}
			return w.verdict()
		},
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "with mode, owner, size and time")
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "everything below, with paths")
	return cmd
}

func (w *walker) ls(ctx context.Context, name string, long, recursive bool) error {
	n, err := w.open(ctx, name)
	if err != nil {
		return err
	}
	d, err := n.lookup(ctx)
	if err != nil {
		return err
	}
	l := lister{app: w.app, of: n.tree, long: long, whole: recursive}
	switch {
	case d.Type != vac.Directory:
		l.whole = true
		return l.entry(n.path, d)
	case recursive:
		return w.below(ctx, n.tree, d, n.path, l.entry)
	}
	es, err := n.tree.Entries(ctx, d)
	if err != nil {
		return err
	}
	defer es.Close()
	for {
		e, err := es.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = l.entry(n.path+"/"+e.Name, e)
		}
		if err != nil {
			return err
		}
	}
}
