package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// Protocol is the name of the protocol, as libp2p knows it.
const Protocol = "/vdh/member/1"

// A kind of message. An answer has the kind of its request plus one, or is a refusal.
type kind byte

const (
	tHello kind = 1 + iota
	rHello
	tPing
	rPing
	tDigest
	rDigest
	tPush
	rPush
	tManifest
	rManifest
	tGoodbye
	rGoodbye
	rRefusal kind = 255
)

const (
	protocolVersion = 1
	headSize        = 6 // version, kind, length of the body

	maxDigest   = 4096      // rows
	maxWant     = 1024      // keys
	maxRecords  = 1024      // records of a message
	maxBatch    = 192 << 10 // bytes that the records of a message take, lengths included
	maxReason   = 256       // bytes of text
	maxIdentity = MaxRecord // bytes of a record or chain
)

// A fault says why a request is refused.
type fault byte

const (
	faultStranger fault = 1 + iota
	faultBusy
	faultClock
	faultMalformed
	faultOther
)

// A message is any of the protocol's messages; which fields it has is a matter of its kind.
type message struct {
	kind     kind
	revision uint64 // hello, ping: of the sender's manifest, 0 for none

	record []byte // hello of a member: its record
	chain  []byte // hello of a client: its certificates

	sum      [32]byte // ping: Roster.Sum
	sequence uint64   // ping: of the sender's record, 0 for a client

	from, to PublicKey // digest
	rows     []row     // digest

	want     []PublicKey // digest answer
	records  [][]byte    // digest answer, push
	manifest []byte      // push, manifest answer; may be empty

	fault fault  // refusal
	text  string // refusal
}

// maxBody returns the bound on the length of a kind's body, and false if there is no such kind.
func maxBody(k kind) (int, bool) {
	switch k {
	case tHello, rHello:
		return 10 + 1 + 2 + maxIdentity, true
	case tPing, rPing:
		return 32 + 10 + 10, true
	case tDigest:
		return 64 + 3 + maxDigest*(32+10), true
	case rDigest:
		return 3 + maxWant*32 + 3 + maxBatch, true
	case tPush:
		return 3 + MaxManifest + 3 + maxBatch, true
	case rManifest:
		return 3 + MaxManifest, true
	case rPush, tManifest, tGoodbye, rGoodbye:
		return 0, true
	case rRefusal:
		return 1 + 2 + maxReason, true
	}
	return 0, false
}

// appendTo appends the encoding of m.
func (m *message) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, protocolVersion, byte(m.kind), 0, 0, 0, 0)
	switch m.kind {
	case tHello, rHello:
		b = venti.AppendUint(b, m.revision)
		if m.record != nil {
			b = venti.AppendBytes(append(b, 1), m.record)
		} else {
			b = venti.AppendBytes(append(b, 2), m.chain)
		}
	case tPing, rPing:
		b = append(b, m.sum[:]...)
		b = venti.AppendUint(b, m.sequence)
		b = venti.AppendUint(b, m.revision)
	case tDigest:
		b = append(b, m.from[:]...)
		b = append(b, m.to[:]...)
		b = venti.AppendUint(b, uint64(len(m.rows)))
		for _, r := range m.rows {
			b = append(b, r.subject[:]...)
			b = venti.AppendUint(b, r.sequence)
		}
	case rDigest:
		b = venti.AppendUint(b, uint64(len(m.want)))
		for _, k := range m.want {
			b = append(b, k[:]...)
		}
		b = appendRecords(b, m.records)
	case tPush:
		b = venti.AppendBytes(b, m.manifest)
		b = appendRecords(b, m.records)
	case rManifest:
		b = venti.AppendBytes(b, m.manifest)
	case rRefusal:
		b = venti.AppendBytes(append(b, byte(m.fault)), m.text)
	}
	binary.BigEndian.PutUint32(b[start+2:], uint32(len(b)-start-headSize))
	return b
}

func appendRecords(b []byte, records [][]byte) []byte {
	b = venti.AppendUint(b, uint64(len(records)))
	for _, r := range records {
		b = venti.AppendBytes(b, r)
	}
	return b
}

