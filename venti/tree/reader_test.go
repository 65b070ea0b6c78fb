package tree_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// lakes is a stream with data, zeros and holes, some of them longer than a leaf, and its bytes.
func lakes(t *testing.T, r *rig) (venti.Entry, []byte) {
	t.Helper()
	w := tree.NewWriter(t.Context(), r.sink, small)
	var want []byte
	for i, n := range []int{120_000, 3000, 1, 1, 90_000, 50_000, 100} {
		p := make([]byte, n)
		if i%2 == 0 {
			p = noise(byte(i), n)
			_, _ = w.Write(p)
		} else {
			_ = w.Hole(int64(n))
		}
		want = append(want, p...)
	}
	return closed(t, w), want
}

func TestReader(t *testing.T) {
	r := newRig(t)
	e, want := lakes(t, r)
	rd := tree.NewReader(t.Context(), r.src, e)
	defer rd.Close()
	if rd.Size() != int64(len(want)) || e.Depth < 2 {
		t.Errorf("size %d of %d, depth %d", rd.Size(), len(want), e.Depth)
	}
	check(t, "Read", r.readAll(t, e), want)
	short := append(noise(1, 2000), make([]byte, 1000)...)
	rs := tree.NewReader(t.Context(), r.src, r.write(t, small, short))
	defer rs.Close()
	if err := iotest.TestReader(rs, short); err != nil {
		t.Error(err)
	}
}

func TestReadAt(t *testing.T) {
	r := newRig(t)
	e, want := lakes(t, r)
	rd := tree.NewReader(t.Context(), r.src, e)
	rng := rand.New(rand.NewPCG(4, 4))
	size := int64(len(want))
	for range 3000 {
		off := rng.Int64N(size + 10)
		p := make([]byte, rng.IntN(3000))
		n, err := rd.ReadAt(p, off)
		end := min(off+int64(len(p)), size)
		if exp := max(end-off, 0); int64(n) != exp || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
			t.Fatalf("ReadAt of %d bytes at %d of %d: %d, %v", len(p), off, size, n, err)
		}
		if n > 0 {
			check(t, fmt.Sprint("at ", off), p[:n], want[off:end])
		}
	}
	if _, err := rd.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("ReadAt −1: %v", err)
	}
}

func TestSeek(t *testing.T) {
	r := newRig(t)
	e, want := lakes(t, r)
	rd := tree.NewReader(t.Context(), r.src, e)
	defer rd.Close()
	rng := rand.New(rand.NewPCG(5, 5))
	size := int64(len(want))
	var pos int64
	for range 500 {
		to := rng.Int64N(size)
		whence := rng.IntN(3)
		if got, err := rd.Seek(to-[]int64{0, pos, size}[whence], whence); got != to || err != nil {
			t.Fatalf("Seek to %d by way of %d: %d, %v", to, whence, got, err)
		}
		p := make([]byte, rng.IntN(2000))
		n, err := io.ReadFull(rd, p)
		if exp := min(int64(len(p)), size-to); int64(n) != exp || err != nil && exp == int64(len(p)) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), to, n, err)
		}
		check(t, fmt.Sprint("at ", to), p[:n], want[to:to+int64(n)])
		pos = to + int64(n)
	}
	for _, bad := range []struct {
		off    int64
		whence int
	}{{-1, io.SeekStart}, {-size - 1, io.SeekEnd}, {0, 3}, {0, -1}, {1<<63 - 1, io.SeekCurrent}} {
		if _, err := rd.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if _, err := rd.Seek(bad.off, bad.whence); err == nil {
			t.Errorf("Seek(%d, %d) is no error", bad.off, bad.whence)
		}
	}
	if _, err := rd.Seek(size+100, io.SeekStart); err != nil {
		t.Error(err)
	}
	if n, err := rd.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read behind the end: %d, %v", n, err)
	}
}

