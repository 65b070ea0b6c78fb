package vac_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// full is an entry of each type with all that it can have.
func full() []vac.Dir {
	d := vac.Dir{Mode: 0o7751, UID: 1 << 31, GID: 5, User: "ann\xff", Group: "staff", ModTime: vac.Stamp{Sec: -5, Nsec: 999},
		ChangeTime: vac.Stamp{Sec: 1 << 40, Nsec: 1}, Device: 2, Inode: 1 << 63, Links: 3,
		Xattrs: []vac.Xattr{{Name: "a", Value: ""}, {Name: "b", Value: "\x00\x01"}}}
	ref := venti.Ref{Score: venti.Score{1}, Key: venti.Key{2}}
	var out []vac.Dir
	for i, c := range []struct {
		t      vac.Type
		change func(d *vac.Dir)
	}{
		{vac.File, func(*vac.Dir) {}},
		{vac.File, func(d *vac.Dir) {
			d.Size, d.Content = 9, vac.Content{Kind: vac.Sliced, Slice: vac.Slice{Block: ref, Offset: 7, Hash: vac.Digest{3}}}
		}},
		{vac.File, func(d *vac.Dir) {
			d.Size, d.Sparse, d.Content = 1<<40, true, vac.Content{Kind: vac.Stream, Stream: venti.Entry{Size: 1 << 40}}
		}},
		{vac.File, func(d *vac.Dir) {
			d.Size, d.Content = 77, vac.Content{Kind: vac.Stream, Stream: venti.Entry{Top: ref, Depth: 3, Size: 77}}
		}},
		{vac.Directory, func(d *vac.Dir) { d.Links = 1 }},
		{vac.Directory, func(d *vac.Dir) { d.Links, d.Content = 1, vac.Content{Kind: vac.Nested, Nested: []byte("\x01abc")} }},
		{vac.Directory, func(d *vac.Dir) {
			d.Links, d.Content = 1, vac.Content{Kind: vac.Stream, Stream: venti.Entry{Top: ref, Size: 40_000}}
		}},
		{vac.Symlink, func(d *vac.Dir) { d.Target = "../x\xfe" }},
		{vac.Fifo, func(d *vac.Dir) { d.Links = 1 }},
		{vac.CharDevice, func(d *vac.Dir) { d.Major, d.Minor = 1, 1<<32-1 }},
		{vac.BlockDevice, func(d *vac.Dir) { d.Major, d.Minor, d.Xattrs = 8, 0, nil }},
		{vac.Socket, func(d *vac.Dir) { d.ModTime = vac.Stamp{} }},
	} {
		e := d
		e.Name, e.Type = fmt.Sprintf("%02d", i), c.t
		c.change(&e)
		out = append(out, e)
	}
	return out
}

// TestEveryType writes an entry of each type, in all ways of having content, and reads it back.
func TestEveryType(t *testing.T) {
	r := newRig(t)
	dirs := map[string]vac.Dir{}
	for _, d := range full() {
		dirs[d.Name] = d
	}
	got := r.all(t, r.build(t, dirs))
	if len(got) != len(dirs) {
		t.Fatalf("%d entries of %d", len(got), len(dirs))
	}
	for _, d := range got {
		if !reflect.DeepEqual(*d, dirs[d.Name]) {
			t.Errorf("%+v, want\n%+v", *d, dirs[d.Name])
		}
	}
}

// TestZeroLeaf makes directories that end in so many zeros that their last leaf is a hole.
func TestZeroLeaf(t *testing.T) {
	r := newRig(t)
	holes := 0
	for pad := 0; pad < 64<<10; pad += 4 << 10 {
		d := meta("x", vac.File)
		for i, n := range []int{60_000, 60_000, 60_000, pad, 64 << 10} {
			d.Xattrs = append(d.Xattrs, vac.Xattr{Name: fmt.Sprint("user.", i), Value: string(make([]byte, n))})
		}
		c := r.build(t, map[string]vac.Dir{"x": d})
		s := tree.NewStream(t.Context(), r.src, c.Stream, 0, 1)
		for p, err := s.Next(); err == nil; p, err = s.Next() {
			if p.Data == nil {
				holes++
			}
		}
		s.Close()
		if got := r.all(t, c); len(got) != 1 || !reflect.DeepEqual(*got[0], d) {
			t.Errorf("pad %d: %d entries", pad, len(got))
		}
	}
	if holes == 0 {
		t.Error("no directory had a leaf of zeros")
	}
}

