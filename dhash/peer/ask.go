package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	libp2p "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// Put sends a fragment to a member, to be kept on behalf of the claim's owner, and returns once it is durable there. The
// caller compares the coding in the receipt with its own. f must have passed Validate.
func (c *Client) Put(ctx context.Context, id dhash.ID, claim dhash.Claim, f *dhash.Fragment) (Receipt, error) {
	body := appendClaim(make([]byte, 0, 512), claim)
	return c.store(ctx, id, "put", f, &request{kind: kPut, body: body, owner: &claim.Owner})
}

// Copy sends a fragment to a member as Put does, with the claims of 1 to MaxClaims owners, who are all different. No grants
// are shown: a member does that to mend a block, and the other decides whether it takes it. A client gets no answer.
func (c *Client) Copy(ctx context.Context, id dhash.ID, claims []dhash.Claim, f *dhash.Fragment) (Receipt, error) {
	claims = slices.SortedFunc(slices.Values(claims), byOwner)
	different := len(slices.CompactFunc(slices.Clone(claims), func(a, b dhash.Claim) bool { return a.Owner == b.Owner }))
	if len(claims) < 1 || len(claims) > MaxClaims || different < len(claims) {
		return Receipt{}, fmt.Errorf("copy of fragment %d of %s to member %s: %d claims of %d owners, want 1 to %d: %w", f.Index,
			f.Score.Short(), id.Short(), len(claims), different, MaxClaims, errField)
	}
	body := appendCopy(make([]byte, 0, 512+len(claims)*claimSize), claims)
	return c.store(ctx, id, "copy", f, &request{kind: kCopy, body: body})
}

// store sends the fragment, after what q has in front of it, and reads the receipt.
func (c *Client) store(ctx context.Context, id dhash.ID, verb string, f *dhash.Fragment, q *request) (Receipt, error) {
	q.body = f.AppendHeader(q.body)
	q.payload = f.Payload
	q.weight = int64(len(f.Payload))
	b, err := c.do(ctx, id, q)
	var r Receipt
	if err == nil {
		r, err = parseReceipt(b)
		err = c.blame(id, err)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("%s of fragment %d of %s to member %s: %w", verb, f.Index, f.Score.Short(), id.Short(), err)
	}
	return r, nil
}

// Get asks a member for a fragment. It checks that the fragment is of the block that is wanted and of the coding that it
// returns; all of its fields but the index follow from the two. The caller owns the fragment. What the member sends and
// should not is an error that wraps dhash.ErrFragment; a *Refusal that does says that the member's own copy is damaged.
func (c *Client) Get(ctx context.Context, id dhash.ID, want Want) (*dhash.Fragment, dhash.Coding, error) {
	f, coding, err := c.get(ctx, id, want)
	if err != nil {
		return nil, dhash.Coding{}, fmt.Errorf("get of a fragment of %s from member %s: %w", want.Score.Short(), id.Short(),
			err)
	}
	return f, coding, nil
}

func (c *Client) get(ctx context.Context, id dhash.ID, want Want) (*dhash.Fragment, dhash.Coding, error) {
	if len(want.Avoid) > MaxAvoid {
		return nil, dhash.Coding{}, fmt.Errorf("%d codings to avoid, at most %d", len(want.Avoid), MaxAvoid)
	}
	b, err := c.do(ctx, id, &request{kind: kGet, body: want.append(nil), weight: nominal})
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	f, coding, err := check(want, b)
	return f, coding, c.blame(id, err)
}

// check parses the answer to a get and verifies that it is one.
func check(want Want, b []byte) (*dhash.Fragment, dhash.Coding, error) {
	f, err := dhash.ParseFragment(b)
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	if f.Score != want.Score {
		return nil, dhash.Coding{}, fmt.Errorf("%w: it is of block %s", dhash.ErrFragment, f.Score.Short())
	}
	coding := f.Coding()
	switch {
	case !want.Coding.IsZero() && coding != want.Coding:
		return nil, dhash.Coding{}, fmt.Errorf("%w: of another coding, or damaged", dhash.ErrFragment)
	case slices.Contains(want.Avoid, coding):
		return nil, dhash.Coding{}, fmt.Errorf("%w: of a coding that was to be avoided", dhash.ErrFragment)
	}
	return f, coding, nil
}

// Have asks a member which fragments it holds of each block, in the order of scores, at most MaxHeld of one block, each
// with the mark of owner's claim on it. It believes what the member says. Long lists travel in several messages, one
// after the other, so the answer is no snapshot of one moment.
func (c *Client) Have(ctx context.Context, id dhash.ID, owner dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	all := make([][]dhash.Held, 0, len(scores))
	for part := range slices.Chunk(scores, MaxHave) {
		body := appendHave(make([]byte, 0, 32+len(part)*venti.ScoreSize), owner, part)
		b, err := c.do(ctx, id, &request{kind: kHave, body: body, weight: int64(len(body))})
		var held [][]dhash.Held
		if err == nil {
			held, err = parseHeld(b, len(part))
			err = c.blame(id, err)
		}
		if err != nil {
			return nil, fmt.Errorf("asking member %s what it holds of %d blocks: %w", id.Short(), len(scores), err)
		}
		all = append(all, held...)
	}
	return all, nil
}

