package tree_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// isBlockError reports whether err is want, about the block with the given score, and is no other of the three.
func isBlockError(err, want error, score venti.Score) bool {
	var be *venti.BlockError
	if !errors.As(err, &be) || be.Score != score {
		return false
	}
	for _, e := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt} {
		if errors.Is(err, e) != (e == want) {
			return false
		}
	}
	return true
}

// reads reads all of e in every way there is, and returns the errors by way.
func reads(ctx context.Context, src *tree.Source, e venti.Entry) map[string]error {
	errs := map[string]error{}
	rd := tree.NewReader(ctx, src, e)
	defer rd.Close()
	_, errs["Read"] = io.Copy(io.Discard, rd)
	_, errs["ReadAt"] = rd.ReadAt(make([]byte, e.Size), 0)
	for _, ahead := range []int{1, 4} {
		s := tree.NewStream(ctx, src, e, 0, ahead)
		var err error
		for err == nil {
			_, err = s.Next()
		}
		if _, again := s.Next(); again != err {
			errs["Next after an error"] = again
		}
		s.Close()
		if err == io.EOF {
			err = nil
		}
		errs[map[int]string{1: "Stream", 4: "Stream ahead"}[ahead]] = err
	}
	return errs
}

// TestDamage takes away, spoils and exchanges each block of a stream in turn. Whichever way the stream is read, the
// error must say what is wrong and with which block.
func TestDamage(t *testing.T) {
	r := newRig(t)
	e := r.write(t, tree.Cut{Avg: 100, Fixed: true}, noise(1, 40_000))
	var refs []venti.Ref
	for i, v := range walked(t, r, e) {
		if v.b.Level > 0 || i%50 == 3 {
			refs = append(refs, v.b.Ref)
		}
	}
	other, err := r.Memory.Get(t.Context(), refs[len(refs)-1].Score)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := func(score venti.Score) []byte {
		b, err := r.Memory.Get(t.Context(), score)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		return b
	}
	for _, ref := range refs[:len(refs)-1] {
		for _, c := range []struct {
			name string
			want error
			err  error
			data []byte
		}{
			{"missing", venti.ErrNotFound, &venti.BlockError{Op: "get", Score: ref.Score, Err: venti.ErrNotFound}, nil},
			{"unavailable", venti.ErrUnavailable, &venti.BlockError{Op: "get", Score: ref.Score, Err: venti.ErrUnavailable}, nil},
			{"corrupt", venti.ErrCorrupt, &venti.BlockError{Op: "get", Score: ref.Score, Err: venti.ErrCorrupt}, nil},
			{"spoiled unseen by the store", venti.ErrCorrupt, nil, spoiled(ref.Score)},
			{"another block", venti.ErrCorrupt, nil, other},
			{"cut short", venti.ErrCorrupt, nil, other[:5]},
		} {
			r.get = func(_ context.Context, s venti.Score) ([]byte, error) {
				if s == ref.Score {
					return c.data, c.err
				}
				return nil, nil
			}
			src := tree.NewSource(r.store, r.sealer, 1<<20)
			for way, err := range reads(t.Context(), src, e) {
				if !isBlockError(err, c.want, ref.Score) {
					t.Errorf("%s of %s: %v, want %v", way, c.name, err, c.want)
				}
			}
		}
	}
}

// TestWrongEntry reads blocks that are sound through entries that do not fit them.
func TestWrongEntry(t *testing.T) {
	r := newRig(t)
	leaf := r.write(t, tree.Files(), noise(1, 1000))
	tall := r.write(t, tree.Cut{Avg: 100, Fixed: true}, noise(2, 5000))
	for name, e := range map[string]venti.Entry{
		"leaf too short":               {Top: leaf.Top, Size: 1001},
		"leaf too long":                {Top: leaf.Top, Size: 999},
		"leaf as a pointer block":      {Top: leaf.Top, Depth: 1, Size: 1000},
		"pointer block as a leaf":      {Top: tall.Top, Size: 5000},
		"pointer block of level 2":     {Top: tall.Top, Depth: 2, Size: 5000},
		"pointer block of fewer bytes": {Top: tall.Top, Depth: 1, Size: 4999},
		"pointer block of more bytes":  {Top: tall.Top, Depth: 1, Size: 5001},
	} {
		for way, err := range reads(t.Context(), r.src, e) {
			if !isBlockError(err, venti.ErrCorrupt, e.Top.Score) {
				t.Errorf("%s, %s: %v", name, way, err)
			}
		}
	}
}

// TestReadAgain holds that a Reader gives no byte for a leaf that it could not have, however often it is asked, and
// goes on once the leaf is back.
func TestReadAgain(t *testing.T) {
	r := newRig(t)
	data := noise(1, 3000)
	e := r.write(t, tree.Cut{Avg: 1000, Fixed: true}, data)
	second := walked(t, r, e)[2].b.Ref.Score
	r.src = tree.NewSource(r.store, r.sealer, 0)
	r.Unavailable(second, true)
	rd := tree.NewReader(t.Context(), r.src, e)
	defer rd.Close()
	got, err := io.ReadAll(rd)
	check(t, "before", got, data[:1000])
	for range 3 {
		n, err := rd.Read(make([]byte, 10))
		if n != 0 || !isBlockError(err, venti.ErrUnavailable, second) {
			t.Fatalf("read again: %d bytes, %v", n, err)
		}
	}
	if !isBlockError(err, venti.ErrUnavailable, second) {
		t.Error(err)
	}
	r.Unavailable(second, false)
	got, err = io.ReadAll(rd)
	check(t, "after", got, data[1000:])
	if err != nil {
		t.Error(err)
	}
}

// TestPutFails holds that a Writer reports the error of its store at the latest when it is closed.
func TestPutFails(t *testing.T) {
	full := errors.New("disk full")
	for _, after := range []int{0, 1, 7, 200} {
		r := newRig(t)
		n := 0
		r.put = func(context.Context) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if n++; n > after {
				return full
			}
			return nil
		}
		w := tree.NewWriter(t.Context(), r.sink, small)
		_, _ = w.Write(noise(1, 30_000))
		_ = w.Hole(10)
		if e, err := w.Close(); err != full || e != (venti.Entry{}) {
			t.Errorf("after %d: %+v, %v", after, e, err)
		}
	}
}
