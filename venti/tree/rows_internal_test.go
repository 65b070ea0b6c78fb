package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/ventitest"
)

// rowsTree stores the pointer blocks over rows that are made up, and returns the entry.
func rowsTree(t *testing.T, sink *Sink, rows []row) venti.Entry {
	t.Helper()
	w := NewWriter(t.Context(), sink, Files())
	for _, r := range rows {
		w.size += r.n
		w.add(0, r)
	}
	e, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestPointerInsert changes one leaf of a million at the front, in the middle and at the end: about a pointer block a
// level is rewritten. A million leaves are a stream of a terabyte.
func TestPointerInsert(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	rows := make([]row, n)
	for i := range rows {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		rows[i] = row{n: 1 << 20, ref: venti.Ref{Score: sha256.Sum256(seed[:]), Key: sha256.Sum256(seed[1:])}}
	}
	store := ventitest.NewMemory()
	sealer, err := seal.New(seal.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	sink := NewSink(store, sealer, nil)
	e := rowsTree(t, sink, rows)
	t.Logf("%d rows: depth %d, %d pointer blocks, %d rows in one on average", n, e.Depth, store.Len(), n/store.Len())
	fresh := row{n: 1 << 20, ref: venti.Ref{Score: sha256.Sum256([]byte("new")), Key: sha256.Sum256(nil)}}
	for _, c := range []struct {
		what    string
		changed []row
	}{
		{"inserted at the front", slices.Concat([]row{fresh}, rows)},
		{"removed in the middle", slices.Concat(rows[:n/2], rows[n/2+1:])},
		{"added at the end", append(slices.Clip(rows), fresh)},
	} {
		before := store.Len()
		f := rowsTree(t, sink, c.changed)
		blocks := store.Len() - before
		t.Logf("a row %s: %d new pointer blocks, depth %d", c.what, blocks, f.Depth)
		if blocks > 3*e.Depth {
			t.Errorf("a row %s: %d new pointer blocks of depth %d", c.what, blocks, e.Depth)
		}
	}
}
