package venti_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

const refused = "refused"

// A vector is one record of testdata/vectors.txt, which testdata/vectors.py made from FORMAT.md.
type vector struct{ name, kind, data, expect string }

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 130) {
		var v vector
		v.name, v.kind, v.data, v.expect = r.Parts(t)
		all = append(all, v)
	}
	return all
}

// decode reads data as the kind says. It returns what that means, in the words of vectors.py, and its encoding.
func decode(kind string, data []byte) (meaning string, again []byte, err error) {
	d := venti.NewDecoder(data)
	switch kind {
	case "uint":
		v := d.Uint(1<<64 - 1)
		meaning, again = fmt.Sprint(v), venti.AppendUint(nil, v)
	case "int":
		v := d.Int()
		meaning, again = fmt.Sprint(v), venti.AppendInt(nil, v)
	case "bytes":
		v := d.Bytes(1000)
		meaning, again = hex.EncodeToString(v), venti.AppendBytes(nil, v)
	case "time":
		v := d.Time()
		meaning, again = showTime(v), venti.AppendTime(nil, v)
	case "ref":
		v := d.Ref()
		meaning, again = fmt.Sprintf("%x%x", v.Score[:], v.Key[:]), venti.AppendRef(nil, v)
	case "entry":
		v := d.Entry()
		meaning, again = showEntry(v), venti.AppendEntry(nil, v)
	case "root":
		r, err := venti.ParseRoot(data)
		if err != nil {
			return "", nil, err
		}
		return showRoot(r), venti.AppendRoot(nil, r), nil
	default:
		return "", nil, fmt.Errorf("kind %q", kind)
	}
	return meaning, again, d.Finish()
}

func showTime(t time.Time) string { return fmt.Sprintf("%d %d", t.Unix(), t.Nanosecond()) }

func showEntry(e venti.Entry) string {
	if e.IsHole() {
		return fmt.Sprintf("%d/%d/hole", e.Size, e.Depth)
	}
	return fmt.Sprintf("%d/%d/%x%x", e.Size, e.Depth, e.Top.Score[:], e.Top.Key[:])
}

func showRoot(r *venti.Root) string {
	s := fmt.Sprintf("%d %s %s", r.Kind, showTime(r.Time), showTime(r.Floor))
	for _, name := range append([]string{r.Host, r.User}, r.Paths...) {
		s += fmt.Sprintf(" %q", name)
	}
	return s + fmt.Sprintf(" %s %s %v %d %d %d", showEntry(r.Top), showEntry(r.Shared), r.Prev, r.Files, r.Dirs, r.Bytes)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			switch v.kind {
			case "block":
				block, err := hex.DecodeString(v.data)
				if err != nil {
					t.Fatal(err)
				}
				if got := venti.Sum(block).String(); got != v.expect {
					t.Errorf("score %s, want %s", got, v.expect)
				}
			case "text":
				s, err := venti.ParseScore(v.data)
				if v.expect == refused {
					if err == nil || s != (venti.Score{}) {
						t.Errorf("%v, %v", s, err)
					}
				} else if err != nil || s.String() != v.expect {
					t.Errorf("%v, %v", s, err)
				}
			default:
				data, err := hex.DecodeString(v.data)
				if err != nil {
					t.Fatal(err)
				}
				meaning, again, err := decode(v.kind, data)
				switch {
				case err != nil && v.expect != refused:
					t.Errorf("refused: %v", err)
				case err == nil && meaning != v.expect:
					t.Errorf("means %q, want %q", meaning, v.expect)
				case err == nil && !bytes.Equal(again, data):
					t.Errorf("encodes to %x, want %x", again, data)
				}
			}
		})
	}
}
