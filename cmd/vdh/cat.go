package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/vac"
)

func newCat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "cat NAME/PATH...",
		Short:             "write files of snapshots to standard output",
		Long:              `Writes the bytes of regular files, one after the other, to standard output.`,
		Example:           "  vdh cat latest/etc/fstab\n  vdh cat 4f1c0ab2/srv/db.sql.gz | zcat | psql db",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNames(a, true),
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, name := range names {
				if err := a.cat(cmd.Context(), name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) cat(ctx context.Context, name string) error {
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	d, err := n.lookup(ctx)
	if err != nil {
		return err
	}
	switch d.Type {
	case vac.File:
	case vac.Directory:
		return fmt.Errorf("%s is a directory; vdh ls lists it, vdh dump and vdh restore write it", printable(name))
	case vac.Symlink:
		return fmt.Errorf("%s is a symbolic link to %s", printable(name), printable(d.Target))
	default:
		return fmt.Errorf("%s is no regular file but a %s", printable(name), kinds[d.Type].name)
	}
	r, err := n.tree.Open(ctx, d)
	if err != nil {
		return fmt.Errorf("%s: %w", printable(name), err)
	}
	defer r.Close()
	if _, err := io.CopyBuffer(onlyWriter{a.out}, r, make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("%s: %w", printable(name), err)
	}
	return nil
}

// onlyWriter hides ReadFrom, so that the copy uses a buffer of the size it was given.
type onlyWriter struct{ io.Writer }
