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
// The folder of a catalog holds head, head.1, lock and blocks. A lock on the file lock makes writers take turns, in one
// process or in several; readers take none. The folder blocks is a copy of the blocks of the list, verified by score
// when read, so that listing asks no store; it can be thrown away.
//
// A damaged or vanished head is never replaced by head.1 on the program's own account, because snapshots made since
// would drop out of the list, and be forgotten by the next prune. The error names the file and the way out, Recover.
//
// FORMAT.md has the layouts.
package catalog
