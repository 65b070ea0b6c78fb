package sweep_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"ventidhash/dhash/sweep"
	"ventidhash/venti/ventitest"
)

// A record of testdata/vectors.txt, which testdata/vectors.py made from PROTOCOL.md: lines of a word and a value.
type record struct{ ventitest.Vector }

func (r record) points(t testing.TB, word string) (all []sweep.Point) {
	t.Helper()
	for b := r.Bytes(t, word); len(b) > 0; b = b[12:] {
		all = append(all, sweep.Point{Position: binary.BigEndian.Uint64(b), Tag: binary.BigEndian.Uint32(b[8:])})
	}
	return all
}

func vectors(t testing.TB) (all []record) {
	t.Helper()
	for _, v := range ventitest.Vectors(t, 45) {
		all = append(all, record{v})
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, r := range vectors(t) {
		t.Run(r.Value("name"), func(t *testing.T) {
			if r.Value("query") != "" {
				r.query(t)
			} else {
				r.exchange(t)
			}
		})
	}
}

// query checks whether a query is taken, by having it answered from an empty set.
func (r record) query(t *testing.T) {
	b := r.Bytes(t, "query")
	set := sweep.NewSet(sweep.Salt(b[1:]), binary.BigEndian.Uint64(b[17:]), binary.BigEndian.Uint64(b[25:]),
		new(sweep.Points), nil)
	answer, err := sweep.Respond(set, b)
	if r.Value("expect") == "refused" {
		if !errors.Is(err, sweep.ErrMessage) {
			t.Fatalf("%x, %v", answer, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for rest := answer[2:]; len(rest) > 0; {
		switch rest[0] {
		case 1:
			kinds, rest = append(kinds, "same"), rest[1:]
		case 3:
			kinds, rest = append(kinds, "list"), rest[3:]
		default:
			t.Fatalf("%x", answer)
		}
	}
	if got := strings.Join(kinds, " "); got != r.Value("expect") {
		t.Fatal(got)
	}
	if again, err := sweep.Reencode(b); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%x, %v", again, err)
	}
}

// exchange checks every byte of a session.
func (r record) exchange(t *testing.T) {
	salt := sweep.Salt(r.Bytes(t, "salt"))
	from, to := binary.BigEndian.Uint64(r.Bytes(t, "from")), binary.BigEndian.Uint64(r.Bytes(t, "to"))
	compared := map[sweep.Point]bool{}
	for _, p := range r.points(t, "compared") {
		compared[p] = true
	}
	ours, held := listOf(r.points(t, "ours")), listOf(r.points(t, "held"))
	theirs := sweep.NewSet(salt, from, to, held, func(i int) bool { return compared[held.At(i)] })
	s := sweep.NewSession(sweep.NewSet(salt, from, to, ours, nil))
	var message []byte
	for _, line := range r.Vector {
		switch line.Word {
		case "message":
			if message = s.Next(); hex.EncodeToString(message) != line.Value {
				t.Fatalf("message %x", message)
			}
		case "answer":
			answer, err := sweep.Respond(theirs, message)
			if err != nil || hex.EncodeToString(answer) != line.Value {
				t.Fatalf("answer %x, %v", answer, err)
			}
			if err := s.Take(answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m := s.Next(); m != nil {
		t.Fatalf("one message more: %x", m)
	}
	var lacks []byte
	for i := range ours.Len() {
		if s.Lacks(i) {
			lacks = binary.BigEndian.AppendUint64(lacks, ours.At(i).Position)
			lacks = binary.BigEndian.AppendUint32(lacks, ours.At(i).Tag)
		}
	}
	if got := fmt.Sprintf("%x", lacks); got != r.Value("lacks") {
		t.Fatalf("lacks %s", got)
	}
	if got := strconv.FormatUint(s.Extra(), 10); got != r.Value("extra") {
		t.Fatalf("extra %s", got)
	}
}
