package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
)

// A swarmStore is the store that the members of a swarm make together. Its methods may be called from many goroutines
// at once.
type swarmStore interface {
	venti.VitalStore

	// ID names the swarm, and stays the same for as long as there is one: what this machine knows about the swarm's
	// blocks is kept under it.
	ID() string

	// Report says how well that is held which was put until now. After Sync it is the last word on the blocks put
	// before.
	Report(ctx context.Context) (redundancy, error)

	// Survey asks the holders of blocks what they hold, and calls fn for each block in the order of scores.
	Survey(ctx context.Context, scores []venti.Score, fn func(gateway.State) error) error

	// Prove has the holders of blocks prove that they have them, and calls fn for each block in the order of scores.
	Prove(ctx context.Context, scores []venti.Score, fn func(gateway.Proof) error) error

	// Members returns the roster.
	Members(ctx context.Context) ([]node.MemberInfo, error)

	// Renew is Has, and makes the owner's claims on the blocks anew: whoever is about to rely on blocks without putting
	// them asks so, or a prune may let go of them.
	Renew(ctx context.Context, scores []venti.Score) ([]bool, error)

	// State brings a member an owner's statement, and returns the answer. An error wraps venti.ErrUnavailable if the
	// member cannot be reached.
	State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error)

	// Heads returns the newest heads of an owner that the members know.
	Heads(ctx context.Context, owner dhash.Owner) (node.FoundHeads, error)

	// PublishHead hands a head of the owner out to the members that keep it.
	PublishHead(ctx context.Context, h venti.Head) (node.PublishedHead, error)

	// Roots calls fn for the scores of blocks that the owner claims and that look like roots. If not all members answer the
	// error wraps venti.ErrUnavailable.
	Roots(ctx context.Context, owner dhash.Owner, fn func(venti.Score) error) error

	// Outage says whether the swarm is waited for now, because it is out of reach.
	Outage(ctx context.Context) (gateway.Outage, error)

	// Close ends this machine's part in what was begun; no goroutine of the store outlives it.
	Close() error
}

// openSwarm opens the store of the swarm that this machine has joined: through the node that runs here, or else as a
// client that joins for this run of the program. create is set where a backup is about to begin; there is nothing that
// would have to be made then. a.owner is the owner of the blocks, nil where only a share is read.
func (a *app) openSwarm(ctx context.Context, _ bool) (swarmStore, error) {
	f, err := a.member()
	if err != nil {
		return nil, err
	}
	l, err := node.DialLocal(ctx, f.Dir)
	if errors.Is(err, node.ErrNotRunning) {
		limitMemory(swarmMemory)
		c, err := a.client(ctx, f)
		if err != nil {
			return nil, err
		}
		return &byClient{c, swarmID(f)}, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := a.byNode(ctx, l, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("using the swarm through the node of this machine: %w", err), l.Close())
	}
	return s, nil
}

// byNode opens the swarm through the node of this machine, which acts for the owner by a grant.
func (a *app) byNode(ctx context.Context, l *node.Local, f *node.Folder) (*byNode, error) {
	sign, mark, err := a.actFor()
	if err != nil {
		return nil, err
	}
	grant, err := f.Grant(sign, member.PublicOf(f.Key), time.Now())
	if err != nil {
		return nil, err
	}
	owner := dhash.Owner(member.PublicOf(sign))
	r, err := l.Blocks(ctx, node.Session{Owner: owner, Grant: grant, MarkKey: mark, FormerMarks: a.formerMarks(), Wait: a.patience})
	if err != nil {
		return nil, err
	}
	return &byNode{r, l, swarmID(f)}, nil
}

// byNode is the swarm as the node of this machine gives it.
type byNode struct {
	*node.Remote
	local *node.Local
	id    string
}

// ID implements swarmStore.
func (s *byNode) ID() string { return s.id }

// Report implements swarmStore.
func (s *byNode) Report(ctx context.Context) (redundancy, error) {
	r, counts, err := s.Remote.Report(ctx)
	if err != nil {
		return redundancy{}, err
	}
	st, err := s.local.Status(ctx)
	return redundancyOf(r, counts, st), err
}

// Members implements swarmStore.
func (s *byNode) Members(ctx context.Context) ([]node.MemberInfo, error) { return s.local.Members(ctx) }

// State implements swarmStore.
func (s *byNode) State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error) {
	return s.local.State(ctx, to, statement)
}

// Close implements swarmStore.
func (s *byNode) Close() error { return errors.Join(s.Remote.Close(), s.local.Close()) }

// byClient is the swarm as a client sees it that has joined for this run of the program.
type byClient struct {
	*node.Client
	id string
}

// ID implements swarmStore.
func (s *byClient) ID() string { return s.id }

// Report implements swarmStore.
func (s *byClient) Report(context.Context) (redundancy, error) {
	return redundancyOf(s.Client.Report(), s.Counts(), s.Client.Status()), nil
}

// Outage implements swarmStore.
func (s *byClient) Outage(context.Context) (gateway.Outage, error) { return s.Client.Outage(), nil }

// Members implements swarmStore.
func (s *byClient) Members(context.Context) ([]node.MemberInfo, error) {
	return s.Client.Members(), nil
}

// writing is a swarm as a program uses it that writes: what it asks for it means to rely on.
type writing struct{ swarmStore }

// Has implements venti.Store.
func (w writing) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	return w.Renew(ctx, scores)
}

// maxNines bounds what is said about availability: beyond, it would be infinite, or the fault of the arithmetic.
const maxNines = 15

func redundancyOf(r gateway.Report, c gateway.Counts, st node.Status) redundancy {
	return redundancy{Blocks: r.Blocks, New: c.New, Added: c.Added, Below: r.Below, Nines: min(r.Nines, maxNines),
		Target: st.Target, Promise: min(st.Repair, maxNines), Alone: strings.HasSuffix(st.Code, "/1")}
}
