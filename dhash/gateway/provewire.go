package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// peerHeld is how many fragments of one block a member names.
const peerHeld = peer.MaxHeld

// challengeAll challenges all members, and notes what came of it.
func (g *Gateway) challengeAll(ctx context.Context, asks map[dhash.ID][]*asking) error {
	turn := make(chan struct{}, proveMembers)
	var all sync.WaitGroup
	for id, list := range asks {
		all.Go(func() {
			select {
			case turn <- struct{}{}:
				g.challengeMember(ctx, id, list)
				<-turn
			case <-ctx.Done():
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

// twice tries once more, after a while, what a member did not answer: it may have come back elsewhere, and is not dialled
// again at once. Who is known not to answer, or did not lately, has no second chance. do has Config.Patience each time.
func (g *Gateway) twice(ctx context.Context, id dhash.ID, do func(context.Context) error) error {
	try := func() error {
		ctx, cancel := context.WithTimeout(ctx, g.cfg.Patience)
		defer cancel()
		return do(ctx)
	}
	err := try()
	if err == nil || g.lags(id) {
		return err
	}
	wait := time.NewTimer(min(secondChance, g.cfg.Patience))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return err
	}
	if err = try(); err != nil && ctx.Err() == nil {
		g.slow.set(id)
	}
	return err
}

// haveTwice asks a member what it holds.
func (g *Gateway) haveTwice(ctx context.Context, id dhash.ID, scores []venti.Score) (held [][]dhash.Held, err error) {
	err = g.twice(ctx, id, func(ctx context.Context) (err error) {
		held, err = g.haveOnce(ctx, id, scores)
		return err
	})
	return held, err
}

// challengeMember challenges a member. If it does not answer, it is asked no more.
func (g *Gateway) challengeMember(ctx context.Context, id dhash.ID, list []*asking) {
	for part := range slices.Chunk(list, proveChunk) {
		var answers []peer.Proof
		err := g.twice(ctx, id, func(ctx context.Context) (err error) {
			answers, err = g.challengeSome(ctx, id, part)
			return err
		})
		if err != nil {
			g.cfg.Log.Info("member does not answer challenges", slog.String("member", id.Short()), slog.Any("err", err))
			return
		}
		g.noteProofs(id, part, answers)
	}
}

// challengeSome challenges a member, with nonces of its own.
func (g *Gateway) challengeSome(ctx context.Context, id dhash.ID, part []*asking) ([]peer.Proof, error) {
	nonces := make([]byte, 8*len(part))
	if _, err := rand.Read(nonces); err != nil {
		return nil, err
	}
	all := make([]peer.Challenge, len(part))
	for i, a := range part {
		all[i] = peer.Challenge{Score: a.score, Coding: a.held.Coding, Nonce: binary.BigEndian.Uint64(nonces[8*i:])}
	}
	g.count(func(c *Counts) { c.Challenges += int64(len(all)) })
	answers, err := g.cfg.Peers.Challenge(ctx, id, all)
	if err == nil && len(answers) != len(all) {
		err = fmt.Errorf("%w: %d answers to %d challenges", venti.ErrUnavailable, len(answers), len(all))
	}
	return answers, err
}

// noteProofs notes what a member has answered, counts it, and logs what is wrong with it.
func (g *Gateway) noteProofs(id dhash.ID, part []*asking, answers []peer.Proof) {
	var kinds [nothing + 1]int64
	var lie, lack *asking
	var why error
	for i, a := range part {
		switch p := answers[i]; {
		case p.Err != nil:
			a.came, lie, why = falsehood, a, p.Err
		case p.Leaf == nil:
			a.came, lack = nothing, a
		default:
			f := &p.Leaf.Fragment
			a.came, a.code, a.length, a.index = proof, f.Code, f.Length, f.Index
		}
		kinds[a.came]++
	}
	g.count(func(c *Counts) {
		c.Proven += kinds[proof]
		c.False += kinds[falsehood]
		c.Lacking += kinds[nothing]
	})
	if lie != nil {
		g.cfg.Log.Warn("member sent false proofs", slog.String("member", id.Short()), slog.Int64("proofs", kinds[falsehood]),
			slog.String("block", lie.score.Short()), slog.Any("err", why))
	}
	if lack != nil {
		g.cfg.Log.Warn("member does not have what it says it holds", slog.String("member", id.Short()),
			slog.Int64("fragments", kinds[nothing]), slog.String("block", lack.score.Short()))
	}
}
