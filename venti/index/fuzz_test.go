package index_test

import (
	"bytes"
	"testing"

	"ventidhash/venti/index"
)

func reencodes(f *testing.F, reencode func([]byte) ([]byte, error), seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := reencode(b); err == nil && !bytes.Equal(b, out) {
			t.Errorf("%x became %x", b, out)
		}
	})
}

func FuzzRow(f *testing.F) {
	reencodes(f, index.ReencodeRow, []byte{1, 0, 1, 32, 100}, []byte{1, 2, 1, 32, 100, 7}, []byte{1, 3, 0xff, 0xff, 3, 32, 1, 0})
}

func FuzzMark(f *testing.F) {
	reencodes(f, index.ReencodeMark, append(make([]byte, 17), 32), append(append([]byte{1}, make([]byte, 16)...), 0xff, 1))
}

func FuzzKey(f *testing.F) {
	reencodes(f, index.ReencodeKey, []byte("/b/"), []byte("/b/00"), []byte("/b/01"), []byte("/b/28G0"), []byte("/s/00000001"))
}

func FuzzGroup(f *testing.F) {
	reencodes(f, index.ReencodeGroup, []byte{1, 0, 5, 1, 0, 1, 32, 100}, []byte{1, 1, 'a', 5, 1, 0, 1, 32, 100, 2, 'a', 'b', 6, 1, 3, 1, 32, 100, 7},
		[]byte{1}, []byte{1, 1, 'b', 5, 1, 0, 1, 32, 100, 1, 'a', 5, 1, 0, 1, 32, 100})
}
