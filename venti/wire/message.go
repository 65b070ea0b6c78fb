package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ventidhash/venti"
)

// A kind is the type of a message. Requests are even; the answer to a request is its kind plus one, or rError. The
// numbers are the classic protocol's where it has the message; 8 to 11 are its reserved ones.
type kind byte

const (
	rError   kind = 1
	tPing    kind = 2
	rPing    kind = 3
	tHello   kind = 4
	rHello   kind = 5
	tGoodbye kind = 6 // without an answer
	tRead    kind = 12
	rRead    kind = 13
	tWrite   kind = 14
	rWrite   kind = 15
	tSync    kind = 16
	rSync    kind = 17
	tHas     kind = 18
	rHas     kind = 19
	tYield   kind = 20
	rYield   kind = 21
	tVital   kind = 22 // write a block whose loss would cost more than itself
	rVital   kind = 23
)

const (
	prefixSize = 4              // the size, which counts what comes after it
	headSize   = prefixSize + 2 // size, kind, tag
	maxHas     = 4096           // scores in one message
	maxText    = 1024           // bytes of a string
)

// fields returns how long the fields of a message of kind k may be.
func (k kind) fields() (low, high int, known bool) {
	switch k {
	case rError:
		return 1 + 2, 1 + 2 + maxText, true
	case tPing, rPing, tGoodbye, tSync, rSync, tYield, rYield:
		return 0, 0, true
	case tHello, rHello:
		return 2, 2 + maxText, true
	case tRead, rWrite, rVital:
		return venti.ScoreSize, venti.ScoreSize, true
	case rRead, tWrite, tVital:
		return 0, venti.MaxBlock, true
	case tHas:
		return venti.ScoreSize, maxHas * venti.ScoreSize, true
	case rHas:
		return 1, maxHas, true
	}
	return 0, 0, false
}

// isRequest reports whether it is the client that sends k.
func (k kind) isRequest() bool { return k%2 == 0 }

// A head is what stands before the fields of a message.
type head struct {
	kind kind
	tag  byte
	size int // of the fields
}

// isLarge reports whether a request counts as a block in the server's memory.
func (h head) isLarge() bool { return h.size > largeFields }

// parseHead reads a head and checks the size of the fields against what the kind allows.
func parseHead(b [headSize]byte) (head, error) {
	size := binary.BigEndian.Uint32(b[:])
	h := head{kind: kind(b[4]), tag: b[5]}
	low, high, known := h.kind.fields()
	if !known {
		return head{}, fmt.Errorf("%w: kind %d is not known", errMalformed, h.kind)
	}
	if size > venti.MaxBlock+2 || int(size)-2 < low || int(size)-2 > high {
		return head{}, fmt.Errorf("%w: size %d of kind %d is not in %d…%d", errMalformed, size, h.kind, low+2, high+2)
	}
	h.size = int(size) - 2
	return h, nil
}

// readHead reads and checks the head of a message. It returns io.EOF only between messages.
func readHead(in *bufio.Reader) (head, error) {
	var b [headSize]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return head{}, err
	}
	return parseHead(b)
}

// readFields reads the fields of a message into body, whose length is h.size.
func readFields(in *bufio.Reader, h head, body []byte) (message, error) {
	if _, err := io.ReadFull(in, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return message{}, err
	}
	return h.parse(body)
}

// A message is any message of the dialect. Only the fields that its kind has are set.
type message struct {
	kind    kind
	tag     byte
	version string        // hello
	score   venti.Score   // tRead, rWrite, rVital
	scores  []venti.Score // tHas
	has     []bool        // rHas
	data    []byte        // tWrite, tVital, rRead
	fault   fault         // rError
	text    string        // rError
}

var (
	errNumber = errors.New("number out of range")
	errString = errors.New("not a string of UTF-8 without control characters that fills its field")
)

// parse reads the fields of a message from body, whose length is h.size. The data of the message aliases body; nothing
// else does.
func (h head) parse(body []byte) (message, error) {
	m := message{kind: h.kind, tag: h.tag}
	var err error
	switch h.kind {
	case tHello, rHello:
		m.version, err = parseText(body)
	case tRead, rWrite, rVital:
		copy(m.score[:], body)
	case tWrite, tVital, rRead:
		m.data = body
	case tHas:
		m.scores, err = parseScores(body)
	case rHas:
		m.has, err = parseHas(body)
	case rError:
		if m.fault = fault(body[0]); m.fault == 0 || m.fault > maxFault {
			err = errNumber
		} else {
			m.text, err = parseText(body[1:])
		}
	}
	if err != nil {
		return message{}, fmt.Errorf("%w: kind %d: %w", errMalformed, h.kind, err)
	}
	return m, nil
}

func parseText(b []byte) (string, error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) != len(b)-2 || len(b)-2 > maxText {
		return "", errString
	}
	s := string(b[2:])
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errString
	}
	return s, nil
}

func parseScores(b []byte) ([]venti.Score, error) {
	if len(b)%venti.ScoreSize != 0 {
		return nil, errors.New("not whole scores")
	}
	scores := make([]venti.Score, len(b)/venti.ScoreSize)
	for i := range scores {
		copy(scores[i][:], b[i*venti.ScoreSize:])
	}
	return scores, nil
}

func parseHas(b []byte) ([]bool, error) {
	has := make([]bool, len(b))
	for i, v := range b {
		if v > 1 {
			return nil, errNumber
		}
		has[i] = v == 1
	}
	return has, nil
}

// appendTo appends the encoding of m to b, but for its data, which the caller sends after it. Only the size counts the
// data: a block is never copied for its message.
func (m *message) appendTo(b []byte) []byte {
	start := len(b)
	b = slices.Grow(b, headSize+len(m.scores)*venti.ScoreSize+len(m.has))
	b = append(b, 0, 0, 0, 0, byte(m.kind), m.tag)
	switch m.kind {
	case tHello, rHello:
		b = appendText(b, m.version)
	case tRead, rWrite, rVital:
		b = append(b, m.score[:]...)
	case tHas:
		for i := range m.scores {
			b = append(b, m.scores[i][:]...)
		}
	case rHas:
		for _, has := range m.has {
			if has {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		}
	case rError:
		b = appendText(append(b, byte(m.fault)), m.text)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-prefixSize+len(m.data)))
	return b
}

// appendText appends s, cut and mended to what a string may be.
func appendText(b []byte, s string) []byte {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}
