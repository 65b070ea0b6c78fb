package dhash

import "errors"

// Why a member refuses, or an answer is worth nothing. They travel as numbers (dhash/peer/PROTOCOL.md).
var (
	// ErrFragment says that bytes are no fragment, or not the one that they should be. It is the swarm's kind of
	// venti.ErrCorrupt: one fragment is bad, not the block.
	ErrFragment = errors.New("bad fragment")

	// ErrNoFragment says that a member does not hold what was asked for.
	ErrNoFragment = errors.New("no such fragment here")

	// ErrFull says that a member has no room: its capacity is used up, or its disk.
	ErrFull = errors.New("member is full")

	// ErrQuota says that an owner has used up what the member lends it.
	ErrQuota = errors.New("owner's quota is used up")

	// ErrHandedOver says that an owner has handed over to another, who alone can claim or release from then on.
	ErrHandedOver = errors.New("the owner has handed over to another (vdh key rotate)")

	// ErrNotMine says that a member, as it knows the swarm, is not among those that are to hold the fragment.
	ErrNotMine = errors.New("not responsible for the fragment")

	// ErrStranger says that a peer has no certificate of this swarm, or is banned.
	ErrStranger = errors.New("not a member of this swarm")

	// ErrBusy says that a member has too much to do, or shuts down; another time may do.
	ErrBusy = errors.New("member is busy")
)
