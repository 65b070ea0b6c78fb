package disk_test

import (
	"bytes"
	"testing"

	"ventidhash/venti/disk"
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
	reencodes(f, disk.ReencodeRow, []byte{0}, []byte{1}, []byte{2, 7}, []byte{3, 0xff, 0xff, 3}, []byte{0, 0})
}

func FuzzScoreKey(f *testing.F) {
	reencodes(f, disk.ReencodeScoreKey, append([]byte{0x12, 0x20}, make([]byte, 32)...), append([]byte{0x13, 0x40}, make([]byte, 64)...))
}
