package tree

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"ventidhash/venti"
)

// number reads a decimal number of a vector.
func number[T int | int64](t testing.TB, text string) (n T) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(text, err)
	}
	return n
}

// TestPointerVectors reads pointer blocks that another program made, and makes the sound ones again.
func TestPointerVectors(t *testing.T) {
	for _, v := range vectors(t, "pointers.txt") {
		block, err := hex.DecodeString(v["block"])
		if err != nil {
			t.Fatal(v["name"], err)
		}
		level := number[int](t, v["level"])
		rows, err := parsePointer(block, level, number[int64](t, v["size"]))
		if text, ok := strings.CutPrefix(v["expect"], "error "); ok {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want an error that says %q", v["name"], err, text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v["name"], err)
			continue
		}
		var words []string
		for _, r := range rows {
			what := "zeros"
			if !r.ref.IsZero() {
				what = fmt.Sprint(r.ref.Score[0])
				if !bytes.Equal(r.ref.Score[:], bytes.Repeat([]byte{r.ref.Score[0]}, 32)) ||
					!bytes.Equal(r.ref.Key[:], bytes.Repeat([]byte{r.ref.Score[0] | 0x80}, 32)) {
					t.Errorf("%s: ref %x", v["name"], r.ref)
				}
			}
			words = append(words, fmt.Sprint(r.n, ":", what))
		}
		if got := strings.Join(words, " "); got != v["expect"] {
			t.Errorf("%s: %s, want %s", v["name"], got, v["expect"])
		}
		if again := appendPointer(nil, level, rows); !bytes.Equal(again, block) {
			t.Errorf("%s: encoded again %x", v["name"], again)
		}
	}
}

// FuzzPointer holds that what is accepted is encoded as it was read, and that its rows make up the stream.
func FuzzPointer(f *testing.F) {
	for _, v := range vectors(f, "pointers.txt") {
		block, _ := hex.DecodeString(v["block"])
		f.Add(block, number[int](f, v["level"]), number[int64](f, v["size"]))
	}
	f.Fuzz(func(t *testing.T, block []byte, level int, size int64) {
		if level < 1 || level > venti.MaxDepth || size < 0 {
			return
		}
		rows, err := parsePointer(block, level, size)
		if err != nil {
			return
		}
		var sum int64
		for _, r := range rows {
			if sum += r.n; r.n <= 0 || sum > size {
				t.Fatalf("rows %v of %d bytes", rows, size)
			}
		}
		if again := appendPointer(nil, level, rows); sum != size || !bytes.Equal(again, block) {
			t.Fatalf("%d of %d bytes; %x encoded again %x", sum, size, block, again)
		}
	})
}

// TestPointerEnds holds the bounds of a pointer block, which stays far below the largest plaintext.
func TestPointerEnds(t *testing.T) {
	end, other := venti.Ref{Score: venti.Score{3: 0, 31: 1}}, venti.Ref{Score: venti.Score{3: 1}}
	for _, c := range []struct {
		r    row
		n    int
		want bool
	}{
		{row{ref: end}, rowsMin - 1, false}, {row{ref: end}, rowsMin, true}, {row{ref: other}, rowsMin, false},
		{row{ref: other}, rowsMax - 1, false}, {row{ref: other}, rowsMax, true},
		{row{}, rowsMin, false}, {row{}, rowsMax, true},
		{row{ref: venti.Ref{Score: venti.Score{2: rowsAvg >> 8, 3: 0, 4: 9}}}, rowsMin, true},
	} {
		if got := endsPointer(c.r, c.n); got != c.want {
			t.Errorf("block of %d rows ends after %x: %v, want %v", c.n, c.r.ref.Score[:4], got, c.want)
		}
	}
	full := make([]row, rowsMax)
	for i := range full {
		full[i] = row{ref: other, n: maxStream / rowsMax}
	}
	if n := len(appendPointer(nil, venti.MaxDepth, full)); n > largeBuf/4 {
		t.Errorf("the largest pointer block has %d bytes", n)
	}
}