// Claim puts claims of owner on fragments that a member holds already, and reports, in the order of marks, which of them
// it does hold. Claims on those are durable when Claim returns.
func (c *Client) Claim(ctx context.Context, id dhash.ID, owner dhash.Owner, marks []Mark) ([]bool, error) {
	all := make([]bool, 0, len(marks))
	for part := range slices.Chunk(marks, MaxHave) {
		body := appendMarks(make([]byte, 0, 32+len(part)*itemSize), owner, part)
		b, err := c.do(ctx, id, &request{kind: kClaim, body: body, weight: int64(len(body)), owner: &owner})
		var held []bool
		if err == nil {
			held, err = parseBools(b, len(part))
			err = c.blame(id, err)
		}
		if err != nil {
			return nil, fmt.Errorf("claiming %d fragments at member %s: %w", len(marks), id.Short(), err)
		}
		all = append(all, held...)
	}
	return all, nil
}

// Divert tells a member where a fragment is that it should have and does not.
func (c *Client) Divert(ctx context.Context, id dhash.ID, v Diversion) error {
	if _, err := libp2p.IDFromBytes([]byte(v.To)); err != nil || len(v.To) > maxID {
		return fmt.Errorf("telling member %s about a diversion to %q: %w", id.Short(), v.To, errField)
	}
	if v.Index < 0 || v.Index >= dhash.MaxTotal {
		return fmt.Errorf("telling member %s about a diversion of fragment %d: %w", id.Short(), v.Index, errField)
	}
	if _, err := c.do(ctx, id, &request{kind: kDivert, body: v.append(nil)}); err != nil {
		return fmt.Errorf("telling member %s about fragment %d of %s: %w", id.Short(), v.Index, v.Score.Short(), err)
	}
	return nil
}

// Reconcile sends a member a message of a reconciliation, of 1 to MaxReconcile bytes, and returns its answer, of at most
// as many. A client gets none.
func (c *Client) Reconcile(ctx context.Context, id dhash.ID, msg []byte) ([]byte, error) {
	if len(msg) < 1 || len(msg) > MaxReconcile {
		return nil, fmt.Errorf("reconciling with member %s: message of %d bytes, want 1 to %d: %w", id.Short(), len(msg),
			MaxReconcile, errField)
	}
	b, err := c.do(ctx, id, &request{kind: kReconcile, payload: msg, weight: nominal})
	if err != nil {
		return nil, fmt.Errorf("reconciling with member %s: %w", id.Short(), err)
	}
	return b, nil
}

// State brings a member what an owner says, signed, of 1 to MaxStatement bytes, and returns the answer, of 1 to MaxReply.
func (c *Client) State(ctx context.Context, id dhash.ID, statement []byte) ([]byte, error) {
	if len(statement) < 1 || len(statement) > MaxStatement {
		return nil, fmt.Errorf("bringing member %s a statement of %d bytes, want 1 to %d: %w", id.Short(), len(statement),
			MaxStatement, errField)
	}
	b, err := c.do(ctx, id, &request{kind: kStatement, payload: statement, weight: int64(len(statement))})
	if err != nil {
		return nil, fmt.Errorf("bringing member %s an owner's statement: %w", id.Short(), err)
	}
	return b, nil
}

// Challenge has a member prove that it holds fragments, and returns what came of each challenge, in order. It believes
// nothing: see Proof. A member answers as many challenges at once as it likes to read fragments for, so that a long list
// takes several requests, each with ClientConfig.Timeout; if one of them fails there is no result.
func (c *Client) Challenge(ctx context.Context, id dhash.ID, all []Challenge) ([]Proof, error) {
	proofs := make([]Proof, 0, len(all))
	for len(proofs) < len(all) {
		part := all[len(proofs):]
		part = part[:min(len(part), MaxChallenge)]
		body := appendChallenges(make([]byte, 0, len(part)*askSize), part)
		b, err := c.do(ctx, id, &request{kind: kChallenge, body: body, weight: int64(len(part)) * dhash.MaxLeaf})
		var leaves [][]byte
		if err == nil {
			leaves, err = parseLeaves(b, len(part))
			err = c.blame(id, err)
		}
		if err != nil {
			return nil, fmt.Errorf("challenging member %s about %d fragments: %w", id.Short(), len(all), err)
		}
		for i, leaf := range leaves {
			p := prove(part[i], leaf)
			c.blame(id, p.Err)
			proofs = append(proofs, p)
		}
	}
	return proofs, nil
}

// prove verifies the answer to a challenge.
func prove(ch Challenge, b []byte) Proof {
	if len(b) == 0 {
		return Proof{}
	}
	l, err := dhash.ParseLeaf(b)
	if err == nil {
		err = l.Verify(ch.Score, ch.Coding, ch.Nonce)
	}
	if err != nil {
		return Proof{Err: err}
	}
	return Proof{Leaf: l}
}

// Ping asks a member for an answer and nothing else.
func (c *Client) Ping(ctx context.Context, id dhash.ID) error {
	if _, err := c.do(ctx, id, &request{kind: kPing}); err != nil {
		return fmt.Errorf("ping of member %s: %w", id.Short(), err)
	}
	return nil
}

// blame reports a member whose answer is wrong, and returns the error that says so.
func (c *Client) blame(id dhash.ID, err error) error {
	if errors.Is(err, errMalformed) {
		err = fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
	}
	if err != nil {
		c.failed(id, err)
	}
	return err
}
