package disk

import (
	"context"

	"ventidhash/venti/index"
)

// IsOwner reports whether this process owns the store now.
func IsOwner(s *Store) bool {
	t, err := s.current()
	return err == nil && t != nil && t.core != nil && !t.isOver()
}

// SetStep has f called between the steps of Reclaim. The store must be owned by this process.
func SetStep(s *Store, f func(string) error) {
	t, _ := s.current()
	t.core.step = f
}

// Flush writes all rows that wait to the index.
func Flush(s *Store) error {
	t, _ := s.current()
	return t.core.x.Flush(context.Background())
}

// ReencodeRow decodes and encodes again what a row says, of which b holds the flags and the rest.
func ReencodeRow(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errRow
	}
	r, err := parseRow(index.Row{Flags: b[0], Extra: string(b[1:])})
	x := r.indexRow()
	return append([]byte{x.Flags}, x.Extra...), err
}

// ReencodeScoreKey decodes and encodes again.
func ReencodeScoreKey(b []byte) ([]byte, error) {
	s, err := parseScoreKey(b)
	return scoreKey(s), err
}

// RebuildRows sets how many rows a rebuild holds in memory.
func (c Config) RebuildRows(n int) Config {
	c.rebuildRows = n
	return c
}
