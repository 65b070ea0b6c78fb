package venti_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/venti"
)

func TestRootRoundTrip(t *testing.T) {
	entry := venti.Entry{Top: venti.Ref{Score: venti.Sum([]byte("top")), Key: venti.Key{1}}, Depth: 1, Size: 1 << 40}
	for name, r := range map[string]*venti.Root{
		"nothing": {Kind: venti.RootCatalog},
		"everything": {
			Kind: venti.RootSnapshot, Time: time.Date(2026, 11, 21, 4, 5, 6, 789, time.UTC),
			Floor: time.Date(1815, 12, 10, 1, 2, 3, 999_999_999, time.UTC), Host: "höst\xff", User: strings.Repeat("u", 4096),
			Paths: []string{"", "/a\nb", "/\xff\x00"}, Top: entry, Shared: venti.Entry{Size: 5}, Prev: venti.Sum(nil),
			Files: math.MaxInt64, Dirs: 1, Bytes: 2,
		},
		"most paths": {Kind: venti.RootSnapshot, Paths: slices.Repeat([]string{"/"}, 4096)},
	} {
		b := venti.AppendRoot([]byte("before"), r)
		got, err := venti.ParseRoot(bytes.TrimPrefix(b, []byte("before")))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A time in another zone is the same moment.
func TestTimeZone(t *testing.T) {
	at := time.Date(2026, 11, 21, 4, 5, 6, 7, time.FixedZone("", 5*3600))
	if got := venti.NewDecoder(venti.AppendTime(nil, at)).Time(); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v, want %v", got, at)
	}
}

// No prefix of a root is a root, and what one changed bit gives is refused or another root.
func TestRootDamage(t *testing.T) {
	r := &venti.Root{Kind: venti.RootSnapshot, Host: "h", Paths: []string{"/a", "/b"}, Top: venti.Entry{Size: 300}}
	b := venti.AppendRoot(nil, r)
	for n := range b {
		if _, err := venti.ParseRoot(b[:n]); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(b))
		}
		for bit := range 8 {
			damaged := bytes.Clone(b)
			damaged[n] ^= 1 << bit
			if got, err := venti.ParseRoot(damaged); err == nil && reflect.DeepEqual(got, r) {
				t.Errorf("byte %d, bit %d: no difference", n, bit)
			}
		}
	}
}

func FuzzEntry(f *testing.F) {
	addVectors(f, []string{"entry"})
	f.Fuzz(func(t *testing.T, _ byte, b []byte) {
		law(t, "entry", b)
		e := venti.NewDecoder(b).Entry()
		if e.Size < 0 || e.Depth < 0 || e.Depth > venti.MaxDepth || e.IsHole() && e.Depth != 0 {
			t.Fatalf("%x gives %+v", b, e)
		}
	})
}

func FuzzParseRoot(f *testing.F) {
	addVectors(f, []string{"root"})
	f.Fuzz(func(t *testing.T, _ byte, b []byte) { law(t, "root", b) })
}

// law holds that what is accepted has one encoding, and that is the bytes accepted.
func law(t *testing.T, kind string, b []byte) {
	t.Helper()
	if _, again, err := decode(kind, b); err == nil && !bytes.Equal(again, b) {
		t.Fatalf("%s %x is accepted and encodes to %x", kind, b, again)
	}
}

// addVectors adds the vectors of the kinds, each with its kind's place in kinds.
func addVectors(f *testing.F, kinds []string) {
	f.Helper()
	for _, v := range vectors(f) {
		if i := slices.Index(kinds, v.kind); i >= 0 {
			b, err := hex.DecodeString(v.data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), b)
		}
	}
}
