package head_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

func open(t testing.TB, cfg head.ShelfConfig) *head.Shelf {
	t.Helper()
	s, err := head.OpenShelf(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func take(t testing.TB, s *head.Shelf, heads ...venti.Head) []head.Verdict {
	t.Helper()
	v, _, err := s.Take(heads, start)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wants(t *testing.T, s *head.Shelf, o dhash.Owner, want ...venti.Head) {
	t.Helper()
	if got := s.Of(o); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
}

// What is kept is there when the shelf is opened again, whether it was closed or not.
func TestShelf(t *testing.T) {
	cfg := head.ShelfConfig{File: filepath.Join(t.TempDir(), "heads")}
	s := open(t, cfg)
	verdicts := take(t, s, sign(1, 3, 30), sign(2, 1, 10), sign(1, 4, 40), sign(2, 1, 5), sign(1, 3, 31), sign(1, 4, 40))
	want := []head.Verdict{head.New, head.New, head.New, head.Conflict, head.Older, head.Same}
	if !slices.Equal(verdicts, want) {
		t.Errorf("%v, want %v", verdicts, want)
	}
	for range 2 {
		wants(t, s, owner(1), sign(1, 4, 40))
		wants(t, s, owner(2), sign(2, 1, 5), sign(2, 1, 10))
		wants(t, s, owner(3))
		if owners, conflicts := s.Count(); owners != 2 || conflicts != 1 || len(s.Owners()) != 2 {
			t.Errorf("%d owners, %d in conflict, %d listed", owners, conflicts, len(s.Owners()))
		}
		s = open(t, cfg)
	}
	if err := s.Drop(owner(2), owner(3)); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	wants(t, s, owner(1), sign(1, 4, 40))
	wants(t, s, owner(2))
	if owners, conflicts := s.Count(); owners != 1 || conflicts != 0 {
		t.Errorf("%d owners, %d in conflict", owners, conflicts)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Take([]venti.Head{sign(5, 1, 1)}, start); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// An owner who signs without end does not make the file grow without end.
func TestFileIsBounded(t *testing.T) {
	cfg := head.ShelfConfig{File: filepath.Join(t.TempDir(), "heads")}
	s := open(t, cfg)
	for i := range uint64(1000) {
		take(t, s, sign(1, i+1, byte(i)))
	}
	info, err := os.Stat(cfg.File)
	if err != nil || info.Size() > 300*venti.HeadSize {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	wants(t, open(t, cfg), owner(1), sign(1, 1000, 999&0xff))
}

// A crash may cut the file anywhere behind what was acknowledged, and any byte of it may be damaged: the other heads
// are there, and what comes then is kept as ever.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	cfg := head.ShelfConfig{File: filepath.Join(dir, "heads")}
	heads := []venti.Head{sign(1, 3, 30), sign(2, 1, 10), sign(3, 8, 40)}
	take(t, open(t, cfg), heads...)
	whole, err := os.ReadFile(cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	try := func(content []byte, lost func(i int) bool) {
		t.Helper()
		if err := os.WriteFile(cfg.File, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		take(t, s, sign(4, 1, 1))
		s.Close()
		s = open(t, cfg)
		for i, h := range heads {
			if got := s.Of(h.Owner); len(got) == 0 != lost(i) || len(got) == 1 && got[0] != h {
				t.Errorf("head %d of %d bytes: %v", i, len(content), got)
			}
		}
		wants(t, s, owner(4), sign(4, 1, 1))
		s.Close()
	}
	for n := 0; n < len(whole); n += 2 {
		try(whole[:n], func(i int) bool { return (i+1)*venti.HeadSize > n })
	}
	for n := 0; n < len(whole); n += 5 {
		bad := bytes.Clone(whole)
		bad[n] ^= 1 << (n % 8)
		try(bad, func(i int) bool { return i == n/venti.HeadSize })
	}
}

// On a disk that somebody else fills to the last byte nothing is taken, also where half of a record fits, and what is
// there stays as it was; with room again the next one is whole.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	cfg := head.ShelfConfig{File: filepath.Join(disk, "heads")}
	s := open(t, cfg)
	take(t, s, sign(1, 1, 1))
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = ballast.Write(make([]byte, 4096))
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	kept := sign(1, 1, 1)
	for i := uint64(2); ; i++ { // until the page is full that the file has
		h := sign(1, i, byte(i))
		_, _, err := s.Take([]venti.Head{h}, start)
		if err != nil {
			if !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("on a full disk: %v", err)
			}
			break
		}
		if kept = h; i > 1000 {
			t.Fatal("the disk takes everything")
		}
	}
	for range 2 { // a second failure is of a file that is as the first has left it
		if _, _, err := s.Take([]venti.Head{sign(2, 1, 1)}, start); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	wants(t, s, owner(1), kept)
	wants(t, s, owner(2))
	info, err := os.Stat(cfg.File)
	if err != nil || info.Size() != int64(kept.Sequence)*venti.HeadSize {
		t.Errorf("the file has %d bytes after %d heads, %v", info.Size(), kept.Sequence, err)
	}
	wants(t, open(t, cfg), owner(1), kept)
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	take(t, s, sign(2, 1, 1), sign(1, 99, 99))
	s = open(t, cfg)
	wants(t, s, owner(1), sign(1, 99, 99))
	wants(t, s, owner(2), sign(2, 1, 1))
}

// A file that can be neither written nor cut is given up, and made anew as soon as that works.
func TestLostFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "member")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := head.ShelfConfig{File: filepath.Join(dir, "heads")}
	s := open(t, cfg)
	take(t, s, sign(1, 1, 1))
	head.BreakFile(s)
	if err := os.Rename(dir, dir+" is away"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // at first the file fails, then there is none
		if _, _, err := s.Take([]venti.Head{sign(1, 2, 2)}, start); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("without a folder: %v", err)
		}
		wants(t, s, owner(1), sign(1, 1, 1))
	}
	if err := os.Rename(dir+" is away", dir); err != nil {
		t.Fatal(err)
	}
	take(t, s, sign(1, 3, 3))
	take(t, s, sign(2, 1, 1))
	s = open(t, cfg)
	wants(t, s, owner(1), sign(1, 3, 3))
	wants(t, s, owner(2), sign(2, 1, 1))
}

// When the shelf is full another owner is refused, unless fragments of it are here: then one of whom there are none
// goes. What is there stays up to date all the same.
func TestFullShelf(t *testing.T) {
	prefers := map[dhash.Owner]bool{owner(1): true, owner(9): true, owner(10): true}
	cfg := head.ShelfConfig{File: filepath.Join(t.TempDir(), "heads"), Owners: 3,
		Prefer: func(o dhash.Owner) bool { return prefers[o] }}
	s := open(t, cfg)
	got := take(t, s, sign(1, 1, 1), sign(2, 1, 1), sign(3, 1, 1), sign(4, 1, 1), sign(3, 2, 2))
	if want := []head.Verdict{head.New, head.New, head.New, head.Full, head.New}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = take(t, s, sign(9, 1, 1), sign(5, 1, 1), sign(10, 1, 1), sign(1, 2, 2))
	if want := []head.Verdict{head.New, head.Full, head.New, head.New}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	prefers[owner(6)] = true
	if got := take(t, s, sign(6, 1, 1)); got[0] != head.Full {
		t.Errorf("all places belong to others who are preferred: %v", got)
	}
	for range 2 {
		if owners, _ := s.Count(); owners != 3 || len(s.Of(owner(2)))+len(s.Of(owner(3))) != 0 {
			t.Errorf("%d owners", owners)
		}
		wants(t, s, owner(1), sign(1, 2, 2))
		wants(t, s, owner(9), sign(9, 1, 1))
		wants(t, s, owner(10), sign(10, 1, 1))
		s = open(t, cfg)
	}
}

// Who has given its place away is not there again after a restart, in the place of one who was told that its head is kept:
// also if the file could not be cleaned. The one who gives it is the farthest away.
func TestPlaceGivenAway(t *testing.T) {
	for _, clean := range []bool{true, false} {
		dir := t.TempDir()
		prefers := map[dhash.Owner]bool{owner(1): true}
		cfg := head.ShelfConfig{File: filepath.Join(dir, "heads"), Owners: 3, Self: "self",
			Prefer: func(o dhash.Owner) bool { return prefers[o] }}
		s := open(t, cfg)
		take(t, s, sign(2, 1, 1), sign(3, 1, 1), sign(4, 1, 1))
		prefers[owner(2)] = true
		if !clean { // what is written beside the file cannot take its place, but there is room in it
			if err := os.Mkdir(filepath.Join(dir, ".heads.new"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if got := take(t, s, sign(1, 1, 1)); got[0] != head.New {
			t.Fatal(got)
		}
		want := s.Owners()
		far := owner(3)
		if cfg.Self.Key().Compare(dhash.OwnerKey(owner(3)), dhash.OwnerKey(owner(4))) < 0 {
			far = owner(4)
		}
		if slices.Contains(want, far) {
			t.Errorf("the farthest owner has not given its place away")
		}
		if clean {
			prefers = nil // there is nothing to decide any more
		} else if err := os.Remove(filepath.Join(dir, ".heads.new")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if s = open(t, cfg); !slices.Equal(s.Owners(), want) {
				t.Errorf("after a restart there are others; clean %v", clean)
			}
			prefers = nil // likewise
		}
	}
}

// What newer heads of the same owner have replaced is told.
func TestReplaced(t *testing.T) {
	s := open(t, head.ShelfConfig{File: filepath.Join(t.TempDir(), "heads")})
	for _, c := range []struct {
		heads, want []venti.Head
	}{
		{[]venti.Head{sign(1, 1, 1), sign(1, 1, 2), sign(2, 5, 5)}, nil},
		{[]venti.Head{sign(1, 2, 3), sign(2, 4, 4), sign(2, 5, 5)}, []venti.Head{sign(1, 1, 1), sign(1, 1, 2)}},
		{[]venti.Head{sign(1, 3, 3), sign(3, 1, 1), sign(2, 6, 6)}, []venti.Head{sign(1, 2, 3), sign(2, 5, 5)}},
	} {
		if _, got, err := s.Take(c.heads, start); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v, %v; want %v", got, err, c.want)
		}
	}
}

// FuzzShelf opens any file: what is kept of it is there when it is opened again, and the file can be written to.
func FuzzShelf(f *testing.F) {
	one, two := sign(1, 3, 30).Append(nil), sign(1, 3, 31).Append(nil)
	f.Add([]byte{})
	f.Add(one)
	f.Add(slices.Concat(one, two, one[:20]))
	f.Add(slices.Concat(one[:144], []byte{1}, two))
	f.Fuzz(func(t *testing.T, content []byte) {
		cfg := head.ShelfConfig{File: filepath.Join(t.TempDir(), "heads"), Owners: 2}
		if err := os.WriteFile(cfg.File, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		before := map[dhash.Owner][]venti.Head{}
		for _, o := range s.Owners() {
			before[o] = s.Of(o)
		}
		s.Close()
		s = open(t, cfg)
		for _, o := range s.Owners() {
			if !slices.Equal(s.Of(o), before[o]) {
				t.Errorf("%v, was %v", s.Of(o), before[o])
			}
			delete(before, o)
		}
		if len(before) > 0 {
			t.Errorf("%v are gone", before)
		}
		if _, _, err := s.Take([]venti.Head{signAt(1, 1<<63, 1, start)}, start.Add(time.Hour)); err != nil {
			t.Error(err)
		}
	})
}
