package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

// Stream archives what r gives as a single file called name, for instance the output of a database dump.
func Stream(ctx context.Context, cfg Config, r io.Reader, name string) (*Result, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return nil, fmt.Errorf("a file cannot be called %q", name)
	}
	cfg.Paths, cfg.Parent = []string{"/" + name}, nil
	run, err := newRun(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer run.cancel()
	w := tree.NewWriter(run.ctx, run.sink, tree.Files())
	in := &countReader{r: r, run: run}
	_, err = w.ReadFrom(in)
	e, closeErr := w.Close()
	if err = errors.Join(err, closeErr); err != nil {
		return nil, err
	}
	now := run.start
	d := &vac.Dir{Name: name, Type: vac.File, Mode: 0o600, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Links: 1,
		ModTime: vac.Stamp{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}, Size: e.Size}
	d.User, d.Group = run.owners.names(d.UID, d.GID)
	if e.Size > 0 {
		d.Content = vac.Content{Kind: vac.Stream, Stream: e}
	}
	dw := vac.NewDirWriter(run.ctx, run.sink, cfg.Source, vac.Content{})
	if err := dw.Add(d); err != nil {
		return nil, err
	}
	top, err := dw.CloseStream()
	if err != nil {
		return nil, err
	}
	run.files, run.bytes, run.res.New = 1, uint64(e.Size), 1
	return run.finish(ctx, top)
}

type countReader struct {
	r   io.Reader
	run *run
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.run.count(n)
	c.run.cfg.Progress.Bytes.Add(int64(n))
	return n, err
}
