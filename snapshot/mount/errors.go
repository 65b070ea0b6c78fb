package mount

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

var (
	errStale       = errors.New("the kernel asks for a directory that it has forgotten")
	errInterrupted = errors.New("interrupted")
)

// grace is how long something that was interrupted goes on: many programs are interrupted all the time by signals that
// they take no notice of, timers for instance, and would take a failed read for an error. Who is killed waits for it.
const grace = time.Second

// begin returns the context of one request, which ends after the patience of the mount, or when the request has been
// interrupted for a while.
func (f *fileSystem) begin(cancel <-chan struct{}) (context.Context, func()) {
	ctx, stop := context.WithCancelCause(f.ctx)
	ctx, done := context.WithTimeout(ctx, f.cfg.Patience)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-cancel:
		}
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
			stop(errInterrupted)
		}
	}()
	return ctx, func() { done(); stop(nil) }
}

// status returns what the kernel is told of an error, and logs it. All that is wrong with blocks is EIO: it is about
// this read, and says nothing about the next one.
func (f *fileSystem) status(ctx context.Context, what string, d *directory, e *vac.Dir, err error) fuse.Status {
	var no unix.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.Is(context.Cause(ctx), errInterrupted):
		return fuse.EINTR
	case errors.Is(err, errStale):
		return fuse.Status(unix.ESTALE)
	case errors.As(err, &no) && no == unix.ENXIO:
		return fuse.Status(no)
	}
	path := "/"
	if d != nil {
		path = d.where()
		if e != nil {
			path += "/" + e.Name
		}
	}
	f.faults.log(f.cfg.Log, what, path, err)
	return fuse.EIO
}

// quiet is for how long no second fault is logged: a whole directory can be unavailable, and somebody read it.
const quiet = 5 * time.Second

// faults logs what could not be read, but not all of it.
type faults struct {
	mu      sync.Mutex // protects the following
	last    time.Time
	skipped int
}

func (q *faults) log(to *slog.Logger, what, path string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.last) < quiet {
		q.skipped++
		return
	}
	args := []any{slog.String("path", strconv.Quote(path)), slog.Any("err", err)}
	if q.skipped > 0 {
		args = append(args, slog.Int("more", q.skipped))
	}
	to.Warn("cannot "+what, args...)
	q.last, q.skipped = time.Now(), 0
}
