package arena

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

const (
	segmentMagic   = "\xa7segmnt"
	segmentVersion = 1
	segmentHeader  = 32 // bytes before the first record
	uniqueSize     = 16
	suffix         = ".seg"
)

// A Segment describes one segment file.
type Segment struct {
	ID     uint32
	Size   int64 // bytes up to the end of the last record, header included
	Sealed bool  // it will never grow
}

// FirstOffset is where the first record of every segment begins. A Scan from 0 checks the segment's header as well.
const FirstOffset = segmentHeader

// segment is one file. Its fields are protected by Arena.mu, but for size, which grows under Arena.appendMu.
type segment struct {
	id     uint32
	size   atomic.Int64 // end of the last record
	synced int64        // bytes known to be durable
	sealed bool
	gone   bool     // removed; f closes with the last reference
	f      *os.File // nil while not in the cache of open files
	refs   int
	used   uint64 // when it was last asked for, in askings
}

// segmentName returns the file name of segment id.
func segmentName(id uint32) string { return fmt.Sprintf("%08x", id) + suffix }

// parseSegmentName is the inverse of segmentName.
func parseSegmentName(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 8 || strings.ToLower(digits) != digits {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 16, 32)
	return uint32(id), err == nil
}

// appendSegmentHeader appends the header of segment id.
func appendSegmentHeader(b []byte, id uint32, unique [uniqueSize]byte) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = append(b, segmentVersion)
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(b, unique[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli()))
}

var errSegmentVersion = errors.New("segment of a version that this program does not know")

// parseSegmentHeader reads the header of segment id. An unknown version is errSegmentVersion; anything else that is
// wrong is damage.
func parseSegmentHeader(b []byte, id uint32) (unique [uniqueSize]byte, err error) {
	damage := func(reason string) error {
		return &DamageError{Loc: Loc{Segment: id, Length: segmentHeader}, Reason: "segment header: " + reason}
	}
	if len(b) < segmentHeader {
		return unique, damage("ends too soon")
	}
	body := b[:segmentHeader-4]
	switch {
	case crc32.Checksum(body, castagnoli()) != binary.BigEndian.Uint32(b[segmentHeader-4:]):
		return unique, damage("fails its checksum")
	case string(b[:7]) != segmentMagic:
		return unique, damage("wrong magic")
	case b[7] != segmentVersion:
		return unique, fmt.Errorf("%w: %d", errSegmentVersion, b[7])
	case binary.BigEndian.Uint32(b[8:]) != id:
		return unique, damage("belongs to another segment")
	}
	copy(unique[:], b[12:])
	return unique, nil
}

// createSegment makes the file of segment id with its header. A file that could not be written whole is removed.
func createSegment(dir string, id uint32) (*os.File, error) {
	path := filepath.Join(dir, segmentName(id))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := writeSegmentHeader(f, id); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// writeSegmentHeader writes the header of segment id with a fresh unique id.
func writeSegmentHeader(f *os.File, id uint32) error {
	var unique [uniqueSize]byte
	rand.Read(unique[:]) // never fails
	_, err := f.WriteAt(appendSegmentHeader(nil, id, unique), 0)
	return err
}

// readUnique reads the unique id from the header of segment id.
func readUnique(f *os.File, id uint32) ([uniqueSize]byte, error) {
	var b [segmentHeader]byte
	n, err := f.ReadAt(b[:], 0)
	if n < len(b) && !isEOF(err) {
		return [uniqueSize]byte{}, err
	}
	return parseSegmentHeader(b[:n], id)
}
