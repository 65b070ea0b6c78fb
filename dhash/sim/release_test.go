package sim_test

import (
	"bytes"
	"slices"

	"ventidhash/dhash/claim"
	"ventidhash/venti"
)

// release has the owner let go of blocks, at all members that are up.
func (k *keeping) release(which []int) {
	k.t.Helper()
	var scores []venti.Score
	for _, i := range which {
		scores = append(scores, k.scores[i])
	}
	slices.SortFunc(scores, func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	for _, i := range k.up() {
		beat := k.s.State(k.other(i), i, claim.Statement{Kind: claim.Heartbeat})
		if beat.Verdict != claim.Done {
			k.t.Errorf("member %d: a heartbeat: %v, %v", i, beat.Verdict, beat.Reason)
		}
		got := k.s.State(k.other(i), i, claim.Statement{Kind: claim.Release, Scores: scores, Before: beat.Now})
		if got.Verdict != claim.Done {
			k.t.Errorf("member %d: a release: %v, %v", i, got.Verdict, got.Reason)
		}
	}
}

// other returns a member that is up, and not i.
func (k *keeping) other(i int) int {
	up := k.up()
	if up[0] == i {
		return up[1]
	}
	return up[0]
}
