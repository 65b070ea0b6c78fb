package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/transfer"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

var rootKey = seal.RootKey{9}

// A target is a store that counts, with a list of snapshots.
type target struct {
	*ventitest.Memory
	listed []venti.Score
	fail   error // of Puts beyond left
	left   int

	mu    sync.Mutex // protects the following
	puts  map[venti.Score]int
	vital map[venti.Score]bool
	asked map[venti.Score]int
}

func newTarget() *target {
	return &target{Memory: ventitest.NewMemory(), left: 1 << 30, puts: map[venti.Score]int{}, vital: map[venti.Score]bool{},
		asked: map[venti.Score]int{}}
}

func (s *target) Put(ctx context.Context, b []byte) (venti.Score, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left < 0 {
		return venti.Score{}, s.fail
	}
	s.puts[venti.Sum(b)]++
	return s.Memory.Put(ctx, b)
}

func (s *target) PutVital(ctx context.Context, b []byte) (venti.Score, error) {
	score, err := s.Put(ctx, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vital[score] = true
	return score, err
}

func (s *target) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, score := range scores {
		s.asked[score]++
	}
	return s.Memory.Has(ctx, scores)
}

func (s *target) list(_ context.Context, snap snapshot.Snapshot) error {
	s.listed = append(s.listed, snap.Score)
	return nil
}

// An origin is a store with some snapshots, and what each of them needs.
type origin struct {
	*ventitest.Memory
	sealer *seal.Sealer
	snaps  []snapshot.Snapshot
	needs  []map[venti.Score]bool
	vital  map[venti.Score]bool
	all    map[venti.Score]bool
}

// source returns a new source, in which nothing is cached.
func (o *origin) source() *tree.Source { return tree.NewSource(o.Memory, o.sealer, 8<<20) }

// newOrigin archives a folder that changes from snapshot to snapshot: large files, small ones, a directory that is a
// stream of its own.
func newOrigin(t *testing.T) *origin {
	t.Helper()
	sealer, err := seal.New(seal.Secret{7})
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{Memory: ventitest.NewMemory(), sealer: sealer, vital: map[venti.Score]bool{}, all: map[venti.Score]bool{}}
	dir := t.TempDir()
	write := func(name string, n int) {
		t.Helper()
		path := filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, ventitest.Random(uint64(n), n), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1500 {
		write(fmt.Sprintf("many/with-a-name-that-is-rather-long-and-takes-room-%04d-%x", i, ventitest.Random(uint64(i), 24)), 10+i%7)
	}
	write("large/a", 3_000_000)
	write("large/b", 5_000_000)
	write("small/a", 100)
	o.archive(t, dir)
	write("large/b", 5_100_000)
	write("small/b", 60_000)
	o.archive(t, dir)
	write("small/c", 70_000)
	o.archive(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "large")); err != nil {
		t.Fatal(err)
	}
	write("other/d", 900_000)
	o.archive(t, dir)
	return o
}

