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
// change. Without claims a fragment is trash: readable and listed, and after Config.TrashAge freed by Compact. Trash
// that is read stays for as long again, and is counted.
//
// Each claim has the time at which it was made, or made anew, by this member's clock, which never goes back for this:
// what an owner gives up, it gives up as of a time (package claim), and a claim that came later is not meant. So Put and
// Claim of what is claimed already write a record, one a second at most.
//
// # Owners' statements
//
// Settle does what an owner says in a signed statement: a heartbeat, a release, a retain set, a confirmation. What is
// to become of it package claim decides; this package counts what it would release, and carries it out. Beside the
// arenas there is a book on each owner, a small file that is replaced in one step. A book that is missing or damaged
// begins anew: all claims stay, a full term runs, and nothing is released before the owner has sent a fresh heartbeat.
//
// A statement is carried out so: the book says that it has begun; the claims are taken away one by one, each looked at
// again under its lock, and are synced; the book says that it was settled, and what it released. A crash in between
// leaves a statement that has begun, and that the owner, who got no answer, sends again.
//
// An owner that has handed over to another (claim.HandOver) has an heir, which stands in its book and is final. Records and
// rows keep the name that they have; wherever owners are compared, in quotas and totals and in what statements say, the heir
// stands for all who have handed over to it, by way of others too, and what other members are told of claims names the
// heir. So nothing is written anew, but where both have a claim on the same fragment. The old owner puts and claims
// nothing more; a copy that a member sends, which has not heard, becomes the heir's.
//
// Observe is told the time and how many members answer, and returns what Settle, Tend and Compact go by; while it gives
// reason for doubt, they give nothing up. Tend notes which owners were not heard of for a term, and drops the claims of
// those who are gone for good, but only when room is needed.
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
// Books are durable when Settle returns; of the time for which the member ran, ten minutes may be lost.
//
// # Room
//
// Put fails with dhash.ErrFull when the arenas would outgrow Config.Capacity, or when less than Config.Reserve is free
// on the disk. A full store can be read and listed, and takes claims, releases and diversions: they are what makes room.
//
// # Concurrency
//
// One process has a folder (a lock file sees to that), and in it any number of goroutines. What belongs to one block is
// changed under one lock of package index. Compact and Scrub exclude each other, and so do statements that take
// claims away; all run beside everything else.
package fragstore
