package arena

import "os"

// SetWrite replaces the write of a record.
func (a *Arena) SetWrite(f func(f *os.File, head, data []byte, off int64) (int, error)) {
	a.pwritev = f
}

// SetSync replaces fsync.
func (a *Arena) SetSync(f func(*os.File) error) { a.fsync = f }

// Pwritev is the real write.
func Pwritev(f *os.File, head, data []byte, off int64) (int, error) {
	return pwritev(f, head, data, off)
}

// ReencodeHeader decodes a record header with its key and encodes it again.
func ReencodeHeader(b []byte, segment, offset uint32) ([]byte, error) {
	h, key, err := parseHeader(b, segment, offset)
	if err != nil {
		return nil, err
	}
	return appendHeader(nil, segment, offset, h, key), nil
}

// AppendHeader encodes a record header.
func AppendHeader(segment, offset uint32, kind byte, key []byte, dataLen int, sum uint32) []byte {
	return appendHeader(nil, segment, offset, header{kind: kind, keyLen: len(key), dataLen: dataLen, dataSum: sum}, key)
}

// ReencodeSegment decodes a segment header and encodes it again.
func ReencodeSegment(b []byte, id uint32) ([]byte, error) {
	u, err := parseSegmentHeader(b, id)
	if err != nil {
		return nil, err
	}
	return appendSegmentHeader(nil, id, u), nil
}

// OpenFiles returns how many files are open.
func (a *Arena) OpenFiles() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}