// archive makes the next snapshot.
func (o *origin) archive(t *testing.T, dir string) {
	t.Helper()
	cfg := archive.Config{Store: o.Memory, Sealer: o.sealer, Source: o.source(), RootKey: rootKey, Paths: []string{dir}, Host: "h",
		Time: time.Unix(1_700_000_000+int64(len(o.snaps)), 0)}
	if n := len(o.snaps); n > 0 {
		p, err := vac.OpenOwn(t.Context(), cfg.Source, rootKey, o.snaps[n-1].Score)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Parent = p
	}
	res, err := archive.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	o.snaps = append(o.snaps, snapshot.Snapshot{Score: res.Ref.Score, Time: res.Root.Time})
	needs := map[venti.Score]bool{}
	tr, err := vac.OpenOwn(t.Context(), o.source(), rootKey, res.Ref.Score)
	if err == nil {
		err = tr.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
			needs[u.Ref.Score] = true
			o.vital[u.Ref.Score] = !u.Leaf || u.Role == vac.RoleRoot
			return true, err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	o.needs = append(o.needs, needs)
	maps.Copy(o.all, needs)
}

// to copies all snapshots, and checks what holds of every copy.
func (o *origin) to(t *testing.T, to *target) (transfer.Report, []transfer.Damage) {
	t.Helper()
	var damage []transfer.Damage
	done := map[venti.Score]transfer.Copied{}
	rep, err := transfer.Run(t.Context(), o.snaps, transfer.Config{From: o.source(), To: to, RootKey: rootKey, List: to.list,
		Damaged: func(d transfer.Damage) { damage = append(damage, d) },
		Done:    func(c transfer.Copied) { done[c.Snapshot.Score] = c }})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range o.snaps {
		listed, whole := slices.Contains(to.listed, s.Score), true
		for score := range o.needs[i] {
			has, err := to.Memory.Has(t.Context(), []venti.Score{score})
			whole = whole && err == nil && has[0]
		}
		if listed != whole || listed != (done[s.Score].Lacking == 0) {
			t.Errorf("snapshot %d: listed %v, whole %v, %+v", i, listed, whole, done[s.Score])
		}
	}
	if len(done) != len(o.snaps) || rep.Snapshots != len(o.snaps) || rep.Lacking != int64(len(damage)) {
		t.Errorf("%+v; %d were told of, %d damaged", rep, len(done), len(damage))
	}
	return rep, damage
}

func total(counts map[venti.Score]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestCopy holds that a copy sends every block that is needed, none else, once, with the care that a backup takes; and
// that a second copy sends nothing.
func TestCopy(t *testing.T) {
	o, to := newOrigin(t), newTarget()
	rep, _ := o.to(t, to)
	want := slices.SortedFunc(maps.Keys(o.all), func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(to.Scores(), want) {
		t.Errorf("%d blocks are there, %d are needed", to.Len(), len(want))
	}
	if total(to.puts) != len(want) || total(to.asked) != len(want) || rep.Sent != int64(len(want)) || rep.Blocks != rep.Sent ||
		rep.Bytes != to.Bytes() || rep.Complete != len(o.snaps) {
		t.Errorf("%d blocks: %d puts, %d asked for, %+v", len(want), total(to.puts), total(to.asked), rep)
	}
	for _, s := range want {
		if to.vital[s] != o.vital[s] {
			t.Errorf("block %s: vital %v, is put as %v", s.Short(), o.vital[s], to.vital[s])
		}
	}
	to.listed = nil
	if rep, _ := o.to(t, to); rep.Sent != 0 || total(to.puts) != len(want) {
		t.Errorf("again: %+v", rep)
	}
}

// TestPresence holds that a block at the target says nothing of those below it.
func TestPresence(t *testing.T) {
	o := newOrigin(t)
	for _, only := range []func(venti.Score) bool{
		func(s venti.Score) bool { return o.vital[s] },
		func(s venti.Score) bool { return !o.vital[s] },
		func(s venti.Score) bool { return s[0]%2 == 0 },
	} {
		to := newTarget()
		for s := range o.all {
			if b, err := o.Get(t.Context(), s); err != nil {
				t.Fatal(err)
			} else if only(s) {
				_, _ = to.Memory.Put(t.Context(), b)
			}
		}
		before := to.Len()
		if rep, _ := o.to(t, to); rep.Complete != len(o.snaps) || int(rep.Sent) != len(o.all)-before {
			t.Errorf("%d of %d were there: %+v", before, len(o.all), rep)
		}
	}
}

// TestDamage loses each block in turn, in each of the ways in which that happens. Exactly the snapshots that need it are
// not listed, all else is sent; and when it is back, that block alone is sent.
func TestDamage(t *testing.T) {
	o := newOrigin(t)
	at := 0
	for s := range o.all {
		kind := []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt}[at%3]
		at++
		b, err := o.Get(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case venti.ErrNotFound:
			o.Drop(s)
		case venti.ErrUnavailable:
			o.Unavailable(s, true)
		default:
			o.Corrupt(s)
		}
		to := newTarget()
		rep, damage := o.to(t, to)
		need := 0
		for i := range o.snaps {
			if o.needs[i][s] {
				need++
			}
		}
		if rep.Complete != len(o.snaps)-need || len(damage) != 1 || damage[0].Score != s || !errors.Is(damage[0].Err, kind) ||
			rep.OnlyAbsent != (kind == venti.ErrUnavailable) {
			t.Errorf("without %s, which %d snapshots need: %+v, %v", s.Short(), need, rep, damage)
		}
		missing := len(o.all) - to.Len()
		if !o.vital[s] && missing > 1 && damage[0].Path != "" && !isMetadata(damage[0].Path) {
			t.Errorf("without the leaf %s of %s, %d blocks are not sent", s.Short(), damage[0].Path, missing)
		}
		o.Unavailable(s, false)
		if _, err := o.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if rep, _ := o.to(t, to); int(rep.Sent) != missing || rep.Complete != len(o.snaps) {
			t.Errorf("with %s again: %+v, %d were missing", s.Short(), rep, missing)
		}
	}
	t.Logf("%d blocks", at)
}

// isMetadata reports whether a path is of a directory, without whose blocks what is below is not found.
func isMetadata(path string) bool { return filepath.Base(path) == "many" || filepath.Dir(path) == "/" }

// TestInterrupted ends copies after any number of puts, by an error and by the end of the context. Nothing that is not
// whole is listed, and the next run sends the rest only.
func TestInterrupted(t *testing.T) {
	o := newOrigin(t)
	broken := errors.New("the cable is out")
	for n := 0; n < len(o.all); n += 1 + len(o.all)/12 {
		to := newTarget()
		to.left, to.fail = n, broken
		_, err := transfer.Run(t.Context(), o.snaps, transfer.Config{From: o.source(), To: to, RootKey: rootKey, List: to.list})
		if !errors.Is(err, to.fail) {
			t.Fatalf("after %d puts: %v", n, err)
		}
		to.left = 1 << 30
		rep, _ := o.to(t, to)
		if int(rep.Sent) != len(o.all)-n {
			t.Errorf("%d of %d were sent at first, then %+v", n, len(o.all), rep)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	to := newTarget()
	_, err := transfer.Run(ctx, o.snaps, transfer.Config{From: o.source(), To: to, RootKey: rootKey, List: to.list,
		Progress: func(p transfer.Progress) {
			if p.Sent == 3 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || len(to.listed) > 0 {
		t.Errorf("%v, %d listed", err, len(to.listed))
	}
}

// TestDryRun holds that a dry run counts what a copy sends, and changes nothing.
func TestDryRun(t *testing.T) {
	o, to := newOrigin(t), newTarget()
	cfg := transfer.Config{From: o.source(), To: to, RootKey: rootKey, DryRun: true}
	rep, err := transfer.Run(t.Context(), o.snaps, cfg)
	if err != nil || int(rep.Sent) != len(o.all) || to.Len() > 0 || rep.Complete != len(o.snaps) {
		t.Errorf("%+v, %v; %d blocks are needed, %d there", rep, err, len(o.all), to.Len())
	}
	if rep.Bytes < 14_000_000 || rep.Bytes > 16_000_000 { // the files do not compress
		t.Errorf("%d bytes", rep.Bytes)
	}
	if err := (transfer.Config{From: cfg.From, To: to}).Validate(); err == nil {
		t.Error("a Config without List is valid")
	}
}
