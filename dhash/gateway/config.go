package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// Peers is what the gateway needs of the wire: a *peer.Client. All methods may be called from many goroutines, and return
// when ctx ends.
type Peers interface {
	Put(ctx context.Context, to dhash.ID, c dhash.Claim, f *dhash.Fragment) (peer.Receipt, error)
	Get(ctx context.Context, from dhash.ID, w peer.Want) (*dhash.Fragment, dhash.Coding, error)
	Have(ctx context.Context, from dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error)
	Claim(ctx context.Context, to dhash.ID, o dhash.Owner, marks []peer.Mark) ([]bool, error)
	Divert(ctx context.Context, to dhash.ID, d peer.Diversion) error
	Challenge(ctx context.Context, id dhash.ID, all []peer.Challenge) ([]peer.Proof, error)
	Latency(id dhash.ID) (mean, p95 time.Duration)
}

// Config says whose blocks a Gateway stores, and where. All fields without a default stated are needed.
type Config struct {
	Peers Peers

	// Table returns the members as this node knows them now.
	Table func() *placement.Table

	// Absent reports whether a member is known not to answer now: it said goodbye, or has failed for a while. It is
	// passed over where another can be had. Nil takes nobody for absent.
	Absent func(dhash.ID) bool

	// Code returns how to encode a block in a swarm of so many members. vital blocks are pointer blocks and roots.
	Code func(members int, vital bool) dhash.Code

	// Nines returns how available a block is of which count fragments are held, need of them needed: 5 means that
	// 0.99999 of the time it can be read. Nil leaves Report.Nines zero.
	Nines func(need, count int) float64

	// Lookup finds the members closest to a block in the DHT, for blocks that the roster did not lead to. Nil does
	// without.
	Lookup func(ctx context.Context, s venti.Score) ([]dhash.ID, error)

	Owner   dhash.Owner
	MarkKey [32]byte // the owner's, secret: makes the marks of its claims

	// FormerMarks are the keys of marks of those who have handed over to the owner: their marks are believed as well. Each
	// costs a hash for each coding of each block that is asked about.
	FormerMarks [][32]byte

	// Window bounds the encoded bytes of blocks that are on their way to holders. Zero means 48 MiB.
	Window int64

	// Patience bounds how long Sync waits for fragments beyond the threshold, and a Get for the last member that may have
	// one. Zero means 15 seconds.
	Patience time.Duration

	// Wait is how long blocks wait for the swarm when so few members answer that nothing can be stored or brought back
	// (Outage), before they are unavailable. Zero does not wait. A block is never waited for that is unavailable while the
	// members answer.
	Wait time.Duration

	// Log hears of members that lie, lag or refuse. Nil discards.
	Log *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Peers == nil || c.Table == nil || c.Code == nil:
		return errors.New("gateway: Peers, Table and Code are needed")
	case c.Window < 0 || c.Patience < 0 || c.Wait < 0:
		return errors.New("gateway: Window, Patience and Wait cannot be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Window = cmp.Or(c.Window, 48<<20)
	c.Patience = cmp.Or(c.Patience, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Absent == nil {
		c.Absent = func(dhash.ID) bool { return false }
	}
	return c
}