// stored returns a directory stream of the given bytes and zeros behind them.
func (r *rig) stored(t testing.TB, data string, zeros int64) vac.Content {
	t.Helper()
	w := tree.NewWriter(t.Context(), r.sink, tree.Entries())
	_, _ = io.WriteString(w, data)
	_ = w.Hole(zeros)
	e, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return vac.Content{Kind: vac.Stream, Stream: e}
}

// TestSpoiltStreams reads streams that are sound and hold no directory.
func TestSpoiltStreams(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]vac.Content{
		"no bytes":                {Kind: vac.Stream},
		"zeros":                   r.stored(t, "", 100),
		"zeros without end":       r.stored(t, "", 1<<60),
		"a file":                  r.stored(t, words(1, 100_000), 0),
		"a length and no record":  r.stored(t, "\x01\xff\xff\xff\x03", 0),
		"a record of endless 0s":  r.stored(t, "\x01\xff\xff\xff\x03", 1<<40),
		"a record of no bytes":    r.stored(t, "\x01\x00", 0),
		"zeros behind the header": r.stored(t, "\x01", 1<<40),
	} {
		es := vac.NewEntries(t.Context(), r.src, c)
		d, err := es.Next()
		for err == nil {
			d, err = es.Next()
		}
		if !errors.Is(err, venti.ErrCorrupt) || d != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		if _, again := es.Next(); again != err {
			t.Errorf("%s, once more: %v", name, again)
		}
		es.Close()
	}
	es := vac.NewEntries(t.Context(), r.src, vac.Content{Kind: 77})
	if _, err := es.Next(); err == nil || err == io.EOF {
		t.Errorf("content of an unknown kind: %v", err)
	}
}

// TestEntriesErrors holds that what goes wrong below a directory comes out as what it is.
func TestEntriesErrors(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, crowd(5000)...)
	c := tr.Top().Content
	score := c.Stream.Top.Score
	for want, prepare := range map[error]func() (context.Context, func()){
		venti.ErrUnavailable: func() (context.Context, func()) {
			r.Unavailable(score, true)
			return t.Context(), func() { r.Unavailable(score, false) }
		},
		context.Canceled: func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		},
		context.DeadlineExceeded: func() (context.Context, func()) {
			return context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		},
		io.ErrUnexpectedEOF: func() (context.Context, func()) {
			r.Fail(io.ErrUnexpectedEOF) // of a broken connection
			return t.Context(), func() { r.Fail(nil) }
		},
	} {
		r.fresh()
		ctx, undo := prepare()
		es := vac.NewEntries(ctx, r.src, c)
		_, err := es.Next()
		if !errors.Is(err, want) || errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("%v, want %v", err, want)
		}
		es.Close()
		undo()
	}
	es := vac.NewEntries(t.Context(), r.src, c)
	if _, err := es.Next(); err != nil {
		t.Fatal(err)
	}
	es.Close()
	if _, err := es.Next(); err != io.ErrClosedPipe {
		t.Errorf("Next after Close: %v", err)
	}
}

// TestMany writes a directory of 100,000 files, changes one, and says what it takes.
func TestMany(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	r := newRig(t)
	kids := crowd(n)
	start := time.Now()
	tr := r.snapshot(t, kids...)
	blocks, size := r.sink.Written()
	t.Logf("%d entries: %d blocks, %d bytes an entry stored, %v", n, blocks, size/int64(n),
		time.Since(start).Round(time.Millisecond))
	start = time.Now()
	if got := len(r.all(t, tr.Top().Content)); got != n {
		t.Fatalf("%d entries, want %d", got, n)
	}
	t.Logf("read in %v", time.Since(start).Round(time.Millisecond))
	for _, i := range []int{0, n / 2, n - 1} {
		if d, err := tr.Lookup(t.Context(), kids[i].Name); err != nil || d.Size != int64(len(kids[i].data)) {
			t.Errorf("%s: %v", kids[i].Name, err)
		}
	}

	before := r.Len()
	w := vac.NewDirWriter(t.Context(), r.sink, r.src, tr.Top().Content)
	es, err := tr.Entries(t.Context(), tr.Top())
	if err != nil {
		t.Fatal(err)
	}
	defer es.Close()
	for {
		d, err := es.Next()
		if err == io.EOF {
			break
		}
		if err == nil && strings.HasSuffix(d.Name, "5000") {
			touched := *d
			touched.ModTime.Sec++
			_, err = w.Replace(&touched, d)
		} else if err == nil {
			err = w.Keep(d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.CloseStream(); err != nil {
		t.Fatal(err)
	}
	fresh, changed := r.Len()-before, n/10_000
	t.Logf("%d changed entries: %d new blocks of %d", changed, fresh, before)
	if fresh > 2*changed+2 {
		t.Errorf("%d changed entries made %d new blocks", changed, fresh)
	}
}
