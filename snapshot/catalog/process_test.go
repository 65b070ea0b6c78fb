package catalog_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// These tests run the test binary again, as another process that adds snapshots and says so on its standard output.
const (
	childDir   = "CATALOG_TEST_DIR"   // of the catalog; set in a child only
	childFirst = "CATALOG_TEST_FIRST" // number of its first snapshot
	childCount = "CATALOG_TEST_COUNT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		first, _ := strconv.Atoi(os.Getenv(childFirst))
		count, _ := strconv.Atoi(os.Getenv(childCount))
		if err := addMany(dir, first, count); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func sharedConfig(dir string) (catalog.Config, error) {
	o, err := catalog.NewOwner(bytes.NewReader(make([]byte, 32)))
	return catalog.Config{Dir: filepath.Join(dir, "catalog"), Store: folder(filepath.Join(dir, "store")), Owner: o}, err
}

// addMany adds snapshots one by one, each acknowledged by a line.
func addMany(dir string, first, count int) error {
	cfg, err := sharedConfig(dir)
	if err != nil {
		return err
	}
	c, err := catalog.Open(cfg)
	if err != nil {
		return err
	}
	for i := first; i < first+count; i++ {
		if err := c.Add(context.Background(), snap(i)); err != nil {
			return err
		}
		fmt.Println(i)
	}
	return nil
}

func child(t *testing.T, dir string, first, count int) *exec.Cmd {
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprint(childFirst, "=", first), fmt.Sprint(childCount, "=", count))
	cmd.Stderr = os.Stderr
	return cmd
}

// A folder is a Store of one file a block, which processes may share.
type folder string

func (f folder) Get(_ context.Context, s venti.Score) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(string(f), s.String()))
	if errors.Is(err, os.ErrNotExist) {
		err = venti.ErrNotFound
	}
	if err == nil && venti.Sum(b) != s {
		err = venti.ErrCorrupt
	}
	if err != nil {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return b, nil
}

func (f folder) Put(_ context.Context, b []byte) (venti.Score, error) {
	s := venti.Sum(b)
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return s, err
	}
	tmp, err := os.CreateTemp(string(f), "tmp-")
	if err != nil {
		return s, err
	}
	_, err = tmp.Write(b)
	return s, errors.Join(err, tmp.Close(), os.Rename(tmp.Name(), filepath.Join(string(f), s.String())))
}

func (f folder) Has(context.Context, []venti.Score) ([]bool, error) {
	return nil, errors.ErrUnsupported
}

func (f folder) Sync(context.Context) error { return nil }

func sealerOf(t *testing.T, o *catalog.Owner) *seal.Sealer {
	s, err := seal.New(o.Secret())
	must(t, err)
	return s
}

func TestProcessesLoseNothing(t *testing.T) {
	dir := t.TempDir()
	const each = 25
	var children []*exec.Cmd
	for i := range 2 {
		cmd := child(t, dir, i*each, each)
		must(t, cmd.Start())
		children = append(children, cmd)
	}
	cfg, err := sharedConfig(dir)
	must(t, err)
	c := mustOpen(t, cfg)
	var wg sync.WaitGroup
	for i := range 4 { // and goroutines of this one
		wg.Go(func() {
			for j := range 5 {
				if err := c.Add(t.Context(), snap(2*each+5*i+j)); err != nil {
					t.Error(err)
				}
				if _, err := c.List(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	wantList(t, c, snaps(2*each+20))
	if h, err := c.Head(); err != nil || h.Sequence != 2*each+20 {
		t.Errorf("sequence %d, %v", h.Sequence, err)
	}
}

func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	cfg, err := sharedConfig(dir)
	must(t, err)
	said := map[venti.Score]bool{}
	next := 0
	for round := range 12 {
		cmd := child(t, dir, next, 1_000_000)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for i := 0; i <= round%3 && lines.Scan(); i++ {
			next = acknowledged(t, lines.Text(), said) + 1
		}
		time.Sleep(time.Duration(round) * 300 * time.Microsecond) // somewhere in the next update
		must(t, cmd.Process.Kill())
		for lines.Scan() {
			next = acknowledged(t, lines.Text(), said) + 1
		}
		io.Copy(io.Discard, out)
		cmd.Wait()

		list, err := mustOpen(t, cfg).List(t.Context())
		must(t, err)
		for s := range said {
			if !slices.ContainsFunc(list, func(l snapshot.Snapshot) bool { return l.Score == s }) {
				t.Fatalf("round %d: a snapshot that was acknowledged is gone", round)
			}
		}
		if len(list) > len(said)+round+1 {
			t.Fatalf("%d snapshots, %d were acknowledged", len(list), len(said))
		}
		for _, l := range list {
			said[l.Score] = true // it was added, though the process died before it could say so
		}
	}
}

// acknowledged notes the number on the line.
func acknowledged(t *testing.T, line string, said map[venti.Score]bool) int {
	n, err := strconv.Atoi(line)
	must(t, err)
	said[snap(n).Score] = true
	return n
}

func TestLockHonoursContext(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	inside, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- c.Update(t.Context(), func(l []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
			close(inside)
			<-release
			return append(l, snap(1)), nil
		})
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Add(ctx, snap(2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	wantList(t, c, nil) // readers do not wait
	close(release)
	must(t, <-done)
	must(t, c.Add(t.Context(), snap(2)))
	wantList(t, c, []snapshot.Snapshot{snap(1), snap(2)})
}
