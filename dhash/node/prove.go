package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// maxProve is how many scores are in one request for proofs.
const maxProve = 1024

// proofLine is a gateway.Proof as it passes the socket: ids are no text.
type proofLine struct {
	Score   venti.Score
	Code    dhash.Code
	Length  int
	Proven  int
	Stored  int
	Asked   int
	Others  int      `json:",omitempty"`
	False   []string `json:",omitempty"`
	Lacking []string `json:",omitempty"`
	Silent  []string `json:",omitempty"`
	Without []string `json:",omitempty"`
}

func lineOf(p gateway.Proof) proofLine {
	return proofLine{Score: p.Score, Code: p.Code, Length: p.Length, Proven: p.Proven, Stored: p.Stored, Asked: p.Asked,
		Others: p.Others, False: idTexts(p.False), Lacking: idTexts(p.Lacking), Silent: idTexts(p.Silent),
		Without: idTexts(p.Without)}
}

func idTexts(ids []dhash.ID) (out []string) {
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}

// proof is the inverse of lineOf.
func (l *proofLine) proof() (gateway.Proof, error) {
	p := gateway.Proof{Score: l.Score, Code: l.Code, Length: l.Length, Proven: l.Proven, Stored: l.Stored, Asked: l.Asked,
		Others: l.Others}
	for _, list := range []struct {
		from []string
		to   *[]dhash.ID
	}{{l.False, &p.False}, {l.Lacking, &p.Lacking}, {l.Silent, &p.Silent}, {l.Without, &p.Without}} {
		for _, text := range list.from {
			id, err := member.ParseID(text)
			if err != nil {
				return p, fmt.Errorf("what the node says of a proof: %w", err)
			}
			*list.to = append(*list.to, id)
		}
	}
	return p, nil
}

// prove reads scores, and answers with what the holders of each could prove.
func (c *control) prove(w http.ResponseWriter, r *http.Request) {
	g, scores := c.about(w, r, maxProve)
	if g == nil {
		return
	}
	lines := make([]proofLine, 0, len(scores))
	err := g.Prove(r.Context(), scores, func(p gateway.Proof) error {
		lines = append(lines, lineOf(p))
		return nil
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, lines)
}

// readScores reads all of r: at most so many scores.
func readScores(r io.Reader, most int) ([]venti.Score, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(most)*venti.ScoreSize+1))
	if err != nil || len(b)%venti.ScoreSize != 0 || len(b) > most*venti.ScoreSize {
		return nil, fmt.Errorf("want up to %d scores of %d bytes", most, venti.ScoreSize)
	}
	scores := make([]venti.Score, len(b)/venti.ScoreSize)
	for i := range scores {
		copy(scores[i][:], b[i*venti.ScoreSize:])
	}
	return scores, nil
}

// Prove has the holders of blocks prove that they have them, and calls fn for each block in the order of scores: see
// gateway.Gateway.Prove.
func (r *Remote) Prove(ctx context.Context, scores []venti.Score, fn func(gateway.Proof) error) error {
	for len(scores) > 0 {
		n := min(len(scores), maxProve)
		var lines []proofLine
		if err := r.l.do(ctx, http.MethodPost, "/v1/prove/"+r.id, bodyOf(scores[:n]), &lines); err != nil {
			return err
		}
		if len(lines) != n {
			return errCount(len(lines), n)
		}
		for i, l := range lines {
			p, err := l.proof()
			if err == nil && p.Score != scores[i] {
				err = fmt.Errorf("%w: the node speaks of another block than %s", venti.ErrUnavailable, scores[i].Short())
			}
			if err == nil {
				err = fn(p)
			}
			if err != nil {
				return err
			}
		}
		scores = scores[n:]
	}
	return nil
}

// Challenge implements gateway.Peers.
func (l *loop) Challenge(ctx context.Context, id dhash.ID, all []peer.Challenge) ([]peer.Proof, error) {
	if id != l.self {
		return l.Client.Challenge(ctx, id, all)
	}
	proofs := make([]peer.Proof, len(all))
	for i, ch := range all {
		leaf, err := l.here.Challenge(ctx, l.self, ch)
		switch {
		case err == nil && leaf != nil:
			proofs[i] = verified(ch, leaf)
		case err == nil, errors.Is(err, dhash.ErrNoFragment), errors.Is(err, dhash.ErrFragment),
			errors.Is(err, venti.ErrCorrupt):
		default:
			return nil, fmt.Errorf("reading the fragments of this node: %w", err)
		}
	}
	return proofs, nil
}

// verified judges a leaf as a member's is judged. The copy keeps no memory of the whole fragment.
func verified(ch peer.Challenge, l *dhash.Leaf) peer.Proof {
	l, err := dhash.ParseLeaf(l.Append(nil))
	if err == nil {
		err = l.Verify(ch.Score, ch.Coding, ch.Nonce)
	}
	if err != nil {
		return peer.Proof{Err: err}
	}
	return peer.Proof{Leaf: l}
}
