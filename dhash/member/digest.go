package member

import (
	"bytes"
	"slices"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// A row of a digest says which record of a member somebody has.
type row struct {
	subject  PublicKey
	sequence uint64
}

// sumOf returns the BLAKE3-256 of the rows of all entries: who has the same sum has the same records.
func sumOf(sorted []*entry) [32]byte {
	b := make([]byte, 0, 40*len(sorted))
	for _, e := range sorted {
		b = append(b, e.rec.Subject[:]...)
		b = venti.AppendUint(b, e.rec.Sequence)
	}
	return blake3.Sum256(b)
}

// Sum returns a hash over who is in the roster, and which record of each.
func (r *Roster) Sum() [32]byte {
	r.mu.RLock()
	if r.sorted != nil {
		defer r.mu.RUnlock()
		return r.sum
	}
	r.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sort()
	return r.sum
}

// sequence returns that of a member's record, or 0.
func (r *Roster) sequence(k PublicKey) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.entries[k.ID()]; e != nil {
		return e.rec.Sequence
	}
	return 0
}

// digest returns up to n rows, ascending, of which the first is that of the first member from the key at or above start,
// and the range of keys for which the rows are all that the roster has.
func (r *Roster) digest(start PublicKey, n int) (from, to PublicKey, rows []row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sort()
	for i := range to {
		to[i] = 0xff
	}
	part := r.sorted
	if len(part) > n {
		from = start
		i, _ := slices.BinarySearchFunc(part, start, func(e *entry, k PublicKey) int {
			return bytes.Compare(e.rec.Subject[:], k[:])
		})
		if part = part[i:]; len(part) > n {
			part = part[:n]
			to = part[n-1].rec.Subject
		}
	}
	for _, e := range part {
		rows = append(rows, row{e.rec.Subject, e.rec.Sequence})
	}
	return from, to, rows
}

// compare looks at a digest of somebody else. It returns whose records the other one has and this roster lacks, and the
// records that the other one lacks: no more of them than have size bytes, and beginning at a place that differs from
// call to call if they are more.
func (r *Roster) compare(from, to PublicKey, rows []row, size int) (want []PublicKey, have [][]byte) {
	theirs := make(map[PublicKey]uint64, len(rows))
	for _, row := range rows {
		theirs[row.subject] = row.sequence
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, row := range rows {
		if e := r.entries[row.subject.ID()]; e == nil || e.rec.Sequence < row.sequence {
			want = append(want, row.subject)
		}
	}
	for _, e := range r.entries {
		k := e.rec.Subject
		if bytes.Compare(k[:], from[:]) < 0 || bytes.Compare(k[:], to[:]) > 0 || theirs[k] >= e.rec.Sequence {
			continue
		}
		if size -= len(e.raw) + 3; size < 0 || len(have) >= maxRecords {
			break
		}
		have = append(have, e.raw)
	}
	return want[:min(len(want), maxWant)], have
}

// records returns the encoded records of the given members, as far as there are, and no more than have size bytes.
func (r *Roster) records(keys []PublicKey, size int) [][]byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all [][]byte
	for _, k := range keys {
		e := r.entries[k.ID()]
		if e == nil {
			continue
		}
		if size -= len(e.raw) + 3; size < 0 || len(all) >= maxRecords {
			break
		}
		all = append(all, e.raw)
	}
	return all
}
