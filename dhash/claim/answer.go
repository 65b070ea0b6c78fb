package claim

import (
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ErrAnswer says that bytes are no lender's answer to a statement.
var ErrAnswer = errors.New("no answer to a statement")

// A Verdict says what became of a statement.
type Verdict byte

// The verdicts.
const (
	Done    Verdict = 1 // it was carried out, now or before
	Waits   Verdict = 2 // nothing was done; the same statement may be good later, see the reason
	Refused Verdict = 3 // nothing was done, and never will be on this statement
)

// String returns the name of the verdict.
func (v Verdict) String() string {
	switch v {
	case Done:
		return "done"
	case Waits:
		return "waits"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("verdict %d", byte(v))
}

// A Reason says why a statement waits or was refused.
type Reason byte

// The reasons. Those from PausedStart on are why a lender gives nothing up now, whoever asks.
const (
	NoReason     Reason = 0
	Braked       Reason = 1 // more than a tenth of the owner's claims: a confirmation is needed
	LowNumber    Reason = 2
	FromFuture   Reason = 3
	TooOld       Reason = 4
	BadCutOff    Reason = 5
	NoClaims     Reason = 6 // the owner has nothing here
	NoHeartbeat  Reason = 7 // the lender knows too little of the owner; a heartbeat has to come first
	TooEarly     Reason = 8 // a confirmation before its time
	NothingWaits Reason = 9 // a confirmation of a statement that does not wait here
	TooMany      Reason = 10
	HandedOver   Reason = 11 // the owner has handed over to another, who alone speaks for its claims
	BadHeir      Reason = 12 // the heir has handed over to this very owner, or taken over from too many
	PausedStart  Reason = 16 // the lender was away and has not been back for long
	PausedClock  Reason = 17
	PausedRoster Reason = 18
	PausedMarker Reason = 19
)

// String returns the reason for people.
func (r Reason) String() string {
	switch r {
	case NoReason:
		return "none"
	case Braked:
		return "it drops more than a tenth of the owner's claims, which takes a confirmation a day later"
	case LowNumber:
		return "its number is not above that of an earlier statement"
	case FromFuture:
		return "it is dated in the future; the clocks differ"
	case TooOld:
		return "it is too old"
	case BadCutOff:
		return "its cut-off is too late"
	case NoClaims:
		return "the owner has nothing here"
	case NoHeartbeat:
		return "a heartbeat has to come first"
	case TooEarly:
		return "a confirmation before its time"
	case NothingWaits:
		return "no such statement waits here"
	case TooMany:
		return "too many statements wait for a confirmation"
	case HandedOver:
		return "the owner has handed over to another, who alone speaks for its claims"
	case BadHeir:
		return "the heir has handed over to this very owner, or has taken over from too many"
	case PausedStart:
		return "the member has not been up for long enough to give anything up"
	case PausedClock:
		return "the member's clock jumped"
	case PausedRoster:
		return "the member reaches less than half of those that it knows"
	case PausedMarker:
		return "the marker of the member's storage is missing"
	}
	return fmt.Sprintf("reason %d", byte(r))
}

func (r Reason) known() bool { return r <= BadHeir || r >= PausedStart && r <= PausedMarker }

// An Answer is what a lender says to a statement. Times are by its clock, in whole seconds.
type Answer struct {
	Verdict Verdict
	Reason  Reason    // NoReason if it was done
	Number  uint64    // in force: the highest that the lender has taken from the owner; 0 if there is none
	Now     time.Time // what the lender's clock shows
	Until   time.Time // when a statement that waits may be good at the earliest; zero if that is not known
	Kept    time.Time // until when the owner's claims are kept without another heartbeat; zero if it has none

	// Fragments and Bytes are what the statement released; of one that waits, what it would release; else 0.
	Fragments, Bytes int64

	// Claims and ClaimBytes are what the owner still has here; of a hand-over, what the heir has.
	Claims, ClaimBytes int64

	// Waiting are the owner's statements that wait here for a confirmation, by number.
	Waiting []Pending
}

// A Pending is a statement that waits for a confirmation.
type Pending struct {
	Hash      dhash.Hash
	Number    uint64
	Since     time.Time // by the lender's clock
	Fragments int64     // that it would release, as it was when it came
	Bytes     int64
	Confirmed bool // sent again, the statement is carried out
}

// MaxPending is how many statements of one owner may wait for a confirmation.
const MaxPending = 32

// MaxAnswer is the length in bytes of the longest encoded answer.
const MaxAnswer = 3 + 9 + 3*6 + 4*9 + 1 + MaxPending*maxPending

const (
	maxPending = 32 + 9 + 6 + 9 + 9 + 1
	maxCount   = 1<<63 - 1
)

// Encode returns the encoding of a.
func (a Answer) Encode() []byte {
	b := []byte{version, byte(a.Verdict), byte(a.Reason)}
	b = venti.AppendUint(b, a.Number)
	for _, t := range []time.Time{a.Now, a.Until, a.Kept} {
		b = venti.AppendSeconds(b, t)
	}
	for _, n := range []int64{a.Fragments, a.Bytes, a.Claims, a.ClaimBytes} {
		b = venti.AppendUint(b, uint64(n))
	}
	return appendPending(b, a.Waiting)
}

// ParseAnswer reads what Encode wrote and nothing else. Errors wrap ErrAnswer.
func ParseAnswer(b []byte) (Answer, error) {
	d := venti.NewDecoder(b)
	decodeVersion(d)
	a := Answer{Verdict: Verdict(d.Byte()), Reason: Reason(d.Byte()), Number: d.Uint(maxNumber)}
	a.Now, a.Until, a.Kept = d.Seconds(), d.Seconds(), d.Seconds()
	for _, n := range []*int64{&a.Fragments, &a.Bytes, &a.Claims, &a.ClaimBytes} {
		*n = int64(d.Uint(maxCount))
	}
	a.Waiting = decodePending(d)
	err := d.Finish()
	switch {
	case err != nil:
	case a.Verdict < Done || a.Verdict > Refused || !a.Reason.known():
		err = fmt.Errorf("%v, %v", a.Verdict, a.Reason)
	case (a.Verdict == Done) != (a.Reason == NoReason):
		err = fmt.Errorf("%v because %v", a.Verdict, a.Reason)
	case a.Now.IsZero():
		err = errors.New("it has no date")
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return a, nil
}

func appendPending(b []byte, list []Pending) []byte {
	b = append(b, byte(len(list)))
	for i := range list {
		p := &list[i]
		b = append(b, p.Hash[:]...)
		b = venti.AppendUint(b, p.Number)
		b = venti.AppendSeconds(b, p.Since)
		b = venti.AppendUint(b, uint64(p.Fragments))
		b = venti.AppendUint(b, uint64(p.Bytes))
		if p.Confirmed {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

func decodePending(d *venti.Decoder) (list []Pending) {
	n := int(d.Byte())
	if n > MaxPending {
		d.Fail(fmt.Errorf("%d statements wait, more than %d", n, MaxPending))
	}
	for i := 0; i < n && d.Err() == nil; i++ {
		p := Pending{Hash: dhash.Hash(d.Fixed(32)), Number: d.Uint(maxNumber), Since: d.Seconds(),
			Fragments: int64(d.Uint(maxCount)), Bytes: int64(d.Uint(maxCount))}
		switch v := d.Byte(); {
		case v > 1:
			d.Fail(fmt.Errorf("confirmed: %d", v))
		case i > 0 && list[i-1].Number >= p.Number:
			d.Fail(errors.New("statements that wait are not in order"))
		default:
			p.Confirmed = v == 1
		}
		list = append(list, p)
	}
	return list
}
