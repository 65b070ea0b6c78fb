package venti_test

import (
	"bytes"
	"testing"
	"time"

	"ventidhash/venti"
)

func TestSeconds(t *testing.T) {
	last := time.Unix(venti.MaxSeconds, 0).UTC()
	for _, test := range []struct {
		is, want time.Time
		encoded  []byte
	}{
		{time.Time{}, time.Time{}, []byte{0}},
		{time.Unix(1, 0), time.Unix(1, 0).UTC(), []byte{1}},
		{time.Unix(200, 999), time.Unix(200, 0).UTC(), []byte{0xc8, 1}},
		{time.Unix(0, 0), time.Unix(1, 0).UTC(), []byte{1}}, // not taken for none
		{time.Unix(-5, 0), time.Unix(1, 0).UTC(), []byte{1}},
		{last, last, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x20}},
		{last.Add(time.Second), last, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x20}},
	} {
		b := venti.AppendSeconds([]byte("x"), test.is)[1:]
		d := venti.NewDecoder(b)
		if got := d.Seconds(); !bytes.Equal(b, test.encoded) || got != test.want || d.Finish() != nil {
			t.Errorf("%v: %x, read as %v", test.is, b, got)
		}
	}
	for _, bad := range [][]byte{{}, {0x80, 0}, {0x81, 0x80, 0x80, 0x80, 0x80, 0x20}} {
		d := venti.NewDecoder(bad)
		if got := d.Seconds(); !got.IsZero() || d.Err() == nil {
			t.Errorf("%x is read as %v", bad, got)
		}
	}
}
