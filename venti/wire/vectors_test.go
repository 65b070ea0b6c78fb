package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ventidhash/venti/ventitest"
)

// A vector is one record of testdata/vectors.txt, which testdata/vectors.py made from PROTOCOL.md.
type vector struct {
	name, key string
	data      []byte
	expect    string
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 90) {
		name, key, _, expect := r.Parts(t)
		all = append(all, vector{name, key, r.Bytes(t, key), expect})
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got, again, err := "", []byte(nil), error(nil)
			if v.key == "line" {
				got, again, err = decodeLine(v.data)
			} else {
				got, again, err = decodeMessage(v.data)
			}
			switch {
			case err != nil && !errors.Is(err, errMalformed):
				t.Errorf("error %v is not %v", err, errMalformed)
			case err != nil && v.expect != "malformed":
				t.Errorf("refused: %v", err)
			case err == nil && got != v.expect:
				t.Errorf("means %q, want %q", got, v.expect)
			case err == nil && !bytes.Equal(again, v.data):
				t.Errorf("encodes to %x, want %x", again, v.data)
			}
		})
	}
}

func decodeLine(b []byte) (meaning string, again []byte, err error) {
	tokens, comment, err := parseLine(string(b))
	if err != nil {
		return "", nil, err
	}
	return strings.Join(tokens, " "), []byte(lineWord + strings.Join(tokens, ":") + "-" + comment + "\n"), nil
}

// decodeMessage reads one whole message as client and server do.
func decodeMessage(b []byte) (meaning string, again []byte, err error) {
	h, err := parseHead([headSize]byte(b))
	if err != nil {
		return "", nil, err
	}
	if h.size != len(b)-headSize {
		return "", nil, fmt.Errorf("the vector has %d bytes, its head says %d", len(b), headSize+h.size)
	}
	m, err := h.parse(b[headSize:])
	if err != nil {
		return "", nil, err
	}
	return m.describe(), append(m.appendTo(nil), m.data...), nil
}

// describe says what m means, in the words of vectors.py.
func (m *message) describe() string {
	names := map[kind]string{rError: "error", tPing: "ping", tHello: "hello", tGoodbye: "goodbye", tRead: "read",
		tWrite: "write", tSync: "sync", tHas: "has", tYield: "yield", tVital: "write vital"}
	s := names[m.kind]
	if s == "" {
		s = names[m.kind-1] + " answer"
	}
	s += fmt.Sprintf(" tag %d", m.tag)
	switch m.kind {
	case rError:
		faults := []string{"", "not found", "unavailable", "corrupt", "too large", "no space", "other"}
		s += fmt.Sprintf(" %s %q", faults[m.fault], m.text)
	case tHello, rHello:
		s += fmt.Sprintf(" %q", m.version)
	case tRead, rWrite, rVital:
		s += " " + m.score.String()
	case tHas:
		for _, score := range m.scores {
			s += " " + score.String()
		}
	case rHas:
		s += " "
		for _, has := range m.has {
			s += map[bool]string{true: "1", false: "0"}[has]
		}
	}
	if len(m.data) > 0 {
		s += fmt.Sprintf(" %x", m.data)
	}
	return s
}
