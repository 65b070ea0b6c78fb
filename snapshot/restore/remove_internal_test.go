package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A countdown is a context that ends when it has been looked at as often as left says.
type countdown struct {
	context.Context
	left int
}

// Err implements context.Context.
func (c *countdown) Err() error {
	if c.left <= 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

// surplus makes a directory with 40 files that no snapshot has, half of them one level down.
func surplus(t *testing.T) (dir string, f *folder) {
	t.Helper()
	dir = t.TempDir()
	f = &folder{extras: map[string]struct{}{"sub": {}}}
	for i := range 20 {
		name := fmt.Sprintf("f%02d", i)
		f.extras[name] = struct{}{}
		for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, "sub", name)} {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	st, err := place{fd: fd}.stat()
	if err != nil {
		t.Fatal(err)
	}
	f.fd, f.dev = fd, st.dev
	return dir, f
}

// left counts the files and directories below dir.
func left(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if path != dir {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRemovalEnds holds that removals end soon after ctx does, count what is gone, and report no failure.
func TestRemovalEnds(t *testing.T) {
	const all = 41
	for _, looks := range []int{0, 1, 10, 30, 50, 1000} {
		t.Run(fmt.Sprint(looks), func(t *testing.T) {
			dir, f := surplus(t)
			var r run
			r.prune(&countdown{t.Context(), looks}, f, f.fd)
			gone := all - left(t, dir)
			if r.deleted.Load() != gone {
				t.Errorf("%d removed, %d counted", gone, r.deleted.Load())
			}
			if gone > int64(looks) {
				t.Errorf("%d removed after %d looks at the context", gone, looks)
			}
			if whole := gone == all; whole != (looks == 1000) {
				t.Errorf("%d of %d removed", gone, all)
			}
			if r.report().Failed() != 0 {
				t.Errorf("failures: %v", r.report().Failures)
			}
		})
	}
	_, f := surplus(t)
	if n, err := removeAll(&countdown{t.Context(), 5}, f.fd, "sub", f.dev); !errors.Is(err, context.Canceled) || n == 0 {
		t.Errorf("below: %d removed, error %v", n, err)
	}
}
