package main

import (
	"context"
	"os"
)

// recoverFolder brings the catalog of a store in a folder back. The identity is there.
func (a *app) recoverFolder(ctx context.Context, at location) error {
	if _, err := os.Stat(at.catalog(a.owner)); err != nil {
		a.note("vdh: its snapshots are listed by: vdh snapshots --store DIR")
		return nil
	}
	list, err := a.list(ctx)
	if err == nil {
		a.note("vdh: %s has %s of it; see: vdh snapshots", at.dir, count(int64(len(list)), "snapshot", "snapshots"))
	}
	return err
}
