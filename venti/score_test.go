package venti_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ventidhash/venti"
)

func TestScore(t *testing.T) {
	s := venti.Sum([]byte("abc"))
	if got := s.Short(); got != "ba7816bf8f01" {
		t.Errorf("Short: %s", got)
	}
	if s.IsZero() || !(venti.Score{}).IsZero() || venti.ZeroScore().IsZero() {
		t.Error("only the zero value is zero")
	}
	if venti.ZeroScore() != venti.Sum(nil) || venti.ZeroScore() != venti.Sum([]byte{}) {
		t.Error("ZeroScore is the score of the empty block")
	}
}

func TestScoreText(t *testing.T) {
	in := map[venti.Score]venti.Score{venti.Sum(nil): venti.Sum([]byte("abc"))}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"%v":"%v"}`, venti.Sum(nil), venti.Sum([]byte("abc"))); string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	var out map[venti.Score]venti.Score
	if err := json.Unmarshal(text, &out); err != nil || len(out) != 1 || out[venti.Sum(nil)] != in[venti.Sum(nil)] {
		t.Errorf("%v, %v", out, err)
	}
	s := venti.Sum(nil)
	if err := s.UnmarshalText([]byte(strings.ToUpper(s.String()))); err == nil || s != venti.Sum(nil) {
		t.Errorf("%v, %v: upper case is refused and changes nothing", s, err)
	}
}

func TestBlockError(t *testing.T) {
	s := venti.Sum(nil)
	cause := fmt.Errorf("%w: %w", venti.ErrCorrupt, io.EOF)
	err := fmt.Errorf("reading: %w", &venti.BlockError{Op: "get", Score: s, Err: cause})
	var be *venti.BlockError
	if !errors.As(err, &be) || be.Score != s || !errors.Is(err, venti.ErrCorrupt) || !errors.Is(err, io.EOF) {
		t.Errorf("%#v", err)
	}
	if want := "reading: get block " + s.String() + ": block corrupt: EOF"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	all := []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt, venti.ErrTooLarge}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("%v is %v: %v", a, b, i != j)
			}
		}
	}
}

func TestKey(t *testing.T) {
	k := venti.Key{0: 0xab, 31: 1}
	if want := "ab" + strings.Repeat("00", 30) + "01"; k.String() != want {
		t.Errorf("%s, want %s", k, want)
	}
	if (venti.Ref{Key: k}).IsZero() || (venti.Ref{Score: venti.Sum(nil)}).IsZero() || !(venti.Ref{}).IsZero() {
		t.Error("only the zero Ref is zero")
	}
}

func FuzzParseScore(f *testing.F) {
	for _, v := range vectors(f) {
		if v.kind == "text" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := venti.ParseScore(text)
		if err == nil && s.String() != text {
			t.Fatalf("%q is accepted and prints as %q", text, s)
		}
		if err != nil && s != (venti.Score{}) {
			t.Fatalf("%q: %v and a score", text, err)
		}
	})
}
