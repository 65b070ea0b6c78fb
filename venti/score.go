package venti

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ScoreSize is the length of a Score in bytes.
const ScoreSize = sha256.Size

// A Score names a block: the SHA-256 of the block's bytes as they are stored. It is comparable and serves as a map
// key. ParseScore(s.String()) == s.
type Score [ScoreSize]byte

// ZeroScore is the score of the empty block. It is not the zero value of Score, which names nothing.
//
// It is a function of nothing and written out so that no package state is needed.
func ZeroScore() Score { return sha256.Sum256(nil) }

// Sum returns the score of block.
func Sum(block []byte) Score { return sha256.Sum256(block) }

// ParseScore reads a score from exactly 64 lower-case hexadecimal digits.
func ParseScore(text string) (Score, error) {
	var s Score
	if len(text) != 2*ScoreSize {
		return Score{}, fmt.Errorf("a score has %d hex digits, not %d: %.80q", 2*ScoreSize, len(text), text)
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Score{}, fmt.Errorf("a score is lower-case hex digits, found %q in %.80q", c, text)
		}
	}
	if _, err := hex.Decode(s[:], []byte(text)); err != nil {
		return Score{}, err
	}
	return s, nil
}

// String returns the 64 lower-case hexadecimal digits of s.
func (s Score) String() string { return hex.EncodeToString(s[:]) }

// Short returns the first 12 digits of s, for people.
func (s Score) Short() string { return hex.EncodeToString(s[:6]) }

// IsZero reports whether s is the zero value, which names no block.
func (s Score) IsZero() bool { return s == Score{} }

// MarshalText implements encoding.TextMarshaler.
func (s Score) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it is as strict as ParseScore.
func (s *Score) UnmarshalText(text []byte) error {
	v, err := ParseScore(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
