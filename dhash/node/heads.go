package node

import (
	"context"
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
	rootsTime   = 5 * time.Minute  // for all answers of one member: an honest one looks through gigabytes in it

	// maxRoots is how many scores are told. Each member may name its share of them, so that those that lie, and name what
	// they like, take nothing from what honest ones say: an owner's roots lie on all members alike, and each names those of
	// which it holds the first fragment. In a swarm of more than 256 members the share is minRootsOf all the same, for
	// chance does not deal evenly.
	maxRoots   = maxAnswer / 64 // each is 47 bytes of JSON
	minRootsOf = 1024
)

// roots calls fn for each score that any member names, once and never twice at the same time.
func (p *presence) roots(ctx context.Context, peers headPeers, o dhash.Owner, fn func(venti.Score) error) error {
	var members []dhash.ID
	for m := range p.table().Walk(dhash.OwnerKey(o)) {
		members = append(members, m.ID)
	}
	return rootsOf(ctx, peers, members, o, fn)
}

// rootsOf is roots, by the given members.
func rootsOf(ctx context.Context, peers headPeers, members []dhash.ID, o dhash.Owner, fn func(venti.Score) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	share := max(maxRoots/max(1, len(members)), minRootsOf)
	var work sync.WaitGroup
	var mu sync.Mutex // protects the following
	seen, silent := map[venti.Score]struct{}{}, 0
	tell := func(scores []venti.Score) error {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range scores {
			if _, twice := seen[s]; twice || ctx.Err() != nil {
				continue
			}
			if len(seen) == maxRoots {
				return fmt.Errorf("%w: the members name more than %d roots: some of them lie", venti.ErrUnavailable, maxRoots)
			}
			seen[s] = struct{}{}
			if err := fn(s); err != nil {
				cancel(err)
			}
		}
		return nil
	}
	turns := make(chan struct{}, rootsAtOnce)
	for _, id := range members {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			if err := rootsAt(ctx, peers, id, o, share, tell); err != nil {
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
			len(members))
	}
	return nil
}

// rootsAt asks one member, until it has no more, or has named its share, or has been waited for long enough.
func rootsAt(ctx context.Context, peers headPeers, id dhash.ID, o dhash.Owner, share int,
	tell func([]venti.Score) error) error {
	at, left := dhash.Key{}, rootsTime
	for count := 0; left > 0; {
		asked := time.Now()
		asking, cancel := context.WithTimeout(ctx, min(rootsWait, left))
		scores, next, err := peers.Roots(asking, id, o, at)
		cancel()
		if err != nil {
			return err
		}
		left -= time.Since(asked) // what is done with the scores is not the member's time
		room := share - count
		count += len(scores)
		if err := tell(scores[:min(len(scores), room)]); err != nil {
			return err
		}
		if count > share {
			return fmt.Errorf("%w: member %s names more than %d roots", venti.ErrUnavailable, id.Short(), share)
		}
		if at = next; at == (dhash.Key{}) {
			return nil
		}
	}
	return fmt.Errorf("%w: member %s has more to say of roots after %v", venti.ErrUnavailable, id.Short(), rootsTime)
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
// the first fragment of a block can tell. If some members do not answer, do not come to an end in minutes, or name more
// than their share of what is told, fn is called for what the others say, and the error, which wraps
// venti.ErrUnavailable, says so. An error of fn ends it and is returned.
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
