package claim

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	version = 1

	// The labels keep these signatures apart from each other, and from those of package member.
	label     = "vdh claim\x00"
	labelHeir = "vdh heir\x00"

	// MaxStatement is the length in bytes of the longest encoded statement.
	MaxStatement = 2 + 32 + 2 + maxLender + 9 + 6 + 6 + 2*32 + 3 + MaxScores*venti.ScoreSize + ed25519.SignatureSize
)

// HashOf returns the hash by which an encoded statement is named: a BLAKE3-256.
func HashOf(encoded []byte) dhash.Hash { return blake3.Sum256(encoded) }

// Sign returns the statement encoded, signed by the owner's key for a swarm, and its hash. s.Owner is set to what the key
// says. It fails if the statement cannot be; see the fields of Statement. A hand-over is signed by SignHandOver.
func Sign(key ed25519.PrivateKey, swarm [32]byte, s Statement) ([]byte, dhash.Hash, error) {
	if s.Kind == HandOver {
		return nil, dhash.Hash{}, fmt.Errorf("%w: a hand-over is signed by the heir as well", ErrStatement)
	}
	return sign(key, nil, swarm, s)
}

// SignHandOver is Sign for a hand-over, which both the owner and the heir sign. s.Kind and s.Heir are set.
func SignHandOver(owner, heir ed25519.PrivateKey, swarm [32]byte, s Statement) ([]byte, dhash.Hash, error) {
	s.Kind, s.Heir = HandOver, dhash.Owner(heir.Public().(ed25519.PublicKey))
	return sign(owner, heir, swarm, s)
}

// sign signs a statement by the owner's key, and before that by the heir's if there is one.
func sign(key, heir ed25519.PrivateKey, swarm [32]byte, s Statement) ([]byte, dhash.Hash, error) {
	s.Owner = dhash.Owner(key.Public().(ed25519.PublicKey))
	if err := s.validate(); err != nil {
		return nil, dhash.Hash{}, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	b := s.appendBody(make([]byte, 0, 512+len(s.Scores)*venti.ScoreSize))
	if s.Kind == HandOver {
		b = append(b, ed25519.Sign(heir, message(labelHeir, swarm, b))...)
	}
	b = append(b, ed25519.Sign(key, message(label, swarm, b))...)
	return b, HashOf(b), nil
}

// message returns what is signed.
func message(label string, swarm [32]byte, body []byte) []byte {
	m := make([]byte, 0, len(label)+len(swarm)+len(body))
	m = append(m, label...)
	m = append(m, swarm[:]...)
	return append(m, body...)
}

// appendBody appends all of the encoding but the signatures.
func (s *Statement) appendBody(b []byte) []byte {
	b = append(b, version, byte(s.Kind))
	b = append(b, s.Owner[:]...)
	b = venti.AppendBytes(b, string(s.Lender))
	b = venti.AppendUint(b, s.Number)
	b = venti.AppendSeconds(b, s.Date)
	switch s.Kind {
	case Release:
		b = venti.AppendSeconds(b, s.Before)
		b = s.appendScores(b)
	case Retain:
		b = venti.AppendSeconds(b, s.Before)
		b = append(b, s.From[:]...)
		b = append(b, s.To[:]...)
		b = s.appendScores(b)
	case Confirmation:
		b = append(b, s.Confirms[:]...)
	case HandOver:
		b = append(b, s.Heir[:]...)
	}
	return b
}

func (s *Statement) appendScores(b []byte) []byte {
	b = venti.AppendUint(b, uint64(len(s.Scores)))
	for i := range s.Scores {
		b = append(b, s.Scores[i][:]...)
	}
	return b
}

// Parse reads what Sign returned and nothing else. It checks that it is the owner's word in this swarm, to this lender,
// and whole. It keeps nothing of b. Errors wrap ErrStatement.
func Parse(b []byte, swarm [32]byte, lender dhash.ID) (*Statement, error) {
	s, err := parse(b, swarm)
	if err == nil && s.Lender != lender {
		err = fmt.Errorf("it is for member %s, not for %s", s.Lender.Short(), lender.Short())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return s, nil
}

func parse(b []byte, swarm [32]byte) (*Statement, error) {
	if len(b) > MaxStatement {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(b), MaxStatement)
	}
	s, err := decode(b)
	if err != nil {
		return nil, err
	}
	body, sig := b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	if !ed25519.Verify(s.Owner[:], message(label, swarm, body), sig) {
		return nil, errors.New("its signature is bad")
	}
	if s.Kind == HandOver {
		body, sig = body[:len(body)-ed25519.SignatureSize], body[len(body)-ed25519.SignatureSize:]
		if !ed25519.Verify(s.Heir[:], message(labelHeir, swarm, body), sig) {
			return nil, errors.New("the heir's signature is bad")
		}
	}
	s.Hash = HashOf(b)
	return s, nil
}

// decode reads a statement and checks all but its signatures.
func decode(b []byte) (*Statement, error) {
	d := venti.NewDecoder(b)
	decodeVersion(d)
	s := &Statement{Kind: Kind(d.Byte())}
	s.Owner = dhash.Owner(d.Fixed(len(s.Owner)))
	s.Lender = dhash.ID(d.Bytes(maxLender))
	s.Number = d.Uint(maxNumber)
	s.Date = d.Seconds()
	switch s.Kind {
	case Release:
		s.Before = d.Seconds()
		s.decodeScores(d)
	case Retain:
		s.Before = d.Seconds()
		s.From, s.To = dhash.Key(d.Fixed(len(s.From))), dhash.Key(d.Fixed(len(s.To)))
		s.decodeScores(d)
	case Confirmation:
		s.Confirms = dhash.Hash(d.Fixed(len(s.Confirms)))
	case HandOver:
		s.Heir = dhash.Owner(d.Fixed(len(s.Heir)))
		d.Fixed(ed25519.SignatureSize)
	}
	d.Fixed(ed25519.SignatureSize)
	if err := d.Finish(); err != nil {
		return nil, err
	}
	return s, s.validate()
}

func (s *Statement) decodeScores(d *venti.Decoder) {
	n := int(d.Uint(MaxScores))
	if d.Err() != nil || d.Len() < n*venti.ScoreSize {
		d.Fail(fmt.Errorf("it has less than the %d blocks that it declares", n))
		return
	}
	s.Scores = make([]venti.Score, n)
	for i := range s.Scores {
		copy(s.Scores[i][:], d.Fixed(venti.ScoreSize))
	}
}

// decodeVersion reads the first byte of an encoding.
func decodeVersion(d *venti.Decoder) {
	if v := d.Byte(); d.Err() == nil && v != version {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
}
