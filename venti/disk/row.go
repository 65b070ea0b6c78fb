package disk

import (
	"errors"
	"fmt"

	"github.com/multiformats/go-multihash"

	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// kindBlock is the kind of the arena records that hold blocks.
const kindBlock = 1

// row is what the index knows about a block.
type row struct {
	loc   arena.Loc
	bad   bool   // what stands at loc is not the block
	trash bool   // no snapshot needed it when Trash last looked, and nobody asked for it since
	stamp uint64 // of trash: sessions from this number on began after it became trash
}

const (
	flagBad   = 1
	flagTrash = 2
)

var errRow = errors.New("row of a block")

// indexRow returns r as the index keeps it.
func (r row) indexRow() index.Row {
	out := index.Row{Loc: r.loc}
	if r.bad {
		out.Flags |= flagBad
	}
	if r.trash {
		out.Flags |= flagTrash
		out.Extra = string(venti.AppendUint(nil, r.stamp))
	}
	return out
}

// parseRow is the inverse of indexRow, and accepts nothing else.
func parseRow(x index.Row) (r row, err error) {
	if x.Flags&^(flagBad|flagTrash) != 0 {
		return row{}, fmt.Errorf("%w: flags %#x are not known to this program", errRow, x.Flags)
	}
	r = row{loc: x.Loc, bad: x.Flags&flagBad != 0, trash: x.Flags&flagTrash != 0}
	d := venti.NewDecoder([]byte(x.Extra))
	if r.trash {
		r.stamp = d.Uint(1<<64 - 1)
	}
	if err := d.Finish(); err != nil {
		return row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	return r, nil
}

// scoreKey returns the key of a block in the arenas: its score as a multihash, so that the hash may change one day.
func scoreKey(s venti.Score) []byte {
	b, err := multihash.Encode(s[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // a constant code and length
	}
	return b
}

// parseScoreKey is the inverse of scoreKey. Another hash is an error.
func parseScoreKey(b []byte) (venti.Score, error) {
	h, err := multihash.Decode(b)
	if err != nil {
		return venti.Score{}, fmt.Errorf("block key: %w", err)
	}
	if h.Code != multihash.SHA2_256 || h.Length != venti.ScoreSize {
		return venti.Score{}, fmt.Errorf("block key: hash %s of %d bytes is not known to this program", h.Name, h.Length)
	}
	return venti.Score(h.Digest), nil
}

// recordKey returns the key in the index of a record.
func recordKey(kind byte, key []byte) ([]byte, error) {
	if kind != kindBlock {
		return nil, fmt.Errorf("record of kind %d is not known to this program", kind)
	}
	_, err := parseScoreKey(key)
	return key, err
}

// recordRow returns what a record says: where the block is.
func recordRow(loc arena.Loc, _ arena.Record) (index.Row, error) { return index.Row{Loc: loc}, nil }
