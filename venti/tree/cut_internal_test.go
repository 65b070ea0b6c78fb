package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// counted is SHA-256 of 0, 1, 2, … one after another, n bytes of it: noise that any language can make.
func counted(n int) []byte {
	b := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(b) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// made returns the stream that a vector describes, such as "noise 5000, zeros 600".
func made(t testing.TB, parts string) (b []byte) {
	t.Helper()
	for part := range strings.SplitSeq(parts, ", ") {
		var kind string
		var n int
		if _, err := fmt.Sscan(part, &kind, &n); err != nil {
			t.Fatal(part, err)
		}
		switch kind {
		case "noise":
			b = append(b, counted(n)...)
		case "zeros":
			b = append(b, make([]byte, n)...)
		case "letters":
			b = append(b, bytes.Repeat([]byte("abcdefghij"), n/10+1)[:n]...)
		}
	}
	return b
}

// cuts returns the lengths of the leaves of p, which is given to the cutter in pieces.
func cuts(c Cut, p []byte, piece func() int) (lengths []int) {
	cut := newCutter(c, newGear())
	length := 0
	for len(p) > 0 {
		given := p[:min(piece(), len(p))]
		used, end := cut.scan(given)
		length += used
		p = p[used:]
		if end {
			lengths = append(lengths, length)
			length = 0
			cut.reset()
		}
	}
	if length > 0 {
		lengths = append(lengths, length)
	}
	return lengths
}

func whole() int { return 1 << 30 }

// TestCutVectors compares with cut points that another program made.
func TestCutVectors(t *testing.T) {
	for _, v := range vectors(t, "cuts.txt") {
		var c Cut
		for key, field := range map[string]*int{"min": &c.Min, "avg": &c.Avg, "max": &c.Max} {
			if _, err := fmt.Sscan(v[key], field); err != nil {
				t.Fatal(v["name"], key, err)
			}
		}
		got := strings.Trim(fmt.Sprint(cuts(c, made(t, v["stream"]), whole)), "[]")
		if got != v["expect"] {
			t.Errorf("%s: %.200s…\nwant %.200s…", v["name"], got, v["expect"])
		}
		if v["name"] == "files" && c != Files() || v["name"] == "entries" && c != Entries() {
			t.Errorf("%s: the vectors are of %+v", v["name"], c)
		}
	}
}

// slowly is the definition of the cut, as plain as it can be: the hash before each position is summed up anew from the
// bytes that count, the 64 last ones of the leaf without its first Min.
func slowly(c Cut, p []byte) (lengths []int) {
	gear := newGear()
	ends := func(leaf []byte) bool {
		n := len(leaf)
		if n == c.Max {
			return true
		}
		if n <= c.Min {
			return false
		}
		var h uint64
		for back := 0; back < 64 && n-1-back >= c.Min; back++ {
			h += gear[leaf[n-1-back]] << back
		}
		shift := 0
		for 2<<shift <= c.Avg {
			shift++
		}
		if n <= c.Avg {
			shift += 2
		} else {
			shift -= 2
		}
		return fmt.Sprintf("%064b", h)[:shift] == strings.Repeat("0", shift)
	}
	start := 0
	for i := range p {
		if ends(p[start : i+1]) {
			lengths = append(lengths, i+1-start)
			start = i + 1
		}
	}
	if start < len(p) {
		lengths = append(lengths, len(p)-start)
	}
	return lengths
}

func TestCutSlowly(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	data := made(t, "noise 20000, zeros 3000, letters 3000, noise 4000")
	for range 25 {
		c := Cut{Min: 1 + rng.IntN(200)}
		c.Avg = max(c.Min, minAvg) + rng.IntN(500)
		c.Max = c.Avg + rng.IntN(1000)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		from := rng.IntN(100)
		want := slowly(c, data[from:])
		if got := cuts(c, data[from:], whole); !slices.Equal(got, want) {
			t.Errorf("%+v from %d: %v, want %v", c, from, got, want)
		}
		limit := 1 + rng.IntN(1000)
		if got := cuts(c, data[from:], func() int { return 1 + rng.IntN(limit) }); !slices.Equal(got, want) {
			t.Errorf("%+v from %d in pieces of up to %d: %v, want %v", c, from, limit, got, want)
		}
	}
}

// TestRoll compares the loop of two bytes a turn with one byte a turn at every length and position of the hit.
func TestRoll(t *testing.T) {
	gear := newGear()
	p := counted(400)
	for limit := ^uint64(0) >> 3; limit > 0; limit >>= 3 {
		for from := range 64 {
			for to := from; to < len(p); to += 1 + from%3 {
				var h, got uint64
				n, found := 0, false
				for ; n < to-from && !found; n++ {
					h = h<<1 + gear[p[from+n]]
					found = h <= limit
				}
				if m, hit := roll(p[from:to], &got, limit, gear); m != n || hit != found || !hit && got != h {
					t.Fatalf("%d to %d, limit %#x: %d, %v, %#x, want %d, %v, %#x", from, to, limit, m, hit, got, n, found, h)
				}
			}
		}
	}
}

func TestFixedCut(t *testing.T) {
	for n := range 31 {
		got := cuts(Cut{Avg: 10, Fixed: true}, make([]byte, n), func() int { return 3 })
		sum := 0
		for i, l := range got {
			sum += l
			if l != 10 && (i < len(got)-1 || l != n%10) {
				t.Errorf("%d bytes: leaves of %v", n, got)
			}
		}
		if sum != n {
			t.Errorf("%d bytes: leaves of %v", n, got)
		}
	}
}

// TestCutLengths reports how long the leaves of noise are, and holds the mean near Avg.
func TestCutLengths(t *testing.T) {
	size := 96 << 20
	if testing.Short() {
		size = 32 << 20
	}
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	for name, c := range map[string]Cut{"files": Files(), "entries": Entries()} {
		lengths := cuts(c, data, whole)
		mean := size / len(lengths)
		slices.Sort(lengths)
		at := func(percent int) int { return lengths[len(lengths)*percent/100] >> 10 }
		t.Logf("%s: %d leaves of %d KiB on average; 1%% %d KiB, half %d KiB, 99%% %d KiB; %d forced at Max", name,
			len(lengths), mean>>10, at(1), at(50), at(99), len(lengths)-slices.Index(append(lengths, c.Max), c.Max))
		if mean < c.Avg*9/10 || mean > c.Avg*5/4 {
			t.Errorf("%s: mean leaf of %d bytes is not near %d", name, mean, c.Avg)
		}
	}
}

func BenchmarkCutter(b *testing.B) {
	data := make([]byte, 64<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cuts(Files(), data, whole)
	}
}
