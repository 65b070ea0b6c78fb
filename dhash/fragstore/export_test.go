package fragstore

import (
	"context"
	"time"

	"ventidhash/dhash/claim"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// SetStep has f called between the steps of Compact.
func SetStep(s *Store, f func(string) error) { s.step = f }

// Flush writes all rows that wait to the index.
func Flush(s *Store) error { return s.x.Flush(context.Background()) }

// Hasty makes a store that does not wait for others before it syncs.
func (c *Config) Hasty() { c.gather = 1 }

// RebuildRows sets how many rows a rebuild holds in memory.
func (c Config) RebuildRows(n int) Config {
	c.rebuildRows = n
	return c
}

// ReencodeRow decodes and encodes again the rest of a row, whose key is made from it.
func ReencodeRow(key, extra []byte) ([]byte, error) {
	r, err := parseRow(key, index.Row{Extra: string(extra)})
	if err != nil {
		return nil, err
	}
	return []byte(r.indexRow().Extra), nil
}

// ReencodeRecord decodes and encodes again the key and the data of a record.
func ReencodeRecord(kind byte, key, data []byte) (outKey, outData []byte, err error) {
	if _, err := indexKey(kind, key); err != nil {
		return nil, nil, err
	}
	n, err := parseRecordKey(key)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case kindFragment:
		c, f, _, err := parseFragmentData(data)
		if err != nil {
			return nil, nil, err
		}
		return n.recordKey(), appendFragmentData(nil, c, f.Append(nil)), nil
	case kindClaims:
		c, err := parseClaimsData(data)
		return n.recordKey(), appendClaimsData(nil, c), err
	default:
		v, err := parseDiversionData(data)
		if err == nil {
			_, err = recordRow(arena.Loc{}, arena.Record{Kind: kind, Key: key, Data: data})
		}
		return n.recordKey(), appendDiversionData(nil, v), err
	}
}

// RecordRow is what a record says for the index.
func RecordRow(kind byte, key, data []byte) (index.Row, error) {
	return recordRow(arena.Loc{Segment: 1, Offset: 32}, arena.Record{Kind: kind, Key: key, Data: data})
}

// Clock makes the store's clock show what f says.
func (c *Config) Clock(f func() time.Time) { c.now = f }

// Served makes a store believe that it has run for d up to now.
func Served(s *Store, now time.Time, d time.Duration) {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	s.clock.Up, s.clock.Last = []claim.Span{{From: now.Add(-d), To: now}}, now
}
