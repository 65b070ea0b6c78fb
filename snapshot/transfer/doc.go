// Package transfer copies snapshots of one owner from one store to another, and sends only what is missing there.
//
// Blocks are sent sealed, as they are, so that a snapshot has the same score in both stores. A snapshot is walked in the
// store that it comes from (vac.Tree.Ways); the other store is asked in batches for the blocks that are met, and what it
// does not have is fetched and put. That a block is there says nothing of the blocks below it: a copy, or a backup, may
// have died in between. So a subtree is passed over only where this very run has walked it to its end, under another
// snapshot, and everything in it was there or was sent.
//
// The catalog of the other store gains a snapshot once all of its blocks are stored. Blocks that cannot be had, or are
// damaged, are reported, and the snapshots that need them are not listed; everything else of these is sent nevertheless, so
// that only the missing blocks are when the copy is run again.
//
// # What prunes may take
//
// The caller holds a session of each of the two stores, from before it reads either catalog until Run has returned (see
// package prune). In the store that snapshots are read from, it keeps what the catalog listed. In the other store, every
// block of a snapshot is asked for or put in the session before the snapshot is listed, and so stays.
//
// Memory: about 100 bytes for each block that is met, and the blocks that are on their way.
package transfer
