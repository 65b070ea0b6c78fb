package disk

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-datastore"
	"github.com/multiformats/go-multihash"

	"ventidhash/venti"
	"ventidhash/venti/arena"
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
	rowVersion = 1
	flagBad    = 1
	flagTrash  = 2
)

var errRow = errors.New("index row")

// appendRow appends the encoding of r.
func appendRow(b []byte, r row) []byte {
	var flags byte
	if r.bad {
		flags |= flagBad
	}
	if r.trash {
		flags |= flagTrash
	}
	b = append(b, rowVersion, flags)
	b = venti.AppendUint(b, uint64(r.loc.Segment))
	b = venti.AppendUint(b, uint64(r.loc.Offset))
	b = venti.AppendUint(b, uint64(r.loc.Length))
	if r.trash {
		b = venti.AppendUint(b, r.stamp)
	}
	return b
}

// parseRow reads what appendRow wrote, and nothing else.
func parseRow(b []byte) (r row, err error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != rowVersion {
		return row{}, fmt.Errorf("%w: version %d is not known to this program", errRow, v)
	}
	flags := d.Byte()
	if flags&^(flagBad|flagTrash) != 0 {
		return row{}, fmt.Errorf("%w: flags %#x are not known to this program", errRow, flags)
	}
	r.bad, r.trash = flags&flagBad != 0, flags&flagTrash != 0
	r.loc.Segment = uint32(d.Uint(1<<32 - 1))
	r.loc.Offset = uint32(d.Uint(1<<32 - 1))
	r.loc.Length = uint32(d.Uint(1<<32 - 1))
	if r.trash {
		r.stamp = d.Uint(1<<64 - 1)
	}
	if err := d.Finish(); err != nil {
		return row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	return r, nil
}

// mark is a checkpoint of one segment: the rows of all its records before end are in the index.
type mark struct {
	unique [16]byte // of the segment; zero if its header is damaged
	end    int64
}

func appendMark(b []byte, m mark) []byte {
	b = append(b, rowVersion)
	b = append(b, m.unique[:]...)
	return venti.AppendUint(b, uint64(m.end))
}

func parseMark(b []byte) (m mark, err error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != rowVersion {
		return mark{}, fmt.Errorf("%w: checkpoint of version %d is not known to this program", errRow, v)
	}
	copy(m.unique[:], d.Fixed(len(m.unique)))
	m.end = int64(d.Uint(1<<32 - 1))
	if err := d.Finish(); err != nil {
		return mark{}, fmt.Errorf("%w: checkpoint: %w", errRow, err)
	}
	return m, nil
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

// The index holds three kinds of rows, told apart by their first path element.
const (
	blockRows   = "/b" // one for each block
	segmentRows = "/s" // a mark for each segment
	storeRow    = "/m/store"
)

// base32 keeps binary keys clear of what go-datastore does with slashes and dots; this alphabet keeps their order.
func rowEncoding() *base32.Encoding { return base32.HexEncoding.WithPadding(base32.NoPadding) }

func blockRowKey(s venti.Score) datastore.Key {
	return datastore.RawKey(blockRows + "/" + rowEncoding().EncodeToString(scoreKey(s)))
}

func parseBlockRowKey(key string) (venti.Score, error) {
	text, ok := strings.CutPrefix(key, blockRows+"/")
	if !ok {
		return venti.Score{}, fmt.Errorf("%w: key %q is no block's", errRow, key)
	}
	b, err := rowEncoding().DecodeString(text)
	if err != nil {
		return venti.Score{}, fmt.Errorf("%w: key %q: %w", errRow, key, err)
	}
	return parseScoreKey(b)
}

func segmentRowKey(id uint32) datastore.Key {
	return datastore.RawKey(fmt.Sprintf("%s/%08x", segmentRows, id))
}

func parseSegmentRowKey(key string) (id uint32, err error) {
	if _, err := fmt.Sscanf(key, segmentRows+"/%08x", &id); err != nil || segmentRowKey(id).String() != key {
		return 0, fmt.Errorf("%w: key %q is no segment's", errRow, key)
	}
	return id, nil
}
