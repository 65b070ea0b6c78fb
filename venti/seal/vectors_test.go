package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// cases reads the vectors: cases parted by empty lines, of lines "key: value".
func cases(t testing.TB) (list []map[string]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/seal.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		c := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			k, v, _ := strings.Cut(line, ": ")
			c[strings.TrimSuffix(k, ":")] = v
		}
		list = append(list, c)
	}
	if len(list) < 30 {
		t.Fatalf("%d cases", len(list))
	}
	return list
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newSealer(t testing.TB, secret seal.Secret) *seal.Sealer {
	t.Helper()
	s, err := seal.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVectors(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c["case"], func(t *testing.T) {
			block := unhex(t, c["block"])
			ref := venti.Ref{Score: venti.Sum(block), Key: venti.Key(unhex(t, c["key"]))}
			s := newSealer(t, seal.Secret{9}) // any will do for opening
			if c["expect"] != "ok" {
				refuses(t, s, ref, block)
				return
			}
			if got := ref.Score.String(); got != c["score"] {
				t.Errorf("score %s", got)
			}
			plain := unhex(t, c["plain"])
			if c["kind"] == "root" {
				rootVector(t, s, seal.RootKey(unhex(t, c["secret"])), ref, block, plain, c["made"] == "exactly")
				return
			}
			if c["made"] == "exactly" {
				made, key, err := newSealer(t, seal.Secret(unhex(t, c["secret"]))).Seal(nil, plain)
				if err != nil || !bytes.Equal(made, block) || key != ref.Key {
					t.Errorf("sealed as %x with key %s, %v", made, key, err)
				}
			}
			if got, err := s.Open(nil, ref, block); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("opened as %x, %v", got, err)
			}
		})
	}
}

func rootVector(t *testing.T, s *seal.Sealer, k seal.RootKey, ref venti.Ref, block, plain []byte, exactly bool) {
	if exactly {
		made, got, err := s.SealRoot(k, plain)
		if err != nil || !bytes.Equal(made, block) || got != ref {
			t.Errorf("sealed as %x, %+v, %v", made, got, err)
		}
	}
	if got, err := seal.RootRef(k, block); err != nil || got != ref {
		t.Errorf("ref %+v, %v", got, err)
	}
	if got, err := s.OpenRoot(ref, block); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened as %x, %v", got, err)
	}
}

// refuses checks that an authentic block that is made to do harm is refused, and cheaply.
func refuses(t *testing.T, s *seal.Sealer, ref venti.Ref, block []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := s.Open(nil, ref, block)
	runtime.ReadMemStats(&after)
	wantCorrupt(t, ref, got, err)
	if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

// wantCorrupt checks that Open has returned nothing but the error that it should.
func wantCorrupt(t *testing.T, ref venti.Ref, got []byte, err error) {
	t.Helper()
	var be *venti.BlockError
	if got != nil || !errors.Is(err, venti.ErrCorrupt) || !errors.As(err, &be) || be.Score != ref.Score {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}
