package index

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-datastore"

	"ventidhash/venti"
	"ventidhash/venti/arena"
)

// MaxKey is the longest key of a row in bytes.
const MaxKey = 64

// MaxExtra is the most that a row says beside flags and place, in bytes.
const MaxExtra = 16 << 10

// A Row is what the index knows for a key: where the record is, and a few bytes of its user's.
type Row struct {
	Loc   arena.Loc
	Flags byte
	Extra string
}

const rowVersion = 1

var errRow = errors.New("index row")

// appendRow appends the encoding of r.
func appendRow(b []byte, r Row) []byte {
	b = append(b, rowVersion, r.Flags)
	b = venti.AppendUint(b, uint64(r.Loc.Segment))
	b = venti.AppendUint(b, uint64(r.Loc.Offset))
	b = venti.AppendUint(b, uint64(r.Loc.Length))
	return append(b, r.Extra...)
}

// parseRow reads what appendRow wrote, and nothing else.
func parseRow(b []byte) (r Row, err error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != rowVersion {
		return Row{}, fmt.Errorf("%w: version %d is not known to this program", errRow, v)
	}
	r.Flags = d.Byte()
	r.Loc.Segment = uint32(d.Uint(1<<32 - 1))
	r.Loc.Offset = uint32(d.Uint(1<<32 - 1))
	r.Loc.Length = uint32(d.Uint(1<<32 - 1))
	if err := d.Err(); err != nil {
		return Row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	if d.Len() > MaxExtra {
		return Row{}, fmt.Errorf("%w: %d bytes long", errRow, len(b))
	}
	r.Extra = string(b[len(b)-d.Len():])
	return r, nil
}

// mark is a checkpoint of one segment: the rows of all its records before end are in the datastore.
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

// The datastore holds three kinds of rows, told apart by their first path element.
const (
	keyRows     = "/b/" // one for each key
	segmentRows = "/s/" // a mark for each segment
	storeRow    = "/m/store"
)

// rowEncoding keeps binary keys clear of what go-datastore does with slashes and dots; this alphabet keeps their order.
func rowEncoding() *base32.Encoding { return base32.HexEncoding.WithPadding(base32.NoPadding) }

// rowName returns under which name the row of a key is in the datastore.
func rowName(key []byte) string { return keyRows + rowEncoding().EncodeToString(key) }

func rowKey[T string | []byte](key T) datastore.Key { return datastore.RawKey(rowName([]byte(key))) }

// parseRowKey is the inverse of rowName.
func parseRowKey(name string) ([]byte, error) {
	text, ok := strings.CutPrefix(name, keyRows)
	if !ok || len(text) > rowEncoding().EncodedLen(MaxKey) {
		return nil, fmt.Errorf("%w: %.100q is no key's", errRow, name)
	}
	b, err := rowEncoding().DecodeString(text)
	if err != nil || rowEncoding().EncodeToString(b) != text {
		return nil, fmt.Errorf("%w: %.100q is no key's", errRow, name)
	}
	return b, nil
}

func segmentRowKey(id uint32) datastore.Key {
	return datastore.RawKey(fmt.Sprintf("%s%08x", segmentRows, id))
}

func parseSegmentRowKey(key string) (id uint32, err error) {
	if _, err := fmt.Sscanf(key, segmentRows+"%08x", &id); err != nil || segmentRowKey(id).String() != key {
		return 0, fmt.Errorf("%w: key %q is no segment's", errRow, key)
	}
	return id, nil
}
