package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

// FoundHeads is what Heads returns, and PublishedHead what PublishHead does.
type (
	FoundHeads    = head.Found
	PublishedHead = head.Published
)

// headPeers is how members are asked about heads: *peer.Client, or *loop for a node that is one of them.
type headPeers interface {
	PublishHead(ctx context.Context, to dhash.ID, h venti.Head) (head.Verdict, []venti.Head, error)
	FindHeads(ctx context.Context, from dhash.ID, owners []dhash.Owner) ([][]venti.Head, error)
	Roots(ctx context.Context, from dhash.ID, o dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error)
}

// keepers returns the n members that are closest to an owner's key.
func (p *presence) keepers(o dhash.Owner, n int) (ids []dhash.ID) {
	for _, m := range p.table().Closest(dhash.OwnerKey(o), n) {
		ids = append(ids, m.ID)
	}
	return ids
}

func (p *presence) findHeads(ctx context.Context, peers headPeers, o dhash.Owner) (FoundHeads, error) {
	ask := func(ctx context.Context, id dhash.ID) ([]venti.Head, error) {
		lists, err := peers.FindHeads(ctx, id, []dhash.Owner{o})
		if err != nil {
			return nil, err
		}
		return lists[0], nil
	}
	return head.Find(ctx, p.keepers(o, head.Keepers+head.Slack), p.absent, ask)
}

func (p *presence) publishHead(ctx context.Context, peers headPeers, h venti.Head) (PublishedHead, error) {
	send := func(ctx context.Context, id dhash.ID) (head.Verdict, []venti.Head, error) {
		return peers.PublishHead(ctx, id, h)
	}
	return head.Publish(ctx, p.keepers(dhash.Owner(h.Owner), head.Keepers), p.absent, h, send)
}

const (
	rootsAtOnce = 16               // members that are asked for roots at once
	rootsWait   = 10 * time.Second // for one answer
	maxRootsOf  = 1 << 16          // scores that one member may name
	maxRoots    = 1 << 20          // of all members
)

// roots calls fn for each score that any member names, once and never twice at the same time.
func (p *presence) roots(ctx context.Context, peers headPeers, o dhash.Owner, fn func(venti.Score) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	var mu sync.Mutex // protects the following
	seen, silent, asked := map[venti.Score]struct{}{}, 0, 0
	turns := make(chan struct{}, rootsAtOnce)
	for m := range p.table().Walk(dhash.OwnerKey(o)) {
		asked++
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			err := rootsOf(ctx, peers, m.ID, o, func(scores []venti.Score) error {
				mu.Lock()
				defer mu.Unlock()
				for _, s := range scores {
					if _, twice := seen[s]; twice {
						continue
					}
					if seen[s] = struct{}{}; len(seen) > maxRoots {
						return fmt.Errorf("%w: the members name more than %d roots: some of them lie", venti.ErrUnavailable, maxRoots)
					}
					if err := fn(s); err != nil {
						return err
					}
				}
				return nil
			})
			var own *callerError
			if errors.As(err, &own) {
				cancel(own.err)
			} else if err != nil {
				mu.Lock()
				silent++
				mu.Unlock()
			}
		})
	}
	work.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case silent > 0:
		return fmt.Errorf("%w: %d of %d members did not say which roots they hold; there may be more", venti.ErrUnavailable, silent,
			asked)
	}
	return nil
}

// A callerError is an error of who asked, not of a member.
type callerError struct{ err error }

// Error implements error.
func (e *callerError) Error() string { return e.err.Error() }

// rootsOf asks one member, until it has no more.
func rootsOf(ctx context.Context, peers headPeers, id dhash.ID, o dhash.Owner, fn func([]venti.Score) error) error {
	count := 0
	for at := (dhash.Key{}); ; {
		asking, cancel := context.WithTimeout(ctx, rootsWait)
		scores, next, err := peers.Roots(asking, id, o, at)
		cancel()
		if err != nil {
			return err
		}
		if count += len(scores); count > maxRootsOf {
			return fmt.Errorf("%w: member %s names more than %d roots", venti.ErrUnavailable, id.Short(), maxRootsOf)
		}
		if err := fn(scores); err != nil {
			return &callerError{err}
		}
		if at = next; at == (dhash.Key{}) {
			return nil
		}
	}
}

// Heads asks the members that keep the head of an owner for it. See head.Find for how many have to answer, and for
// errors.
func (c *Client) Heads(ctx context.Context, o dhash.Owner) (FoundHeads, error) {
	return c.p.findHeads(ctx, c.p.peers, o)
}

// PublishHead hands the head of the client's owner out to the members that are to keep it. See head.Publish for errors.
func (c *Client) PublishHead(ctx context.Context, h venti.Head) (PublishedHead, error) {
	return c.p.publishHead(ctx, c.p.peers, h)
}

// Roots calls fn for the score of each block that the owner claims and that looks like one of its roots, in any order,
// each once: members know it by the first byte of a block, so that some may be other blocks. Only the member that holds
// the first fragment of a block can tell. If some members do not answer, fn is called for what the others say, and the
// error, which wraps venti.ErrUnavailable, says so. An error of fn ends it and is returned.
func (c *Client) Roots(ctx context.Context, o dhash.Owner, fn func(venti.Score) error) error {
	return c.p.roots(ctx, c.p.peers, o, fn)
}

// Heads is Client.Heads, by this node.
func (n *Node) Heads(ctx context.Context, o dhash.Owner) (FoundHeads, error) {
	return n.p.findHeads(ctx, n.loop(), o)
}

// PublishHead is Client.PublishHead, by this node, which has the owner's grant since Gateway was called for the owner.
func (n *Node) PublishHead(ctx context.Context, h venti.Head) (PublishedHead, error) {
	return n.p.publishHead(ctx, n.loop(), h)
}

// Roots is Client.Roots, by this node, which has the owner's grant since Gateway was called for the owner.
func (n *Node) Roots(ctx context.Context, o dhash.Owner, fn func(venti.Score) error) error {
	return n.p.roots(ctx, n.loop(), o, fn)
}

func (n *Node) loop() *loop { return &loop{n.p.peers, n.cfg.Folder.ID(), n.holder()} }

// PublishHead implements headPeers.
func (l *loop) PublishHead(ctx context.Context, to dhash.ID, h venti.Head) (head.Verdict, []venti.Head, error) {
	if to != l.self {
		return l.Client.PublishHead(ctx, to, h)
	}
	verdicts, newer, err := l.here.Heads(ctx, l.self, []venti.Head{h}, []bool{true})
	if err != nil {
		return 0, nil, err
	}
	return verdicts[0], newer, nil
}

// FindHeads implements headPeers.
func (l *loop) FindHeads(ctx context.Context, from dhash.ID, owners []dhash.Owner) ([][]venti.Head, error) {
	if from != l.self {
		return l.Client.FindHeads(ctx, from, owners)
	}
	return l.here.FindHeads(ctx, l.self, owners)
}

// Roots implements headPeers.
func (l *loop) Roots(ctx context.Context, from dhash.ID, o dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error) {
	if from != l.self {
		return l.Client.Roots(ctx, from, o, at)
	}
	return l.here.Roots(ctx, l.self, o, at)
}
