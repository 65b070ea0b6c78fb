package claim

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ErrStatement says that bytes are no statement of an owner in this swarm for this lender. Nothing in them was believed.
var ErrStatement = errors.New("statement refused")

// MaxScores is how many blocks one statement names at most: a mebibyte of scores.
const MaxScores = 32768

// A Kind says what a statement is for.
type Kind byte

// The kinds of statements.
const (
	Heartbeat    Kind = 1
	Release      Kind = 2
	Retain       Kind = 3
	Confirmation Kind = 4
	HandOver     Kind = 5
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case Heartbeat:
		return "heartbeat"
	case Release:
		return "release"
	case Retain:
		return "retain set"
	case Confirmation:
		return "confirmation"
	case HandOver:
		return "hand-over"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// A Statement is an owner's signed word to one lender about the claims that it has there. Times are in whole seconds.
type Statement struct {
	Kind   Kind
	Owner  dhash.Owner
	Lender dhash.ID

	// Number grows from statement to statement of an owner to a lender; the time in milliseconds will do. That of a
	// hand-over counts for nothing: it must be possible when somebody else has spoken in the owner's name, however high.
	Number uint64

	// Date is when the statement was made, by the owner's clock.
	Date time.Time

	// Before is, of a release or a retain set, when the oldest claim was made that is not touched, by the lender's clock.
	// Every answer says what that clock shows: an owner asks (with a heartbeat), then looks for what no snapshot needs,
	// and gives back that time, so that a claim which a backup makes meanwhile stays. It should be earlier still, by as
	// long as any backup may have been running by then whose snapshot is not in the catalog yet.
	Before time.Time

	// From and To are, of a retain set, the range of positions of blocks that it is about, both included.
	From, To dhash.Key

	// Scores are, of a release, the blocks that are let go, all codings and all fragments of them; of a retain set, all
	// blocks in the range that are still needed, possibly none. They ascend, and there are at most MaxScores.
	Scores []venti.Score

	// Confirms is, of a confirmation, the hash of the statement that it is the second word for.
	Confirms dhash.Hash

	// Heir is, of a hand-over, whose the owner's claims are from now on. It signs as well (SignHandOver).
	Heir dhash.Owner

	// Hash names the statement: it is that of its encoding. Parse sets it; Sign returns it.
	Hash dhash.Hash
}

const (
	maxNumber = 1<<63 - 1
	maxLender = 128 // bytes of a member's id
)

// validate returns an error if s cannot be what its kind says.
func (s *Statement) validate() error {
	lists := s.Kind == Release || s.Kind == Retain
	switch {
	case s.Kind < Heartbeat || s.Kind > HandOver:
		return fmt.Errorf("%v is not known to this program", s.Kind)
	case len(s.Lender) == 0 || len(s.Lender) > maxLender:
		return fmt.Errorf("the lender's id has %d bytes, not 1 to %d", len(s.Lender), maxLender)
	case s.Number == 0 || s.Number > maxNumber:
		return fmt.Errorf("number %d is not within 1 and 2^63-1", s.Number)
	case len(s.Scores) > MaxScores:
		return fmt.Errorf("%d blocks are more than %d", len(s.Scores), MaxScores)
	case !lists && (len(s.Scores) > 0 || !s.Before.IsZero()):
		return fmt.Errorf("a %v names no blocks", s.Kind)
	case s.Kind == Release && len(s.Scores) == 0:
		return errors.New("a release of nothing")
	case s.Kind != Retain && (s.From != dhash.Key{} || s.To != dhash.Key{}):
		return fmt.Errorf("a %v has no range", s.Kind)
	case (s.Kind == Confirmation) != (s.Confirms != dhash.Hash{}):
		return fmt.Errorf("a %v that confirms %x", s.Kind, s.Confirms[:4])
	case (s.Kind == HandOver) != (s.Heir != dhash.Owner{}):
		return fmt.Errorf("a %v to %x", s.Kind, s.Heir[:4])
	case s.Kind == HandOver && s.Heir == s.Owner:
		return errors.New("a hand-over to the owner itself")
	case bytes.Compare(s.From[:], s.To[:]) > 0:
		return errors.New("the range ends before it begins")
	}
	if err := checkTime("date", s.Date); err != nil {
		return err
	}
	if lists {
		if err := checkTime("cut-off", s.Before); err != nil {
			return err
		}
	}
	return s.checkScores()
}

func (s *Statement) checkScores() error {
	for i := range s.Scores {
		if i > 0 && bytes.Compare(s.Scores[i-1][:], s.Scores[i][:]) >= 0 {
			return fmt.Errorf("blocks %d and %d are not in order", i-1, i)
		}
		if s.Kind == Retain && !s.Covers(dhash.KeyOf(s.Scores[i])) {
			return fmt.Errorf("block %s is out of the range", s.Scores[i].Short())
		}
	}
	return nil
}

// Covers reports whether a position is in the range of a retain set.
func (s *Statement) Covers(k dhash.Key) bool {
	return bytes.Compare(s.From[:], k[:]) <= 0 && bytes.Compare(k[:], s.To[:]) <= 0
}

// checkTime refuses a time that venti.AppendSeconds would not keep.
func checkTime(what string, t time.Time) error {
	if s := t.Unix(); t.IsZero() || s <= 0 || s > venti.MaxSeconds || t.Nanosecond() != 0 {
		return fmt.Errorf("%s %v is not in whole seconds after 1970", what, t)
	}
	return nil
}
