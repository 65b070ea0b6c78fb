package member

import "errors"

// What is wrong with something that was read or came from a peer. That a peer is not admitted is dhash.ErrStranger.
var (
	// ErrManifest says that bytes are no manifest of this swarm, or one that must not replace the one at hand.
	ErrManifest = errors.New("manifest refused")

	// ErrInvitation says that a text is no invitation.
	ErrInvitation = errors.New("not a usable invitation")

	// ErrRecord says that bytes are no record of a member, or that its signature is bad.
	ErrRecord = errors.New("bad record of a member")

	// ErrGrant says that bytes are no owner's grant, or one that is not good here or not any more.
	ErrGrant = errors.New("grant refused")

	// ErrClock says that the clocks of two members differ by more than MaxSkew, so that they cannot judge each other.
	ErrClock = errors.New("clocks differ too much")

	// ErrMessage says that a peer broke the rules of the protocol.
	ErrMessage = errors.New("malformed message")
)
