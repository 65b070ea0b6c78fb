package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"ventidhash/venti"
)

const (
	versionLine = "venti-vdh1-ventidhash\n"
	token       = "vdh1"
	maxLine     = 1023
)

// Message types: a request, and its answer one higher. They are those of the classic protocol where it has them.
const (
	rError   = 1
	tPing    = 2
	rPing    = 3
	tHello   = 4
	rHello   = 5
	tGoodbye = 6
	tRead    = 12
	rRead    = 13
	tWrite   = 14
	rWrite   = 15
	tSync    = 16
	rSync    = 17
	tHas     = 18
	rHas     = 19
	tYield   = 20
	rYield   = 21
)

const (
	headSize = 4 + 1 + 2 // size, type, tag
	maxBody  = venti.MaxBlock + 64
	maxHas   = 4096 // scores in one message
	maxText  = 4096 // bytes of an error's text
)

// An errorKind says which sentinel an error that crossed the wire stands for.
type errorKind byte

const (
	kindOther errorKind = iota
	kindNotFound
	kindUnavailable
	kindCorrupt
	kindTooLarge
	kindEnd
)

var sentinels = [kindEnd]error{kindNotFound: venti.ErrNotFound, kindUnavailable: venti.ErrUnavailable,
	kindCorrupt: venti.ErrCorrupt, kindTooLarge: venti.ErrTooLarge}

func kindOf(err error) errorKind {
	for k, s := range sentinels {
		if s != nil && errors.Is(err, s) {
			return errorKind(k)
		}
	}
	return kindOther
}

// A message is one message without its size. The body aliases a buffer of its reader.
type message struct {
	kind byte
	tag  uint16
	body []byte
}

var errMessage = errors.New("malformed message")

// readMessage reads one message, whose body has at most max bytes, into buf, which grows as needed.
func readMessage(r io.Reader, buf []byte, max int) (message, []byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, buf, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < headSize-4 || size > uint32(max)+headSize-4 {
		return message{}, buf, fmt.Errorf("%w: size %d", errMessage, size)
	}
	n := int(size) - (headSize - 4)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return message{}, buf, err
	}
	return message{kind: head[4], tag: binary.BigEndian.Uint16(head[5:]), body: buf}, buf, nil
}

// writeMessage writes one message whose body is the concatenation of parts, without copying them.
func writeMessage(w io.Writer, kind byte, tag uint16, parts ...[]byte) error {
	n := headSize - 4
	for _, p := range parts {
		n += len(p)
	}
	head := make([]byte, headSize)
	binary.BigEndian.PutUint32(head, uint32(n))
	head[4] = kind
	binary.BigEndian.PutUint16(head[5:], tag)
	bufs := append(net.Buffers{head}, parts...)
	_, err := bufs.WriteTo(w)
	return err
}

// appendError encodes an error: kind, text.
func appendError(b []byte, err error) []byte {
	text := err.Error()
	var be *venti.BlockError
	if errors.As(err, &be) {
		text = be.Err.Error()
	}
	if len(text) > maxText {
		text = text[:maxText]
	}
	return venti.AppendBytes(append(b, byte(kindOf(err))), text)
}

// A remoteError is an error that the other side reported.
type remoteError struct {
	sentinel error
	text     string
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.sentinel }

// parseError decodes what appendError made.
func parseError(b []byte) (*remoteError, error) {
	d := venti.NewDecoder(b)
	k := errorKind(d.Byte())
	text := string(d.Bytes(maxText))
	if k >= kindEnd {
		d.Fail(fmt.Errorf("error kind %d", k))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	return &remoteError{sentinel: sentinels[k], text: text}, nil
}

// appendScores and parseScores are the body of tHas.
func appendScores(b []byte, scores []venti.Score) []byte {
	for _, s := range scores {
		b = append(b, s[:]...)
	}
	return b
}

func parseScores(b []byte) ([]venti.Score, error) {
	if len(b)%venti.ScoreSize != 0 || len(b) > maxHas*venti.ScoreSize {
		return nil, fmt.Errorf("%w: %d bytes of scores", errMessage, len(b))
	}
	scores := make([]venti.Score, len(b)/venti.ScoreSize)
	for i := range scores {
		copy(scores[i][:], b[i*venti.ScoreSize:])
	}
	return scores, nil
}

// parseScore is the body of tRead and rWrite.
func parseScore(b []byte) (s venti.Score, err error) {
	if len(b) != venti.ScoreSize {
		return s, fmt.Errorf("%w: score of %d bytes", errMessage, len(b))
	}
	copy(s[:], b)
	return s, nil
}

// appendFlags and parseFlags are the body of rHas: one byte a score, 0 or 1.
func appendFlags(b []byte, has []bool) []byte {
	for _, h := range has {
		if h {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

func parseFlags(b []byte, n int) ([]bool, error) {
	if len(b) != n {
		return nil, fmt.Errorf("%w: %d answers to %d questions", errMessage, len(b), n)
	}
	has := make([]bool, n)
	for i, v := range b {
		if v > 1 {
			return nil, fmt.Errorf("%w: answer %d", errMessage, v)
		}
		has[i] = v == 1
	}
	return has, nil
}

// checkLine reads the other side's version line and accepts it if it offers the dialect.
func checkLine(r *bufio.Reader) error {
	var line []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return fmt.Errorf("version line: %w", err)
		}
		if c == '\n' {
			break
		}
		if line = append(line, c); len(line) > maxLine || c < 0x20 || c > 0x7f {
			return fmt.Errorf("%w: version line", errMessage)
		}
	}
	name, rest, ok := strings.Cut(string(line), "-")
	offers, _, _ := strings.Cut(rest, "-")
	if !ok || name != "venti" {
		return fmt.Errorf("%w: version line %.40q", errMessage, line)
	}
	for offer := range strings.SplitSeq(offers, ":") {
		if offer == token {
			return nil
		}
	}
	return fmt.Errorf("no version in common: the other side offers %.40q", offers)
}
