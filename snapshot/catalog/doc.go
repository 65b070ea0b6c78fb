// Package catalog keeps an owner's list of snapshots, and the signed head that finds the list again.
//
// An Owner is 32 random bytes, written down as 24 words. From them come the key that signs, the key that seals roots
// and the secret that makes blocks converge, so that the words bring everything back.
//
// The list is itself a stream of sealed blocks under a root block, beside the snapshots that it lists. Its score stands
// in a Head: owner, sequence, score, time, signature. The head is one small file here, and elsewhere whoever can check
// the signature may keep it; of two heads the one with the higher sequence is meant. Update is the only way to change
// the list, and writes in this order: the blocks of the new list, Sync of the store, the head before as head.1, the new
// head. So whatever a head on disk leads to is durable, a snapshot is in the list only once its own blocks are, and a
// crash between any two steps leaves the list as it was before or as it is after.
//
// # Several machines
//
// Any machine with the words may write a list, and none waits for another. So lists are merged and never chosen from. A
// List says of each score that it is a snapshot, or that the snapshot was forgotten, and with which stamp that was said:
// the sequence of the head that was written then, one above the highest that the writer had seen, which is Lamport's clock
// (L. Lamport, Time, Clocks, and the Ordering of Events in a Distributed System, 1978). Merge keeps the word with the
// higher stamp; of the same stamp it keeps the snapshot, since one too many does no harm. That is the last-writer-wins
// element set of Shapiro et al. (A comprehensive study of Convergent and Commutative Replicated Data Types, 2011): in
// whatever order, and however often, lists are merged, the result is the same. A machine whose disk was put back to an old
// state is nothing but a machine that has been away.
//
// Heads is where the machines find each other's heads. Update looks there first, takes in the list of every head that it
// does not know, and publishes its own in the end. It never publishes one without having taken in what it found; where that
// could not be read, or nobody answered, the list here is changed all the same, and UnpublishedError says so. A head that
// is found, and that few keep, is published again by whoever finds it, so that what one machine has seen the next one sees.
// What was handed out is noted in the folder until it is known to be published, and is looked at before it is handed out once
// more (Config.Vet), for what it builds on may have been forgotten by who did not see it.
// If another machine was quicker, both lists are merged, under a head above both. What two machines do within seconds may
// so take a few rounds; what one did alone in the meantime waits in its folder, and comes along with its next change.
//
// # The folder
//
// The folder of a catalog holds head, head.1, lock and blocks, and at times unpublished. A lock on the file lock makes
// writers take turns, in one process or in several; readers take none. The folder blocks is a copy of the blocks of the
// list, verified by score when read, so that listing asks no store; it can be thrown away.
//
// A damaged or vanished head is never replaced by head.1 on the program's own account, because snapshots made since
// would drop out of the list, and be forgotten by the next prune. The error names the file and the way out, Recover.
//
// An owner whose words were seen by others is followed by another one (Owner.Next), with other keys. The new owner keeps
// the entropy of those before, in its identity file and, sealed, in its list, because what they have sealed is not sealed
// anew: so the new words alone bring everything back, and the old ones open what they always did. The list is taken over by
// Inherit.
//
// FORMAT.md has the layouts.
package catalog
