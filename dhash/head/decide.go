package head

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"ventidhash/venti"
)

const (
	// Keepers is how many members keep the head of an owner: those closest to its key, or all if there are fewer.
	Keepers = 20

	// Slack is how many members beyond Keepers take a head and are asked for it, for rosters differ.
	Slack = 12

	// MaxConflict is how many heads of one owner and one sequence are kept.
	MaxConflict = 4

	// MaxAhead is how far in the future a head may be dated.
	MaxAhead = time.Hour
)

// A Verdict is what a member says about a head that it was sent. The numbers are those of dhash/peer/PROTOCOL.md.
type Verdict byte

// Verdicts. After New, Same and Conflict the member has the head, durably.
const (
	New      Verdict = 1 // it takes the place of what was there
	Same     Verdict = 2 // it was there already
	Conflict Verdict = 3 // it is kept beside others of the same sequence
	Older    Verdict = 4 // refused: there is one of a higher sequence
	Future   Verdict = 5 // refused: it is dated more than MaxAhead ahead of the member's clock
	Full     Verdict = 6 // refused: no room, for so many owners or for so many heads in conflict
	NotMine  Verdict = 7 // refused: the member is not close to the owner's key
)

// String returns the verdict in words.
func (v Verdict) String() string {
	switch v {
	case New:
		return "new"
	case Same:
		return "the same"
	case Conflict:
		return "in conflict with another one"
	case Older:
		return "older than the one there"
	case Future:
		return "dated in the future"
	case Full:
		return "no room"
	case NotMine:
		return "not responsible"
	}
	return fmt.Sprintf("verdict %d", byte(v))
}

// Known reports whether v is one of the verdicts.
func (v Verdict) Known() bool { return v >= New && v <= NotMine }

// Kept reports whether the member has the head now.
func (v Verdict) Kept() bool { return v == New || v == Same || v == Conflict }

// Equal reports whether two heads of one owner say the same: which catalog, under which number. When they were signed
// makes no difference.
func Equal(a, b venti.Head) bool { return a.Sequence == b.Sequence && a.Score == b.Score }

// Decide says what becomes of a head of an owner of whom others are there: those of the highest sequence, at most
// MaxConflict, none of them Equal to another. Of more in conflict those stay whose scores are the lowest, so that all
// members keep the same ones. h has a good signature.
func Decide(have []venti.Head, h venti.Head, now time.Time) Verdict {
	switch {
	case slices.ContainsFunc(have, func(o venti.Head) bool { return Equal(o, h) }):
		return Same
	case len(have) > 0 && h.Sequence < have[0].Sequence:
		return Older
	case h.Time.Sub(now) > MaxAhead:
		return Future
	case len(have) == 0 || h.Sequence > have[0].Sequence:
		return New
	case len(have) >= MaxConflict && byScore(h, slices.MaxFunc(have, byScore)) > 0:
		return Full
	}
	return Conflict
}

// Apply returns what is there once Decide has spoken. It does not change have, and the result is in the order of
// scores.
func Apply(have []venti.Head, h venti.Head, v Verdict) []venti.Head {
	switch v {
	case New:
		return []venti.Head{h}
	case Conflict:
		have = append(slices.Clone(have), h)
		slices.SortFunc(have, byScore)
		return have[:min(len(have), MaxConflict)]
	}
	return have
}

// byScore is the order of heads in conflict.
func byScore(a, b venti.Head) int { return bytes.Compare(a.Score[:], b.Score[:]) }

// Newer returns those of have, the heads that a member has of one owner, that whoever sent the heads given of it lacks:
// they are of a higher sequence, or in conflict with one that was given.
func Newer(have, given []venti.Head) (out []venti.Head) {
	for _, h := range have {
		lacks := func(g venti.Head) bool { return g.Sequence > h.Sequence || Equal(g, h) }
		if !slices.ContainsFunc(given, lacks) {
			out = append(out, h)
		}
	}
	return out
}
