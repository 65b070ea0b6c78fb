package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/ventitest"
)

// inProcess runs the program in this process, in folders of its own.
func inProcess(t *testing.T) func(args ...string) string {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	return func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(context.Background(), args, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("vdh %v: %d, %s", args, code, errs.String())
		}
		return strings.TrimSpace(out.String())
	}
}

// TestCommit catalogues a snapshot that builds on one which has left the catalog meanwhile. That is fine as long as all
// blocks are there, and refused once a prune has taken some.
func TestCommit(t *testing.T) {
	vdh := inProcess(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("aaa"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := vdh("backup", dir, "--time", "2024-01-01")
	second := vdh("backup", dir, "--time", "2024-01-02")

	// commit puts the second one in again, as a backup would.
	commit := func() error {
		a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
		defer a.close()
		n, err := a.open(t.Context(), second)
		if err != nil {
			return err
		}
		basis, err := snapshot.ParseName(first)
		if err != nil {
			return err
		}
		cat, err := a.snapshots(t.Context())
		if err != nil {
			return err
		}
		return a.commit(t.Context(), cat, snapshotOf(n.tree), basis.Score, time.Now(), nil)
	}
	vdh("forget", first, second)
	if err := commit(); err != nil {
		t.Errorf("with all blocks there: %v", err)
	}
	if list := vdh("snapshots", "--json"); strings.Count(list, second) != 1 {
		t.Errorf("the list is %s", list)
	}

	// The block of the file is gone, the root is not.
	a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
	n, err := a.open(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	d, err := n.tree.Lookup(t.Context(), dir+"/a")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	vdh("forget", second)
	loseBlock(t, d.Content.Slice.Block.Score)
	if err := commit(); err == nil || !strings.Contains(err.Error(), "run the command again") {
		t.Errorf("with a block gone: %v", err)
	}
	if list := vdh("snapshots", "--json"); list != "" {
		t.Errorf("the list is %s", list)
	}
}

// loseBlock takes one block away from the store, as a prune does.
func loseBlock(t *testing.T, lost venti.Score) {
	t.Helper()
	a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
	defer a.close()
	if _, err := a.blocks(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	store := a.disk
	if _, err := store.Trash(t.Context(), func(s venti.Score) bool { return s != lost }); err != nil {
		t.Fatal(err)
	}
	settled, err := store.Settled(t.Context())
	if err == nil {
		_, err = store.Reclaim(t.Context(), settled, disk.ReclaimConfig{MinDead: 1e-9})
	}
	if err != nil {
		t.Fatal(err)
	}
	has, err := store.Has(t.Context(), []venti.Score{lost})
	if err != nil || has[0] {
		t.Fatal("the block is still there", err)
	}
}

// TestCommitLate holds that blocks are claimed anew, out of the trash, where another machine may have let go of them: for a
// backup that took long, and for a snapshot that is published late. It is not where none can have.
func TestCommitLate(t *testing.T) {
	p := newPond(t, 3)
	a := p.client("a")
	a.backup(a.fill(1, 100_000))
	b := a.beside("b")
	long := freshClaims + time.Hour
	for i, c := range []struct {
		name       string
		begun, age time.Duration // when the backup began, and when the snapshot was made: so long ago
		mute       bool          // it cannot be published at once
		claims     bool
	}{
		{"quick", 0, 0, false, false},
		{"long", long, 0, false, true},
		{"published late", 0, 0, true, false},
		{"published very late", 0, long, true, true},
	} {
		name := filepath.Join(a.home, "late")
		writeFile(t, name, ventitest.Random(uint64(100+i), 300_000))
		score := a.backup(name)
		a.vdh(exitOK, "forget", score)
		p.nextSecond()
		if s, _ := a.prune(exitOK, "--alone", "--retain"); s.Fragments == 0 {
			t.Fatalf("%s: nothing was let go: %+v", c.name, s)
		}
		thrown := p.trash()
		now := time.Now()
		b.vdh(exitOK, "snapshots") // it knows that this was forgotten
		b.commits(score, c.mute, now.Add(-c.begun), now.Add(-c.age))
		if c.mute && p.trash() != thrown {
			t.Errorf("%s: it is claimed before it is published", c.name)
		}
		if out := b.vdh(exitOK, "snapshots"); !strings.Contains(out, score[4:16]) {
			t.Errorf("%s: it is not listed:\n%s", c.name, out)
		}
		if out := a.vdh(exitOK, "snapshots"); !strings.Contains(out, score[4:16]) {
			t.Errorf("%s: it is not published:\n%s", c.name, out)
		}
		if left := p.trash(); (left < thrown) != c.claims {
			t.Errorf("%s: of %d fragments in the trash %d are left", c.name, thrown, left)
		}
		a.vdh(exitOK, "forget", score)
	}
}

// commits puts a snapshot on the list as a backup would that began then; made is when the snapshot says that it was.
func (c *pondClient) commits(score string, mute bool, begin, made time.Time) {
	c.t.Helper()
	a, _, errs := c.begin()
	a.storePath = swarmWord
	if mute {
		a.mute()
	}
	n, err := a.open(c.t.Context(), score)
	c.do(err)
	cat, err := a.snapshots(c.t.Context())
	c.do(err)
	snap := snapshotOf(n.tree)
	snap.Time = made.UTC().Truncate(time.Second)
	c.do(a.commit(c.t.Context(), cat, snap, venti.Score{}, begin, nil))
	if (a.apart != nil) != mute {
		c.t.Fatalf("not published: %v; %s", a.apart, errs)
	}
	c.do(a.close())
}