// TestStream holds that pieces follow one another without a gap from the one that contains the offset asked for.
func TestStream(t *testing.T) {
	r := newRig(t)
	e, want := lakes(t, r)
	rng := rand.New(rand.NewPCG(6, 6))
	for _, ahead := range []int{-1, 1, 2, 5, 100} {
		for range 20 {
			from := rng.Int64N(e.Size)
			s := tree.NewStream(t.Context(), r.src, e, from, ahead)
			next, first := from, true
			for {
				p, err := s.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if first && (p.Off > from || p.Off+p.Len <= from) || !first && p.Off != next || p.Len <= 0 {
					t.Fatalf("from %d, at %d: piece of %d bytes at %d", from, next, p.Len, p.Off)
				}
				data := p.Data
				if data == nil {
					data = make([]byte, p.Len)
				}
				check(t, fmt.Sprint("piece at ", p.Off), data, want[p.Off:p.Off+p.Len])
				first, next = false, p.Off+p.Len
			}
			if next != e.Size {
				t.Fatalf("stream from %d ends at %d of %d", from, next, e.Size)
			}
			if _, err := s.Next(); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			s.Close()
			if _, err := s.Next(); err == nil || err == io.EOF {
				t.Errorf("after Close: %v", err)
			}
		}
	}
	for _, from := range []int64{e.Size, e.Size + 1} {
		s := tree.NewStream(t.Context(), r.src, e, from, 3)
		if _, err := s.Next(); err != io.EOF {
			t.Errorf("stream from %d of %d: %v", from, e.Size, err)
		}
		s.Close()
	}
}

// TestReadAhead holds that a stream asks for as many leaves at once as it was told to, and not for more.
func TestReadAhead(t *testing.T) {
	r := newRig(t)
	e := r.write(t, tree.Cut{Avg: 1000, Fixed: true}, noise(1, 50_000))
	if _, err := r.src.Block(t.Context(), e.Top); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 100)
	gate := make(chan struct{})
	r.get = func(context.Context, venti.Score) ([]byte, error) {
		asked <- struct{}{}
		<-gate
		return nil, nil
	}
	s := tree.NewStream(t.Context(), r.src, e, 0, 7)
	defer s.Close()
	done := make(chan error)
	go func() {
		_, err := s.Next()
		done <- err
	}()
	for range 7 {
		<-asked
	}
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(asked) != 0 {
		t.Errorf("%d leaves more than 7 were fetched", len(asked))
	}
}

// TestFetchOnce holds that readers of one block share a fetch, and that it is cached.
func TestFetchOnce(t *testing.T) {
	r := newRig(t)
	e := r.write(t, tree.Files(), noise(1, 100_000))
	gate := make(chan struct{})
	r.get = func(context.Context, venti.Score) ([]byte, error) {
		<-gate
		return nil, nil
	}
	errs := make(chan error)
	for range 10 {
		go func() {
			_, err := r.src.Block(t.Context(), e.Top)
			errs <- err
		}()
	}
	close(gate)
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := r.gets[e.Top.Score]; n != 1 {
		t.Errorf("%d fetches of one block", n)
	}
}

// TestOtherCancelled holds that a reader does not fail because the one it waited for was cancelled.
func TestOtherCancelled(t *testing.T) {
	r := newRig(t)
	data := noise(1, 1000)
	e := r.write(t, tree.Files(), data)
	asked := make(chan struct{}, 2)
	first := true
	r.get = func(ctx context.Context, _ venti.Score) ([]byte, error) {
		r.mu.Lock()
		wait := first
		first = false
		r.mu.Unlock()
		if wait {
			asked <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, err := r.src.Block(ctx, e.Top)
		errs <- err
	}()
	<-asked
	go func() {
		b, err := r.src.Block(t.Context(), e.Top)
		if err == nil && len(b) != len(data) {
			err = fmt.Errorf("%d bytes", len(b))
		}
		errs <- err
	}()
	cancel()
	var cancelled int
	for range 2 {
		if err := <-errs; errors.Is(err, context.Canceled) {
			cancelled++
		} else if err != nil {
			t.Error(err)
		}
	}
	if cancelled != 1 {
		t.Errorf("%d of the two readers were cancelled, want the one", cancelled)
	}
}

// TestCache reads two blocks in turn where one only fits.
func TestCache(t *testing.T) {
	r := newRig(t)
	r.src = tree.NewSource(r.store, r.sealer, 15_000)
	a, b := r.write(t, tree.Files(), noise(1, 10_000)), r.write(t, tree.Files(), noise(2, 10_000))
	large := r.write(t, tree.Files(), noise(3, 20_000))
	for range 3 {
		for _, e := range []venti.Entry{a, a, b, b, large} {
			if _, err := r.src.Block(t.Context(), e.Top); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, n := range map[venti.Score]int{a.Top.Score: 3, b.Top.Score: 3, large.Top.Score: 3} {
		if got := r.gets[what]; got != n {
			t.Errorf("block fetched %d times, want %d", got, n)
		}
	}
	if r.src.Store() != venti.Store(r.store) {
		t.Error("Store is another one")
	}
}
