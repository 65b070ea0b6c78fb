package tree_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// quiet waits until no more goroutines run than before.
func quiet(t *testing.T, before int) {
	t.Helper()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("goroutines outlive Close:\n%s", buf[:runtime.Stack(buf, true)])
}

// TestStreamClose closes streams whose fetches hang, after none to two pieces.
func TestStreamClose(t *testing.T) {
	r := newRig(t)
	e := r.write(t, tree.Cut{Avg: 1000, Fixed: true}, noise(1, 20_000))
	free := map[venti.Score]bool{}
	for _, v := range walked(t, r, e)[:3] { // the pointer block and two leaves
		free[v.b.Ref.Score] = true
	}
	r.get = func(ctx context.Context, score venti.Score) ([]byte, error) {
		if free[score] {
			return nil, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for calls := range 3 {
		src := tree.NewSource(r.store, r.sealer, 0)
		before := runtime.NumGoroutine()
		s := tree.NewStream(t.Context(), src, e, 0, 4)
		for range calls {
			if _, err := s.Next(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		s.Close()
		quiet(t, before)
	}
}

func TestReaderClose(t *testing.T) {
	r := newRig(t)
	data := noise(1, 20_000)
	e := r.write(t, tree.Cut{Avg: 1000, Fixed: true}, data)
	before := runtime.NumGoroutine()
	rd := tree.NewReader(t.Context(), r.src, e)
	got := make([]byte, 0, len(data))
	for len(got) < len(data) {
		n := min(777, len(data)-len(got))
		if _, err := io.ReadFull(rd, got[len(got):len(got)+n]); err != nil {
			t.Fatal(err)
		}
		got = got[:len(got)+n]
		if err := rd.Close(); err != nil { // it goes on from where it was
			t.Fatal(err)
		}
		quiet(t, before)
	}
	check(t, "read in pieces with Close between", got, data)
}

// TestWriterCancelled cancels a Writer whose store hangs.
func TestWriterCancelled(t *testing.T) {
	r := newRig(t)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	hanging := make(chan struct{}, 1000)
	r.put = func(ctx context.Context) error {
		hanging <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	w := tree.NewWriter(ctx, r.sink, small)
	go func() {
		<-hanging
		cancel()
	}()
	if _, err := w.ReadFrom(bytes.NewReader(noise(1, 100_000))); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadFrom: %v", err)
	}
	if _, err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	quiet(t, before)

	r.put = func(context.Context) error { return nil } // it does not look at the context
	w = tree.NewWriter(ctx, r.sink, small)
	_, _ = w.Write(noise(2, 10))
	if _, err := w.Close(); !errors.Is(err, context.Canceled) || r.Len() > 0 {
		t.Errorf("a Writer of a cancelled context: %v, %d blocks", err, r.Len())
	}
}

func TestReaderCancelled(t *testing.T) {
	r := newRig(t)
	e := r.write(t, small, noise(1, 20_000))
	ctx, cancel := context.WithCancel(t.Context())
	r.get = func(ctx context.Context, _ venti.Score) ([]byte, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	before := runtime.NumGoroutine()
	for way, err := range reads(ctx, r.src, e) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", way, err)
		}
	}
	quiet(t, before)
}

// TestManyAtOnce writes streams through one Sink and reads them through one Source and one Reader, all at once.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	shared, want := lakes(t, r)
	all := tree.NewReader(t.Context(), r.src, shared)
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for i := range byte(8) {
		wg.Go(func() {
			data := noise(i/2, 60_000) // each of them twice
			w := tree.NewWriter(t.Context(), r.sink, small)
			_, _ = w.Write(data)
			e, err := w.Close()
			if err != nil {
				errs <- err
				return
			}
			rd := tree.NewReader(t.Context(), r.src, e)
			defer rd.Close()
			if got, err := io.ReadAll(rd); err != nil || !bytes.Equal(got, data) {
				errs <- fmt.Errorf("stream %d: %d bytes, %v", i, len(got), err)
			}
		})
		wg.Go(func() {
			p := make([]byte, 3000)
			for off := int64(i) * 1000; off+3000 < shared.Size; off += 7919 {
				if _, err := all.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:off+3000]) {
					errs <- fmt.Errorf("at %d: %v", off, err)
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}
