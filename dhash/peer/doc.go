// Package peer is how fragments travel: Client asks members for them, and Server serves them to members.
//
// A node keeps one stream of libp2p to each member that it asks, opened when it is needed and closed when it has been
// idle. Requests carry ids and are answered in any order, so that one stream has many under way; to open a stream for
// each request would cost ten times a request. Messages are framed by hand and a payload is written from where it lies.
// PROTOCOL.md has the bytes. What a request says goes back to DHash (Dabek et al., NSDI 2004) and to Venti's protocol.
//
// Nobody is trusted. The server looks at nothing that a stranger sends, and at each request asks again whether the peer
// is a member. Every length is checked before anything is allocated, decoding is strict, and whoever breaks the rules
// loses the stream. The client verifies each fragment against the block and the coding that it is for.
//
// Nothing grows that a member could make grow. A client has a window of bytes for each member. A server has so many
// streams, on each so many requests, and budgets of bytes for puts and for answers, one of each for every stream and one
// for all; beyond them it stops reading, and the member's window fills. Small messages overtake large ones. Because puts
// and answers have budgets of their own, a get does not wait for the disk to write. Reconciliations and challenges,
// which make a disk read much and send little, have a short queue of their own.
//
// Members send each other what keeps the swarm (reconcile, copy), which no client may. What an owner has signed, anybody
// brings (statement). What is in those messages is for other packages to say. Heads of owners (package head) members hand on
// to each other and clients publish; their signatures are checked on either side of the wire, before anybody sees them.
//
// Everything has a deadline. A request has one; its caller can give up before, and then it takes no room in the window
// any more and a late answer is thrown away. A member that owes answers is pinged when nothing has come for a while, and
// given up when it gives no sign of life: all that waits for it fails then, and it is not dialled again for a while,
// which doubles. So a member that hangs costs those that wait for it a bounded time, and others nothing. A member that
// trickles is bounded by the time that a message has to come.
package peer
