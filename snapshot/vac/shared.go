package vac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A Share says how much of a shared block a snapshot uses.
type Share struct {
	Size uint64 // length of the block's plaintext, in bytes
	Used uint64 // the sum of the snapshot's slices of it; a slice that two files share counts twice
}

// Shares is the table of the shared blocks that a snapshot uses. It lies in the snapshot, so that the next run knows
// which blocks are hardly used any more without reading a directory.
type Shares map[venti.Score]Share

const sharesVersion = 1

// Write stores the table.
func (s Shares) Write(ctx context.Context, sink *tree.Sink) (venti.Entry, error) {
	w := tree.NewWriter(ctx, sink, tree.Entries())
	_, err := w.Write(appendShares(s))
	_ = err // Close reports it
	return w.Close()
}

// appendShares returns the encoding of the table: version, then for each block score, size and used, sorted by score;
// of an empty table no bytes.
func appendShares(s Shares) (b []byte) {
	for _, score := range slices.SortedFunc(maps.Keys(s), func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) }) {
		if b == nil {
			b = append(b, sharesVersion)
		}
		b = append(b, score[:]...)
		b = venti.AppendUint(b, s[score].Size)
		b = venti.AppendUint(b, s[score].Used)
	}
	return b
}

// ReadShares reads the table that Write stored.
func ReadShares(ctx context.Context, src *tree.Source, e venti.Entry) (Shares, error) {
	if e.Size > 1<<30 {
		return nil, fmt.Errorf("table of shared blocks: %d bytes are too many", e.Size)
	}
	r := tree.NewReader(ctx, src, e)
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("table of shared blocks: %w", err)
	}
	s, err := parseShares(b)
	if err != nil {
		return nil, &venti.BlockError{Op: "read table of shared blocks", Score: e.Top.Score,
			Err: fmt.Errorf("%w: %w", venti.ErrCorrupt, err)}
	}
	return s, nil
}

func parseShares(b []byte) (Shares, error) {
	s := Shares{}
	if len(b) == 0 {
		return s, nil
	}
	d := venti.NewDecoder(b)
	if v := d.Byte(); v != sharesVersion {
		return nil, fmt.Errorf("version %d is not known to this program", v)
	}
	var last venti.Score
	for d.Len() > 0 {
		var score venti.Score
		copy(score[:], d.Fixed(len(score)))
		row := Share{Size: d.Uint(venti.MaxBlock), Used: d.Uint(1 << 62)}
		if d.Err() == nil && bytes.Compare(last[:], score[:]) >= 0 {
			d.Fail(errors.New("rows are not in order"))
		}
		last = score
		s[score] = row
	}
	if d.Err() == nil && len(s) == 0 {
		d.Fail(errors.New("version and no rows: an empty table has no bytes"))
	}
	if err := d.Finish(); err != nil {
		return nil, err
	}
	return s, nil
}
