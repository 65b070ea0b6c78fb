package peer

import (
	"bytes"
	"context"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

// Heads compares 1 to MaxHeads heads with what a member has: it returns the member's verdict on each, and the heads of
// the same owners that are newer there, or in conflict. Signatures are checked. No grants are shown: it is how members
// hand heads on. From a client it is refused.
func (c *Client) Heads(ctx context.Context, id dhash.ID, heads []venti.Head) ([]head.Verdict, []venti.Head, error) {
	return c.heads(ctx, id, heads, nil)
}

// PublishHead sends a member the head of an owner, whose grant is shown, and returns the verdict, and what is newer
// there or in conflict, or, if the verdict is head.New, what gave way.
func (c *Client) PublishHead(ctx context.Context, id dhash.ID, h venti.Head) (head.Verdict, []venti.Head, error) {
	owner := dhash.Owner(h.Owner)
	verdicts, newer, err := c.heads(ctx, id, []venti.Head{h}, &owner)
	if err != nil {
		return 0, nil, err
	}
	return verdicts[0], newer, nil
}

func (c *Client) heads(ctx context.Context, id dhash.ID, heads []venti.Head, owner *dhash.Owner) ([]head.Verdict, []venti.Head,
	error) {
	if len(heads) < 1 || len(heads) > MaxHeads {
		return nil, nil, fmt.Errorf("comparing heads with member %s: %d heads, want 1 to %d: %w", id.Short(), len(heads), MaxHeads,
			errField)
	}
	body := appendHeads(make([]byte, 0, len(heads)*venti.HeadSize), heads)
	b, err := c.do(ctx, id, &request{kind: kHeads, body: body, weight: int64(len(body)), owner: owner})
	var verdicts []head.Verdict
	var newer []venti.Head
	if err == nil {
		verdicts, newer, err = parseVerdicts(b, heads)
		err = c.blame(id, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("comparing %d heads with member %s: %w", len(heads), id.Short(), err)
	}
	return verdicts, newer, nil
}

// FindHeads asks a member for the heads of 1 to MaxFindOwners owners, and returns, for each, none, one, or several of
// the same sequence in conflict. Signatures are checked.
func (c *Client) FindHeads(ctx context.Context, id dhash.ID, owners []dhash.Owner) ([][]venti.Head, error) {
	if len(owners) < 1 || len(owners) > MaxFindOwners {
		return nil, fmt.Errorf("asking member %s for the heads of %d owners, want 1 to %d: %w", id.Short(), len(owners),
			MaxFindOwners, errField)
	}
	body := appendOwners(make([]byte, 0, len(owners)*32), owners)
	b, err := c.do(ctx, id, &request{kind: kFindHeads, body: body, weight: nominal})
	var heads [][]venti.Head
	if err == nil {
		heads, err = parseHeadsOf(b, owners)
		err = c.blame(id, err)
	}
	if err != nil {
		return nil, fmt.Errorf("asking member %s for the heads of %d owners: %w", id.Short(), len(owners), err)
	}
	return heads, nil
}

// Roots asks a member for the scores of blocks that look like an owner's roots, from a position on, in the order of
// their positions, at most MaxRoots. The member stops when it has done enough work: next is where to go on, and the
// zero Key when there are no more. The owner's grant is shown. It believes the member.
func (c *Client) Roots(ctx context.Context, id dhash.ID, owner dhash.Owner, from dhash.Key) (scores []venti.Score, next dhash.Key,
	err error) {
	b, err := c.do(ctx, id, &request{kind: kRoots, body: appendRootsOf(nil, owner, from), weight: nominal, owner: &owner})
	if err == nil {
		scores, next, err = parseRoots(b, from)
		err = c.blame(id, err)
	}
	if err != nil {
		return nil, dhash.Key{}, fmt.Errorf("asking member %s for the roots of an owner: %w", id.Short(), err)
	}
	return scores, next, nil
}

func appendHeads(b []byte, heads []venti.Head) []byte {
	for i := range heads {
		b = heads[i].Append(b)
	}
	return b
}

// decodeHead reads a head and checks its signature.
func decodeHead(d *venti.Decoder) venti.Head {
	b := d.Fixed(venti.HeadSize)
	if d.Err() != nil {
		return venti.Head{}
	}
	h, err := venti.ParseHead(b)
	if err != nil {
		d.Fail(fmt.Errorf("%w: %w", errField, err))
	}
	return h
}

// ownersOf returns whose the heads of a heads message say that they are. Nothing else of them is looked at.
func ownersOf(b []byte) (owners []dhash.Owner, err error) {
	d := venti.NewDecoder(b)
	for d.Err() == nil && d.Len() > 0 {
		if one := d.Fixed(venti.HeadSize); d.Err() == nil {
			owners = append(owners, dhash.Owner(one[1:]))
		}
	}
	return owners, finish(kHeads, d)
}

func parseHeads(b []byte) ([]venti.Head, error) {
	d := venti.NewDecoder(b)
	heads := make([]venti.Head, 0, d.Len()/venti.HeadSize)
	for d.Err() == nil && d.Len() > 0 {
		heads = append(heads, decodeHead(d))
	}
	return heads, finish(kHeads, d)
}

// appendVerdicts appends the answer to heads.
func appendVerdicts(b []byte, verdicts []head.Verdict, newer []venti.Head) []byte {
	for _, v := range verdicts {
		b = append(b, byte(v))
	}
	return appendHeads(b, newer)
}

// parseVerdicts reads the answer to heads that were sent.
func parseVerdicts(b []byte, sent []venti.Head) (verdicts []head.Verdict, newer []venti.Head, err error) {
	d := venti.NewDecoder(b)
	of := map[[32]byte]int{} // how many more heads of an owner may come
	for i := range sent {
		v := head.Verdict(d.Byte())
		if !v.Known() {
			d.Fail(errField)
		}
		verdicts = append(verdicts, v)
		of[sent[i].Owner] = maxHeadsOf
	}
	for d.Err() == nil && d.Len() > 0 {
		h := decodeHead(d)
		if of[h.Owner]--; of[h.Owner] < 0 {
			d.Fail(errField)
		}
		newer = append(newer, h)
	}
	return verdicts, newer, finish(kHeads|answer, d)
}

func appendOwners(b []byte, owners []dhash.Owner) []byte {
	for i := range owners {
		b = append(b, owners[i][:]...)
	}
	return b
}

func parseOwners(b []byte) (owners []dhash.Owner, err error) {
	d := venti.NewDecoder(b)
	for d.Err() == nil && d.Len() > 0 {
		owners = append(owners, dhash.Owner(d.Fixed(len(dhash.Owner{}))))
	}
	return owners, finish(kFindHeads, d)
}

// appendHeadsOf appends the answer to a findheads.
func appendHeadsOf(b []byte, heads [][]venti.Head) []byte {
	for _, of := range heads {
		b = append(b, byte(len(of)))
		b = appendHeads(b, of)
	}
	return b
}

// parseHeadsOf reads the answer to a findheads.
func parseHeadsOf(b []byte, owners []dhash.Owner) ([][]venti.Head, error) {
	d := venti.NewDecoder(b)
	heads := make([][]venti.Head, len(owners))
	for i, o := range owners {
		count := int(d.Byte())
		if count > maxHeadsOf {
			d.Fail(errField)
		}
		for j := 0; d.Err() == nil && j < count; j++ {
			h := decodeHead(d)
			other := d.Err() == nil && dhash.Owner(h.Owner) != o
			if j > 0 && d.Err() == nil {
				last := heads[i][j-1]
				other = other || h.Sequence != last.Sequence || bytes.Compare(h.Score[:], last.Score[:]) <= 0
			}
			if other {
				d.Fail(errField)
			}
			heads[i] = append(heads[i], h)
		}
	}
	return heads, finish(kFindHeads|answer, d)
}

func appendRootsOf(b []byte, owner dhash.Owner, from dhash.Key) []byte {
	b = append(b, owner[:]...)
	return append(b, from[:]...)
}

func parseRootsOf(b []byte) (owner dhash.Owner, from dhash.Key, err error) {
	d := venti.NewDecoder(b)
	copy(owner[:], d.Fixed(len(owner)))
	copy(from[:], d.Fixed(len(from)))
	return owner, from, finish(kRoots, d)
}

// appendRoots appends the answer to a roots.
func appendRoots(b []byte, scores []venti.Score, next dhash.Key) []byte {
	b = append(b, next[:]...)
	for i := range scores {
		b = append(b, scores[i][:]...)
	}
	return b
}

// parseRoots reads the answer to a roots. Each one leads on, so that there is an end.
func parseRoots(b []byte, from dhash.Key) (scores []venti.Score, next dhash.Key, err error) {
	d := venti.NewDecoder(b)
	copy(next[:], d.Fixed(len(next)))
	end := next == dhash.Key{}
	if !end && bytes.Compare(next[:], from[:]) <= 0 {
		d.Fail(errField)
	}
	var last dhash.Key
	for d.Err() == nil && d.Len() > 0 {
		score := venti.Score(d.Fixed(venti.ScoreSize))
		at := dhash.KeyOf(score)
		first := len(scores) == 0
		if bytes.Compare(at[:], from[:]) < 0 || !first && bytes.Compare(at[:], last[:]) <= 0 ||
			!end && bytes.Compare(at[:], next[:]) >= 0 {
			d.Fail(errField)
		}
		scores, last = append(scores, score), at
	}
	return scores, next, finish(kRoots|answer, d)
}