// readMessage reads a message of one of the given kinds, and nothing after it. The length is checked before anything is
// allocated for it. Errors wrap ErrMessage, unless they are the reader's own.
func readMessage(r io.Reader, kinds ...kind) (*message, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	k, n := kind(head[1]), binary.BigEndian.Uint32(head[2:])
	limit, ok := maxBody(k)
	switch {
	case head[0] != protocolVersion:
		return nil, fmt.Errorf("%w: version %d is not known to this program", ErrMessage, head[0])
	case !ok || !bytes.Contains(kindBytes(kinds), []byte{byte(k)}):
		return nil, fmt.Errorf("%w: kind %d is not expected here", ErrMessage, k)
	case uint64(n) > uint64(limit):
		return nil, fmt.Errorf("%w: kind %d with a body of %d bytes", ErrMessage, k, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return parseBody(k, body)
}

func kindBytes(kinds []kind) []byte {
	b := make([]byte, len(kinds))
	for i, k := range kinds {
		b[i] = byte(k)
	}
	return b
}

// parseBody reads what appendTo wrote after the head and nothing else. Errors wrap ErrMessage. The message aliases body.
func parseBody(k kind, body []byte) (*message, error) {
	d := venti.NewDecoder(body)
	m := &message{kind: k}
	switch k {
	case tHello, rHello:
		m.revision = d.Uint(1<<64 - 1)
		switch who := d.Byte(); {
		case d.Err() != nil:
		case who == 1:
			m.record = d.Bytes(maxIdentity)
		case who == 2:
			m.chain = d.Bytes(maxIdentity)
		default:
			d.Fail(fmt.Errorf("identity of sort %d", who))
		}
	case tPing, rPing:
		m.sum = [32]byte(d.Fixed(32))
		m.sequence = d.Uint(maxSequence)
		m.revision = d.Uint(1<<64 - 1)
	case tDigest:
		m.parseDigest(d)
	case rDigest:
		for range d.Uint(uint64(min(maxWant, d.Len()/32))) {
			m.want = append(m.want, decodeKey(d))
		}
		m.records = decodeRecords(d)
	case tPush:
		m.manifest = d.Bytes(MaxManifest)
		m.records = decodeRecords(d)
	case rManifest:
		m.manifest = d.Bytes(MaxManifest)
	case rRefusal:
		m.fault, m.text = fault(d.Byte()), string(d.Bytes(maxReason))
		if d.Err() == nil && (m.fault < faultStranger || m.fault > faultOther) {
			d.Fail(fmt.Errorf("fault %d", m.fault))
		}
		if err := checkText("reason", m.text, maxReason); err != nil {
			d.Fail(err)
		}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: kind %d: %w", ErrMessage, k, err)
	}
	return m, nil
}

// parseDigest reads a digest: rows ascending, all between from and to.
func (m *message) parseDigest(d *venti.Decoder) {
	m.from, m.to = decodeKey(d), decodeKey(d)
	last := m.from
	for i := range d.Uint(uint64(min(maxDigest, d.Len()/33))) {
		r := row{decodeKey(d), d.Uint(maxSequence)}
		c := bytes.Compare(r.subject[:], last[:])
		if c < 0 || c == 0 && i > 0 {
			d.Fail(errors.New("a digest is not ascending"))
		}
		if d.Err() != nil {
			return
		}
		m.rows, last = append(m.rows, r), r.subject
	}
	if bytes.Compare(last[:], m.to[:]) > 0 {
		d.Fail(errors.New("a digest goes beyond its end"))
	}
}

func decodeRecords(d *venti.Decoder) [][]byte {
	if d.Len() > maxBatch+3 {
		d.Fail(fmt.Errorf("%d bytes of records", d.Len()))
	}
	var all [][]byte
	for range d.Uint(uint64(min(maxRecords, d.Len()))) {
		b := d.Bytes(MaxRecord)
		if d.Err() != nil {
			return nil
		}
		all = append(all, bytes.Clone(b)) // it may be kept for long, and the message need not be
	}
	return all
}

// refusal returns the message that tells a peer of err.
func refusal(err error) *message {
	m := &message{kind: rRefusal, fault: faultOther, text: err.Error()}
	switch {
	case errors.Is(err, dhash.ErrStranger):
		m.fault = faultStranger
	case errors.Is(err, dhash.ErrBusy):
		m.fault = faultBusy
	case errors.Is(err, ErrClock):
		m.fault = faultClock
	case errors.Is(err, ErrMessage), errors.Is(err, ErrRecord), errors.Is(err, ErrManifest):
		m.fault = faultMalformed
	}
	if checkText("reason", m.text, maxReason) != nil {
		clean := []rune{}
		for _, c := range m.text {
			if c >= ' ' && c != 0x7f && (c < 0x80 || c > 0x9f) && len(string(clean)) < maxReason-4 {
				clean = append(clean, c)
			}
		}
		m.text = string(clean)
	}
	return m
}

// err returns what a refusal says as an error.
func (m *message) err() error {
	cause := map[fault]error{
		faultStranger: dhash.ErrStranger, faultBusy: dhash.ErrBusy, faultClock: ErrClock, faultMalformed: ErrMessage,
	}[m.fault]
	if cause == nil {
		return fmt.Errorf("the peer refuses: %s", m.text)
	}
	return fmt.Errorf("the peer refuses: %w (it says: %s)", cause, m.text)
}
