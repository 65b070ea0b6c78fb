package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// MaxKey is the longest key in bytes.
	MaxKey = 64

	// MaxData is the most data that one record holds, in bytes.
	MaxData = 8 << 20
)

const (
	recordMagic   = "\xa7rec"
	recordVersion = 1
	recordHeader  = 20 // bytes before the key
	maxRecord     = recordHeader + MaxKey + MaxData
)

// ErrDamaged says that bytes on the disk are not those of the record that should be there.
var ErrDamaged = errors.New("damaged record")

// A Loc says where a whole record is: its segment, the offset of its first byte there, and its length with header and
// key, in bytes.
type Loc struct {
	Segment uint32
	Offset  uint32
	Length  uint32
}

// End returns the offset just behind the record.
func (l Loc) End() int64 { return int64(l.Offset) + int64(l.Length) }

// A Record is what one record holds. Key and Data may alias the buffer that was read into.
type Record struct {
	Kind byte
	Key  []byte
	Data []byte
	sum  uint32
}

// Check returns nil if Data has the checksum that the record's header states, else an error that wraps ErrDamaged.
// Read leaves this to its caller, who may have a better check.
func (r Record) Check() error {
	if crc32.Checksum(r.Data, castagnoli()) != r.sum {
		return fmt.Errorf("%w: data fails its checksum", ErrDamaged)
	}
	return nil
}

// A DamageError reports bytes that are no valid record. It wraps ErrDamaged.
type DamageError struct {
	Loc    Loc    // what is lost; ends where the next valid record begins
	Reason string // for people
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("segment %08x, offset %d, %d bytes: %s", e.Loc.Segment, e.Loc.Offset, e.Loc.Length, e.Reason)
}

// Unwrap returns ErrDamaged.
func (e *DamageError) Unwrap() error { return ErrDamaged }

// castagnoli returns the CRC-32C table; the standard library makes it once.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// header is a record's header without its key.
type header struct {
	kind    byte
	keyLen  int
	dataLen int
	dataSum uint32
	sum     uint32
}

// length returns the length of the whole record.
func (h header) length() int { return recordHeader + h.keyLen + h.dataLen }

// appendHeader appends the header of a record at (segment, offset), and its key, to b.
//
// The checksum covers the place too: bytes that look like a record but were copied from elsewhere, say inside the data
// of a damaged record, are never taken for one.
func appendHeader(b []byte, segment, offset uint32, h header, key []byte) []byte {
	start := len(b)
	b = append(b, recordMagic...)
	b = append(b, recordVersion, h.kind)
	b = binary.BigEndian.AppendUint16(b, uint16(h.keyLen))
	b = binary.BigEndian.AppendUint32(b, uint32(h.dataLen))
	b = binary.BigEndian.AppendUint32(b, h.dataSum)
	sum := headerSum(segment, offset, b[start:], key)
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, key...)
}

// headerSum returns the checksum of a header's first 16 bytes and its key at a place.
func headerSum(segment, offset uint32, fixed, key []byte) uint32 {
	var place [8]byte
	binary.BigEndian.PutUint32(place[:], segment)
	binary.BigEndian.PutUint32(place[4:], offset)
	sum := crc32.Update(0, castagnoli(), place[:])
	sum = crc32.Update(sum, castagnoli(), fixed)
	return crc32.Update(sum, castagnoli(), key)
}

var (
	errMagic   = errors.New("no record begins here")
	errVersion = errors.New("record of a version that this program does not know")
	errKeyLen  = fmt.Errorf("key length is not within 1 and %d", MaxKey)
	errDataLen = fmt.Errorf("data length is over %d", MaxData)
	errSum     = errors.New("header fails its checksum")
	errCut     = errors.New("ends too soon")
)

// parseFixed reads the first recordHeader bytes of b without checking the checksum.
func parseFixed(b []byte) (h header, err error) {
	if len(b) < recordHeader {
		return header{}, errCut
	}
	h.kind = b[5]
	h.keyLen = int(binary.BigEndian.Uint16(b[6:]))
	dataLen := binary.BigEndian.Uint32(b[8:])
	h.dataSum = binary.BigEndian.Uint32(b[12:])
	h.sum = binary.BigEndian.Uint32(b[16:])
	switch {
	case string(b[:4]) != recordMagic:
		return header{}, errMagic
	case b[4] != recordVersion:
		return header{}, errVersion
	case h.keyLen < 1 || h.keyLen > MaxKey:
		return header{}, errKeyLen
	case dataLen > MaxData:
		return header{}, errDataLen
	}
	h.dataLen = int(dataLen)
	return h, nil
}

// parseHeader reads the header and key at the start of b, which stand at (segment, offset), and checks them. The key
// aliases b.
func parseHeader(b []byte, segment, offset uint32) (header, []byte, error) {
	h, err := parseFixed(b)
	if err != nil {
		return header{}, nil, err
	}
	if len(b) < recordHeader+h.keyLen {
		return header{}, nil, errCut
	}
	key := b[recordHeader : recordHeader+h.keyLen : recordHeader+h.keyLen]
	if headerSum(segment, offset, b[:recordHeader-4], key) != h.sum {
		return header{}, nil, errSum
	}
	return h, key, nil
}

// parseRecord reads the record that fills b and stands at loc. It does not check the data.
func parseRecord(b []byte, loc Loc) (Record, error) {
	h, key, err := parseHeader(b, loc.Segment, loc.Offset)
	if err == nil && h.length() != len(b) {
		err = fmt.Errorf("record is %d bytes long, not %d", h.length(), len(b))
	}
	if err != nil {
		return Record{}, &DamageError{Loc: loc, Reason: err.Error()}
	}
	return Record{Kind: h.kind, Key: key, Data: b[recordHeader+h.keyLen:], sum: h.dataSum}, nil
}
