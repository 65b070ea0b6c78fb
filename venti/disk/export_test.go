package disk

import "context"

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
	return t.core.flush(context.Background())
}

// ReencodeRow and ReencodeMark decode and encode again.
func ReencodeRow(b []byte) ([]byte, error) {
	r, err := parseRow(b)
	return appendRow(nil, r), err
}

func ReencodeMark(b []byte) ([]byte, error) {
	m, err := parseMark(b)
	return appendMark(nil, m), err
}

func ReencodeScoreKey(b []byte) ([]byte, error) {
	s, err := parseScoreKey(b)
	return scoreKey(s), err
}

// RebuildRows sets how many rows a rebuild holds in memory.
func (c Config) RebuildRows(n int) Config {
	c.rebuildRows = n
	return c
}
