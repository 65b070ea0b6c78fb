package node

import (
	"context"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// Lookup asks the DHT who is closest to a block.
func (c *Client) Lookup(ctx context.Context, s venti.Score) ([]dhash.ID, error) {
	return c.p.lookup(ctx, s)
}

// Peers returns what the node asks members by.
func (n *Node) Peers() *peer.Client { return n.p.peers }

// Peers returns what the client asks members by.
func (c *Client) Peers() *peer.Client { return c.p.peers }

// Handler returns what serves members.
func (n *Node) Handler() peer.Handler { return &holder{n: n} }

// Learn adds the record of a member that does not run.
func (n *Node) Learn(record []byte, now time.Time) error {
	_, _, err := n.p.roster.Add(record, now)
	return err
}

// Session returns the id of the session with the node.
func (r *Remote) Session() string { return r.id }

// LastLine is how a node ends a work, and Fail how it says that something failed.
var (
	LastLine = lastLine
	Fail     = fail
)

// RootsOf asks members for roots, and MaxRoots is how many are told.
var RootsOf = rootsOf

const MaxRoots = maxRoots
