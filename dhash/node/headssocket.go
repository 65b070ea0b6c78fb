package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// The JSON of FoundHeads and PublishedHead: heads are encoded, in base64.
type (
	foundJSON struct {
		Heads    [][]byte `json:"heads"`
		Asked    int      `json:"asked"`
		Answered int      `json:"answered"`
		Agree    int      `json:"agree"`
		Keepers  int      `json:"keepers"`
		Heard    int      `json:"heard"`
		Kept     int      `json:"kept"`
	}
	publishedJSON struct {
		Asked  int      `json:"asked"`
		Kept   int      `json:"kept"`
		Others [][]byte `json:"others,omitempty"`
	}
)

func encodeHeads(heads []venti.Head) (list [][]byte) {
	for _, h := range heads {
		list = append(list, h.Append(nil))
	}
	return list
}

// decodeHeads reads what encodeHeads made, and checks the signatures again: the node's word is not needed.
func decodeHeads(list [][]byte) (heads []venti.Head, err error) {
	for _, b := range list {
		h, err := venti.ParseHead(b)
		if err != nil {
			return nil, fmt.Errorf("what the node says of heads: %w", err)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// heads answers what members know of an owner's head.
func (c *control) heads(w http.ResponseWriter, r *http.Request) {
	o, ok := ownerOf(w, r)
	if !ok {
		return
	}
	f, err := c.n.Heads(r.Context(), o)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, foundJSON{encodeHeads(f.Heads), f.Asked, f.Answered, f.Agree, f.Keepers, f.Heard, f.Kept})
}

// publish hands a head out.
func (c *control) publish(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, venti.HeadSize+1))
	var h venti.Head
	if err == nil {
		h, err = venti.ParseHead(b)
	}
	if err != nil {
		http.Error(w, "want a head: "+err.Error(), http.StatusBadRequest)
		return
	}
	p, err := c.n.PublishHead(r.Context(), h)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, publishedJSON{p.Asked, p.Kept, encodeHeads(p.Others)})
}

// rootsJSON is the answer to a request for roots. Missing says what is missing, if anything is.
type rootsJSON struct {
	Roots   [][]byte `json:"roots"`
	Missing string   `json:"missing,omitempty"`
}

// roots answers which blocks look like roots of an owner.
func (c *control) roots(w http.ResponseWriter, r *http.Request) {
	o, ok := ownerOf(w, r)
	if !ok {
		return
	}
	var told rootsJSON
	err := c.n.Roots(r.Context(), o, func(s venti.Score) error {
		told.Roots = append(told.Roots, bytes.Clone(s[:]))
		return nil
	})
	switch {
	case errors.Is(err, venti.ErrUnavailable):
		told.Missing = err.Error()
	case err != nil:
		fail(w, err)
		return
	}
	answer(w, told)
}

// ownerOf reads the owner that a request is about; if there is none, it says so.
func ownerOf(w http.ResponseWriter, r *http.Request) (o dhash.Owner, ok bool) {
	b, err := hex.DecodeString(r.PathValue("owner"))
	if err != nil || len(b) != len(o) {
		http.Error(w, "want an owner's public key in hexadecimal", http.StatusBadRequest)
		return o, false
	}
	return dhash.Owner(b), true
}

// Heads is Client.Heads, done by the node.
func (l *Local) Heads(ctx context.Context, o dhash.Owner) (f FoundHeads, err error) {
	var told foundJSON
	if err := l.do(ctx, http.MethodGet, "/v1/heads/"+hex.EncodeToString(o[:]), nil, &told); err != nil {
		return f, err
	}
	f = FoundHeads{Asked: told.Asked, Answered: told.Answered, Agree: told.Agree,
		Keepers: told.Keepers, Heard: told.Heard, Kept: told.Kept}
	f.Heads, err = decodeHeads(told.Heads)
	return f, err
}

// Heads is Client.Heads, done by the node.
func (r *Remote) Heads(ctx context.Context, o dhash.Owner) (FoundHeads, error) {
	return r.l.Heads(ctx, o)
}

// PublishHead is Client.PublishHead, done by the node.
func (r *Remote) PublishHead(ctx context.Context, h venti.Head) (p PublishedHead, err error) {
	var told publishedJSON
	if err := r.l.do(ctx, http.MethodPut, "/v1/head", h.Append(nil), &told); err != nil {
		return p, err
	}
	p = PublishedHead{Asked: told.Asked, Kept: told.Kept}
	p.Others, err = decodeHeads(told.Others)
	return p, err
}

// Roots is Client.Roots, done by the node.
func (r *Remote) Roots(ctx context.Context, o dhash.Owner, fn func(venti.Score) error) error {
	var told rootsJSON
	if err := r.l.do(ctx, http.MethodGet, "/v1/roots/"+hex.EncodeToString(o[:]), nil, &told); err != nil {
		return err
	}
	for _, b := range told.Roots {
		if len(b) != venti.ScoreSize {
			return fmt.Errorf("%w: the node names a root of %d bytes", venti.ErrUnavailable, len(b))
		}
		if err := fn(venti.Score(b)); err != nil {
			return err
		}
	}
	if told.Missing != "" {
		return fmt.Errorf("%w: the node says: %s", venti.ErrUnavailable, told.Missing)
	}
	return nil
}
