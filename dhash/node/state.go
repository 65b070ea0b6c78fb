package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	libpeer "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
)

// A LentInfo is a line of GET /v1/lent: how an owner stands with this member, by the member's clock.
type LentInfo struct {
	Owner     string    `json:"owner"` // public key, in hexadecimal
	Fragments int64     `json:"fragments"`
	Bytes     int64     `json:"bytes"`
	Heartbeat time.Time `json:"heartbeat,omitzero"` // the last one
	Kept      time.Time `json:"kept"`               // until when the claims are kept without another one
	State     string    `json:"state"`              // active, lapsed, orphaned
	Waiting   int       `json:"waiting,omitempty"`  // statements that wait for a confirmation
}

// Lent says to whom this member lends.
func (n *Node) Lent() []LentInfo {
	list := n.store.Lent()
	out := make([]LentInfo, len(list))
	for i, l := range list {
		out[i] = LentInfo{Owner: hex.EncodeToString(l.Owner[:]), Fragments: l.Fragments, Bytes: l.Bytes, Heartbeat: l.Heartbeat,
			Kept: l.Kept, State: l.State.String(), Waiting: l.Waiting}
	}
	return out
}

// State brings a member, perhaps this one itself, an owner's statement, and returns the encoded answer. Errors are those
// of peer.Client.State.
func (n *Node) State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error) {
	return n.loop().State(ctx, to, statement)
}

// State brings a member an owner's statement, and returns the encoded answer. Errors are those of peer.Client.State.
func (c *Client) State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error) {
	return c.p.peers.State(ctx, to, statement)
}

// stated is the answer to a statement.
type stated struct {
	Answer []byte `json:"answer"`
}

// state passes an owner's statement on.
func (c *control) state(w http.ResponseWriter, r *http.Request) {
	id, err := libpeer.Decode(r.PathValue("member"))
	if err != nil {
		http.Error(w, "want the id of a member: "+err.Error(), http.StatusBadRequest)
		return
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, claim.MaxStatement+1))
	if err != nil || len(b) == 0 || len(b) > claim.MaxStatement {
		http.Error(w, fmt.Sprintf("want a statement of at most %d bytes", claim.MaxStatement), http.StatusBadRequest)
		return
	}
	a, err := c.n.State(r.Context(), dhash.ID(id), b)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, stated{a})
}

// renew reads scores, and answers which of the blocks are there, claimed anew.
func (c *control) renew(w http.ResponseWriter, r *http.Request) {
	g, scores := c.about(w, r, maxSurvey)
	if g == nil {
		return
	}
	has, err := g.Renew(r.Context(), scores)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, has)
}

func (c *control) lent(w http.ResponseWriter, _ *http.Request) { answer(w, c.n.Lent()) }

// Lent asks the node to whom it lends.
func (l *Local) Lent(ctx context.Context) (list []LentInfo, err error) {
	return list, l.do(ctx, http.MethodGet, "/v1/lent", nil, &list)
}

// State has the node bring a member, perhaps itself, an owner's statement, and returns the encoded answer. An error wraps
// venti.ErrUnavailable if the member cannot be reached, or the node.
func (l *Local) State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error) {
	var s stated
	err := l.do(ctx, http.MethodPut, "/v1/state/"+to.String(), statement, &s)
	return s.Answer, err
}

// Renew is gateway.Renew, done by the node.
func (r *Remote) Renew(ctx context.Context, scores []venti.Score) ([]bool, error) {
	out := make([]bool, 0, len(scores))
	for len(scores) > 0 {
		n := min(len(scores), maxSurvey)
		var has []bool
		if err := r.l.do(ctx, http.MethodPost, "/v1/renew/"+r.id, bodyOf(scores[:n]), &has); err != nil {
			return nil, err
		}
		if len(has) != n {
			return nil, errCount(len(has), n)
		}
		out, scores = append(out, has...), scores[n:]
	}
	return out, nil
}
