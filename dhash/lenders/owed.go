package lenders

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/durable"
)

// A batch is blocks that are let go.
type batch struct {
	number uint64
	after  time.Time // when they were found to be needed no more
	scores []venti.Score
}

// owed is the batches of which not every lender has been told, by number. It is a value: what its slices hold is not
// changed.
type owed struct {
	last    uint64 // the newest number ever given
	batches []batch
}

// owedFor is how long it is tried to tell everybody. What is older is left to the retain sets.
const owedFor = 60 * 24 * time.Hour

func (o owed) count() (n int) {
	for _, b := range o.batches {
		n += len(b.scores)
	}
	return n
}

func (o owed) same(p owed) bool {
	return o.last == p.last && o.count() == p.count() && len(o.batches) == len(p.batches)
}

// with adds a batch, unless it is empty, and drops the oldest ones that there is no room for.
func (o owed) with(scores []venti.Score, after time.Time) owed {
	o.batches = slices.Clone(o.batches)
	for part := range slices.Chunk(sorted(scores), maxOwed) {
		o.last++
		o.batches = append(o.batches, batch{o.last, after, part})
	}
	for o.count() > maxOwed || len(o.batches) > maxBatches {
		o.batches = o.batches[1:]
	}
	return o
}

// without leaves out blocks that are needed again.
func (o owed) without(keep func(venti.Score) bool) owed {
	var left []batch
	for _, b := range o.batches {
		b.scores = slices.DeleteFunc(slices.Clone(b.scores), keep)
		if len(b.scores) > 0 {
			left = append(left, b)
		}
	}
	o.batches = left
	return o
}

// after leaves out the batches up to a number, and those that are too old.
func (o owed) after(number uint64, now time.Time) owed {
	var left []batch
	for _, b := range o.batches {
		if b.number > number && now.Sub(b.after) <= owedFor {
			left = append(left, b)
		}
	}
	o.batches = left
	return o
}

// since returns the blocks of all batches after a number, sorted, and the number up to which a lender has been told once
// it was told these: not beyond the first batch that was put down after a time, since claims may be younger that belong
// to it.
func (o owed) since(number uint64, cut time.Time) (scores []venti.Score, told uint64) {
	told = o.last
	for _, b := range slices.Backward(o.batches) {
		if b.number <= number {
			break
		}
		scores = append(scores, b.scores...)
		if b.after.After(cut) {
			told = b.number - 1
		}
	}
	return sorted(scores), max(told, number)
}

// sorted returns the scores in order, each once.
func sorted(scores []venti.Score) []venti.Score {
	scores = slices.Clone(scores)
	slices.SortFunc(scores, compare)
	return slices.Compact(scores)
}

func compare(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) }

func (o owed) encode() []byte {
	out := venti.AppendUint([]byte{version}, o.last)
	out = venti.AppendUint(out, uint64(len(o.batches)))
	for _, b := range o.batches {
		out = appendTime(venti.AppendUint(out, b.number), b.after)
		out = venti.AppendUint(out, uint64(len(b.scores)))
		for i := range b.scores {
			out = append(out, b.scores[i][:]...)
		}
	}
	return seal(out)
}

func (o owed) write(dir string) error { return durable.WriteFile(filepath.Join(dir, owedFile), o.encode()) }

// readOwed reads what is owed; what is damaged counts as missing.
func readOwed(dir string) (owed, error) {
	b, err := readFile(filepath.Join(dir, owedFile), maxOwedFile)
	if err != nil || b == nil {
		return owed{}, err
	}
	o, err := parseOwed(b)
	if err != nil {
		return owed{}, nil
	}
	return o, nil
}

func parseOwed(in []byte) (o owed, err error) {
	d, err := unseal(in)
	if err != nil {
		return owed{}, err
	}
	o.last = d.Uint(maxNumber)
	n := d.Uint(maxBatches)
	last, left := uint64(0), uint64(maxOwed)
	for i := uint64(0); i < n && d.Err() == nil; i++ {
		b := batch{number: d.Uint(o.last), after: decodeTime(d)}
		count := d.Uint(left)
		raw := d.Fixed(int(count) * venti.ScoreSize)
		if d.Err() != nil {
			break
		}
		if b.number <= last || count == 0 {
			d.Fail(errors.New("batches are empty or not in order"))
		}
		last, left = b.number, left-count
		for j := range int(count) {
			s := venti.Score(raw[j*venti.ScoreSize:][:venti.ScoreSize])
			if j > 0 && compare(b.scores[j-1], s) >= 0 {
				d.Fail(errors.New("scores are not in order"))
			}
			b.scores = append(b.scores, s)
		}
		o.batches = append(o.batches, b)
	}
	return o, d.Finish()
}

// A span is a range of positions with all blocks in it that are needed.
type span struct {
	from, to dhash.Key
	scores   []venti.Score
}

// spans cuts the whole keyspace into ranges of at most limit blocks each.
func spans(live []venti.Score, limit int) []span {
	type placed struct {
		at    dhash.Key
		score venti.Score
	}
	all := make([]placed, len(live))
	for i, s := range live {
		all[i] = placed{dhash.KeyOf(s), s}
	}
	slices.SortFunc(all, func(a, b placed) int { return bytes.Compare(a.at[:], b.at[:]) })
	var out []span
	from := dhash.Key{}
	for {
		n := min(limit, len(all))
		s := span{from: from}
		for _, p := range all[:n] {
			s.scores = append(s.scores, p.score)
		}
		slices.SortFunc(s.scores, compare)
		all = all[n:]
		if len(all) == 0 {
			for i := range s.to {
				s.to[i] = 0xff
			}
			return append(out, s)
		}
		from = all[0].at
		s.to = before(from)
		out = append(out, s)
	}
}

// before returns the position in front of k, which is not the first.
func before(k dhash.Key) dhash.Key {
	for i := len(k) - 1; i >= 0; i-- {
		k[i]--
		if k[i] != 0xff {
			break
		}
	}
	return k
}
