package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ventidhash/snapshot/vac"
)

// A walker goes through directories of snapshots. A directory that cannot be read to its end is reported and counted,
// and the walk goes on behind it.
type walker struct {
	*app
	name   string // what stands in front of paths that are reported
	failed int64
}

// below calls visit for everything below the directory d, which is at path: parents before children, by name. The error
// is visit's, or that ctx ended.
func (w *walker) below(ctx context.Context, t *vac.Tree, d *vac.Dir, path string, visit func(path string, d *vac.Dir) error) error {
	es, err := t.Entries(ctx, d)
	if err != nil {
		return w.fail(ctx, path, err)
	}
	defer es.Close()
	for {
		e, err := es.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return w.fail(ctx, path, err)
		}
		at := path + "/" + e.Name
		err = visit(at, e)
		if err == nil && e.Type == vac.Directory {
			err = w.below(ctx, t, e, at, visit)
		}
		if err != nil {
			return err
		}
	}
}

// fail reports what is at path and could not be read, unless that is because ctx has ended.
func (w *walker) fail(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if path == "" {
		path = "/"
	}
	w.failed++
	w.fileError(w.name+path, err)
	return nil
}

// verdict returns the error of a walk in which something could not be read.
func (w *walker) verdict() error {
	if w.failed == 0 {
		return nil
	}
	return partial{fmt.Sprintf("%s could not be read; what is there of them and everything else was looked through "+
		"(vdh check says more)", count(w.failed, "directory or snapshot", "directories or snapshots"))}
}
