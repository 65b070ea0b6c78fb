// Package fragstore keeps a member's fragments on its disk, with who claims them.
//
// Fragments lie in the segments of package arena, and package index finds them; both can be read in their FORMAT.md,
// and FORMAT.md here has the folder and the records. The arenas are the truth, for fragments and for claims: the index,
// which also answers who holds what without reading a fragment (Have, Walk), can be lost and is built anew from them.
//
// # What is where
//
// A fragment is named by its block's score, its coding and its number. One block may have fragments of several codings
// here: a block that is coded anew has old and new side by side, and what somebody plants under a score displaces
// nothing, since a fragment is stored under the coding that its own payload and proof give. How many codings of a block
// one owner may claim is bounded, and so is how many all may.
//
// Rows are in the order of the positions of blocks (dhash.KeyOf), so a region of the keyspace is one walk over a range.
//
// # Claims
//
// A fragment is held on behalf of owners: Put and Claim add one, Release takes one away. A fragment's record has the
// claims of the time at which it was written, and each later change is a small record that lists all who claim the
// fragment from then on. The later record counts, so nothing has to be added up, and what a crash tears away is one
// change. Without claims a fragment is trash: readable and listed, and after Config.TrashAge freed by Compact. The time
// that counts is the one that Release was told.
//
// Deleting errs on the safe side. A claims record that is lost, with its index, leaves the claims of an earlier record,
// which were at least as many unless it added some: then a fragment may be claimed by too few. Scrub writes anew what it
// finds damaged while the index still knows it. Nothing is freed because the index does not know it: segments go only
// when all that the arenas show in them was copied, is too old as trash, or has been found damaged twice.
//
// # Durability
//
// Put, Claim, Release and Divert return when what they wrote is on the disk. All who call at the same time share one
// fsync. The note that a fragment is damaged is in the index alone: should it be lost, the next read finds out again.
//
// # Room
//
// Put fails with dhash.ErrFull when the arenas would outgrow Config.Capacity, or when less than Config.Reserve is free
// on the disk. A full store can be read and listed, and takes claims, releases and diversions: they are what makes room.
//
// # Concurrency
//
// One process has a folder (a lock file sees to that), and in it any number of goroutines. What belongs to one block is
// changed under one lock of package index. Compact and Scrub exclude each other and run beside all else.
package fragstore
