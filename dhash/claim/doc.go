// Package claim decides, without doing any I/O, what an owner's words are worth to a lender: which claims they keep, which
// they give up, and when they have to wait.
//
// A lender keeps a fragment for as long as an owner claims it (dhash.Claim). Claims do not expire one by one. What an
// owner has to say about those that it has, it says in signed statements (Statement), one kind for each need:
//
//   - a heartbeat keeps all that the owner has at that lender for another term;
//   - a release names blocks that no snapshot of the owner needs any more;
//   - a retain set names all blocks in a range of the keyspace that the owner still needs: so releases that were lost on
//     the way leak no space for ever;
//   - a confirmation is the second word for a statement that waits for one;
//   - a hand-over says that its claims, and what it may have here, are another owner's from now on. It is for an owner
//     whose key was seen by others.
//
// FORMAT.md has the bytes. The lender answers each (Answer), and keeps a Book on each owner.
//
// # Brakes
//
// Venti never deletes; a lender must be able to, and every loss of data that another program of this kind has had came of
// deleting on the word of a list that was short, old, or made of nothing (Storj's retain filters: capped, partial, empty;
// Tahoe's leases that nobody renewed). Decide therefore looks for a reason not to:
//
//   - Numbers grow. A lower one is refused, and a repeat of a statement is answered as it was before: a statement that is
//     replayed does nothing. Neither would it without numbers: a statement says up to when claims were made that it takes
//     away, and a block that was stored again has a later claim.
//   - A statement from the future is refused, and so is one that is a month old, or, where the lender's book is new, an
//     hour: a book that was lost begins with a heartbeat, so nothing old is believed then.
//   - A list that is not whole, not in order or not what its count says is refused altogether (Parse).
//   - What drops more than a tenth of an owner's claims within a day, however many lists it is spread over, waits for a
//     confirmation, which is good a day later at the earliest. Up to MinBraked claims always pass: a tenth of a small
//     archive is a handful of blocks, of which every prune would have to wait a day, and what passes is in the trash for
//     a month.
//   - A retain set whose cut-off is less than three days ago is refused: a backup that runs has claims which no snapshot
//     names yet.
//   - Nothing is given up while the lender has reason to doubt itself (Environment.Pause): its clock jumped, it has just
//     come back, it does not reach half of the members that it knows, or its storage has lost its marker.
//
// # Hand-over
//
// A hand-over (Succeed) is signed by the owner and by the heir, so that nobody is given claims, or named, against his will.
// Once a lender has taken one it is final: whatever else the old key signs, before or after, is refused, be it a second
// hand-over; the heir's statements speak for the claims of both. Who has stolen the key can hand over to himself first. That
// is a race which no lender can decide, for both have the same key; the first that a lender hears of holds there, and the
// other hears of the conflict.
//
// It takes nothing away, so that none of the brakes on releases are for it. It does not wait either: until it is heard, a
// thief can release, and spend the quota. Its own brakes are these:
//
//   - Numbers do not count, or a thief could forestall it by a statement with the highest number of all. A replay does
//     nothing, since the first is final.
//   - What the old owner has given up lately counts with what the heir has: else a thief could give up a tenth, hand over to
//     himself, and go on.
//   - A heir is taken who has taken over from fewer than MaxFormer, and not from itself by way of others.
//   - One of them has claims here: a lender keeps no books on strangers.
//
// # Lapse
//
// An owner who has sent no heartbeat for a term (180 days by the lender's clock) has lapsed: that is reported, and changes
// nothing. After 90 more days it is orphaned, and its claims may be dropped when the disk is full (Book.Watch). A lender
// that was itself away for more than half of the term has nothing to say about the owner's silence: the term begins
// anew.
package claim
