package venti_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ventidhash/venti"
)

var errTest = errors.New("a test's own error")

// every reads one field of each kind and reports whether all were zero.
func every(d *venti.Decoder) bool {
	return d.Byte() == 0 && d.Uint(math.MaxUint64) == 0 && d.Int() == 0 && d.Bytes(10) == nil && d.Ref().IsZero() &&
		d.Entry() == (venti.Entry{}) && d.Time().Equal(time.Time{}) && bytes.Equal(d.Fixed(3), make([]byte, 3)) &&
		d.Fixed(65) == nil
}

func TestDecoderFailureSticks(t *testing.T) {
	full := bytes.Repeat([]byte{1}, 300)
	for name, fail := range map[string]func(*venti.Decoder){
		"Fail":            func(d *venti.Decoder) { d.Fail(errTest) },
		"Fixed":           func(d *venti.Decoder) { d.Fixed(301) },
		"Fixed, negative": func(d *venti.Decoder) { d.Fixed(-1) },
		"Uint":            func(d *venti.Decoder) { d.Uint(0) },
		"Bytes":           func(d *venti.Decoder) { d.Bytes(0) },
		"Byte":            func(d *venti.Decoder) { d.Fixed(300); d.Byte() },
	} {
		d := venti.NewDecoder(full)
		fail(d)
		first := d.Err()
		if first == nil {
			t.Errorf("%s: no failure", name)
		}
		if !every(d) {
			t.Errorf("%s: a field that is not zero after a failure", name)
		}
		d.Fail(errTest)
		if d.Err() != first || d.Finish() != first || d.Len() != 0 {
			t.Errorf("%s: failure %v became %v, %v; %d bytes left", name, first, d.Err(), d.Finish(), d.Len())
		}
	}
	if d := new(venti.Decoder); d.Finish() != nil || d.Len() != 0 || !every(d) || d.Err() == nil {
		t.Error("the zero Decoder is empty")
	}
}

// A field that breaks off in the middle is zero too.
func TestDecoderHalfField(t *testing.T) {
	ref := bytes.Repeat([]byte{7}, venti.RefSize-1)
	for name, zero := range map[string]bool{
		"ref":   venti.NewDecoder(ref).Ref().IsZero(),
		"entry": venti.NewDecoder(append([]byte{1, 1}, ref...)).Entry() == venti.Entry{},
		"time":  venti.NewDecoder([]byte{2}).Time().IsZero(),
		"bytes": venti.NewDecoder([]byte{2, 1}).Bytes(2) == nil,
	} {
		if !zero {
			t.Errorf("half a %s is not zero", name)
		}
	}
}

func TestDecoderBounds(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 1 << 40, math.MaxInt64, math.MaxUint64} {
		b := venti.AppendUint(nil, v)
		if d := venti.NewDecoder(b); d.Uint(v) != v || d.Finish() != nil {
			t.Errorf("%d with itself as bound: %v", v, d.Err())
		}
		if d := venti.NewDecoder(b); v > 0 && (d.Uint(v-1) != 0 || d.Err() == nil) {
			t.Errorf("%d with one less as bound is accepted", v)
		}
	}
	huge := venti.AppendUint(nil, math.MaxUint64)
	if d := venti.NewDecoder(huge); d.Bytes(math.MaxInt) != nil || d.Err() == nil {
		t.Error("bytes of a length that no slice has")
	}
	long := venti.AppendUint(nil, math.MaxInt)
	if n := testing.AllocsPerRun(10, func() { venti.NewDecoder(long).Bytes(math.MaxInt) }); n > 2 {
		t.Errorf("%v allocations for bytes that are not there", n)
	}
}

// What a Decoder returns aliases its input and can't be appended into it.
func TestDecoderAliases(t *testing.T) {
	b := []byte{1, 2, 3, 4}
	got := venti.NewDecoder(b).Fixed(2)
	if &got[0] != &b[0] {
		t.Error("a copy")
	}
	_ = append(got, 9)
	if !slices.Equal(b, []byte{1, 2, 3, 4}) {
		t.Errorf("the input is now %v", b)
	}
}

// Fields written one after the other come back in that order, and every cut before the end is noticed.
func TestDecoderSequence(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		u, i := rng.Uint64()>>rng.IntN(64), int64(rng.Uint64())>>rng.IntN(64)
		name := make([]byte, rng.IntN(300))
		at := time.Unix(int64(rng.Uint64())>>rng.IntN(64), rng.Int64N(1e9)).UTC()
		top := venti.Ref{Score: venti.Sum(name)}
		e := venti.Entry{Top: top, Depth: rng.IntN(venti.MaxDepth + 1), Size: 1 + rng.Int64N(1<<40)}
		b := venti.AppendUint(nil, u)
		b = venti.AppendInt(b, i)
		b = venti.AppendBytes(b, string(name))
		b = venti.AppendTime(b, at)
		b = venti.AppendEntry(b, e)
		read := func(b []byte) (same bool, err error) {
			d := venti.NewDecoder(b)
			same = d.Uint(math.MaxUint64) == u && d.Int() == i && bytes.Equal(d.Bytes(300), name) && d.Time() == at &&
				d.Entry() == e
			return same, d.Finish()
		}
		if same, err := read(b); !same || err != nil {
			t.Fatalf("%x: %v, %v", b, same, err)
		}
		if _, err := read(append(b, 0)); err == nil {
			t.Fatal("a trailing byte is accepted")
		}
		cut := rng.IntN(len(b))
		if _, err := read(b[:cut]); err == nil {
			t.Fatalf("cut after %d of %d bytes and accepted", cut, len(b))
		}
	}
}

func FuzzDecoder(f *testing.F) {
	kinds := []string{"uint", "int", "bytes", "time", "ref", "entry"}
	addVectors(f, kinds)
	f.Fuzz(func(t *testing.T, which byte, b []byte) { law(t, kinds[int(which)%len(kinds)], b) })
}
