package lenders

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/durable"
)

const (
	version     = 1
	lendersFile = "lenders"
	owedFile    = "owed"
	waitingDir  = "waiting"

	maxID      = 128
	maxTime    = 1 << 40
	maxNumber  = 1<<63 - 1
	maxLenders = 1 << 14
	maxOwed    = 1 << 20 // scores in all batches
	maxBatches = 1 << 12
	sumSize    = 32

	maxLendersFile = 16 + maxLenders*(2+maxID+9*8+1) + sumSize
	maxOwedFile    = 32 + maxBatches*24 + maxOwed*venti.ScoreSize + sumSize
)

var errSum = errors.New("the sum does not fit")

// Read returns what an owner knows of its lenders, by id; nobody is kept from writing meanwhile.
func Read(dir string) ([]Lender, error) {
	b, err := readFile(filepath.Join(dir, lendersFile), maxLendersFile)
	if err != nil || b == nil {
		return nil, err
	}
	list, err := parseLenders(b)
	if err != nil {
		return nil, nil // as good as missing
	}
	return list, nil
}

func parseLenders(b []byte) ([]Lender, error) {
	d, err := unseal(b)
	if err != nil {
		return nil, err
	}
	n := d.Uint(maxLenders)
	var list []Lender
	for i := uint64(0); i < n && d.Err() == nil; i++ {
		r := Lender{ID: dhash.ID(d.Bytes(maxID)), Sent: d.Uint(maxNumber), Heard: decodeTime(d), Now: decodeTime(d),
			Kept: decodeTime(d), Claims: int64(d.Uint(maxNumber)), Bytes: int64(d.Uint(maxNumber)), Told: d.Uint(maxNumber),
			Retained: decodeTime(d)}
		switch other := d.Byte(); {
		case other > 1:
			d.Fail(fmt.Errorf("other is %d", other))
		case len(r.ID) == 0 || i > 0 && list[i-1].ID >= r.ID:
			d.Fail(errors.New("lenders are not in order"))
		default:
			r.Other = other == 1
		}
		list = append(list, r)
	}
	return list, d.Finish()
}

func encodeLenders(list []Lender) []byte {
	slices.SortFunc(list, func(a, b Lender) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	out := venti.AppendUint([]byte{version}, uint64(len(list)))
	for i := range list {
		r := &list[i]
		out = venti.AppendBytes(out, string(r.ID))
		out = venti.AppendUint(out, r.Sent)
		out = appendTime(appendTime(appendTime(out, r.Heard), r.Now), r.Kept)
		out = venti.AppendUint(out, uint64(max(0, r.Claims)))
		out = venti.AppendUint(out, uint64(max(0, r.Bytes)))
		out = appendTime(venti.AppendUint(out, r.Told), r.Retained)
		if r.Other {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	return seal(out)
}

// writeLenders writes the newest lines, as many as there may be.
func writeLenders(dir string, list []Lender) error {
	if len(list) > maxLenders {
		slices.SortFunc(list, func(a, b Lender) int { return b.Heard.Compare(a.Heard) })
		list = list[:maxLenders]
	}
	return durable.WriteFile(filepath.Join(dir, lendersFile), encodeLenders(list))
}

func seal(b []byte) []byte {
	sum := blake3.Sum256(b)
	return append(b, sum[:]...)
}

// unseal checks the sum at the end and the version in front, and returns what is in between.
func unseal(b []byte) (*venti.Decoder, error) {
	if len(b) < sumSize {
		return nil, errSum
	}
	body := b[:len(b)-sumSize]
	if sum := blake3.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, errSum
	}
	d := venti.NewDecoder(body)
	if v := d.Byte(); d.Err() == nil && v != version {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
	return d, nil
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return venti.AppendUint(b, uint64(min(max(t.Unix(), 1), maxTime)))
}

func decodeTime(d *venti.Decoder) time.Time {
	s := d.Uint(maxTime)
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// readFile reads a file of at most limit bytes; nil if there is none, and an empty one, which is as good as damaged, if it
// is longer.
func readFile(name string, limit int64) ([]byte, error) {
	b, err := durable.ReadFile(name, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, durable.ErrTooLong):
		return []byte{}, nil // it is none of ours
	}
	return b, err
}
