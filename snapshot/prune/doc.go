// Package prune gives back the space of blocks that no snapshot in the catalog needs, or says which these are.
//
// Any number of writers may be at work meanwhile, in this process and in others; nobody waits for a prune. It goes
// through these steps:
//
//  1. Mark: walk every snapshot in the catalog, shares too, and the catalog's own blocks. What is met is live.
//  2. Trash: the store marks everything else. Trash can still be read, and any Get, Put or Has takes it out again.
//  3. Settled: the store looks which sessions live. Trash is settled if it was marked before each of them began.
//  4. Look again: let a change of the catalog that is under way come to its end, then walk the snapshots that are new
//     since step 1, and ask the store for each block that they need.
//  5. Reclaim: the store frees what is settled and still trash.
//
// Any error ends the prune, and up to step 5 nothing is freed by then. Above all, one directory that cannot be read in
// step 1 or 4 does: an incomplete walk releases nothing. Reclaim itself may be interrupted at any point. The marks that
// are left do no harm, since the next prune makes its own.
//
// # Why nothing that is needed is freed
//
// A block is freed in step 5 only if it was trash then, and marked before every session began that lived in step 3.
// Suppose that a snapshot S needs it and is in the catalog at the end. Whoever wrote S had a session from before its
// first Has or Put until S was in the catalog.
//
//   - S was in the catalog in step 1: the block is live and never became trash.
//   - S's session had ended by step 3: S was in the catalog by then, and step 4 took the block out of the trash; or S
//     has been forgotten.
//   - S's session lived in step 3 and had begun before the block was marked: the block is not settled.
//   - S's session began after the block was marked, and its writer put the block or asked for it: that took it out of
//     the trash.
//   - S's session began after the block was marked, and its writer took it over, unasked, with a part of the parent
//     snapshot P, which was in the catalog when the writer looked. By the same argument P needs the block and has it,
//     for as long as P is in the catalog. When the writer adds S it looks whether P still is; if not, it first asks for
//     every block of S. That is the writer's duty, and the only one beside the session.
//
// A block that was taken out of the trash between steps 2 and 5 could become trash again through a second prune that
// looked at the catalog earlier. Therefore a prune has a session as well: what the second one marks is newer than that
// session, and so not settled for the first.
//
// The blocks of the catalog itself are put by whoever changes it, perhaps without a session, and named by a new head a
// little later. If step 2 came between the two, step 4 waits for the head; whatever is put later is out of the trash.
//
// # A swarm
//
// A swarm has no list of its blocks, and nobody who could mark them. There, Search finds what can be let go: the blocks of
// snapshots that were forgotten (Forget notes them, before they leave the catalog), less those that any snapshot in the
// catalog needs. What nobody knows of any more, such as the blocks of a backup that died, a complete list of what is needed
// finds in the end (package lenders). FORMAT.md has the files.
//
// Members let go of claims that were made before some time, so that time takes the place of trash and sessions. The caller
//
//  1. takes the members' clocks,
//  2. looks who is writing on this machine (Running), and since when,
//  3. searches, and
//  4. has the members let go of what was found and claimed before the earlier of 1 and 2.
//
// Suppose that a snapshot S needs a block and is in the catalog at the end. Whoever wrote S was noted (Begin) from before it
// read the catalog until S was in it, and claimed each block of S anew that it did not take over from its parent, whether it
// put the block or found it stored.
//
//   - S was in the catalog in step 3: the block is needed.
//   - S was not, so its writer had not ended by step 2. If it had begun by then its claims are younger than it, and if not,
//     younger than the clocks of step 1.
//   - The block came with a part of the parent P, unasked. P was in the catalog when the writer looked, and the same is true
//     of it; or it was forgotten, and then the writer asks for every block of S before it adds S, which claims them anew.
//
// The same goes for a list that is carried out a day later, or a second time: whoever came after it was made has younger
// claims.
//
// Writers on other machines are not noted here. Between 2 and 3 the caller takes in what they have added to the list, and
// publishes its own (package catalog); where it cannot do both, it does not go on. And it lets go only of what was claimed
// a margin earlier, say a day. Suppose again that S is in the catalog at the end, and was written on another machine.
//
//   - S was published before step 3: the block is needed.
//   - S was published later, within half the margin of its writer's beginning, into a list that has P: its claims are younger
//     than what is let go, but for those of blocks that came with a part of P. Whoever lets go of P has published before
//     that P was forgotten. Had that been before S was published, P would not be in that list; and who did so after it has
//     taken S in.
//   - S was published later than that, or into a list that has not P: before that, its writer looked for every block of S,
//     claimed it anew, and put those again that were in the members' trash only, where they stay for 30 days (commit and vet
//     in cmd/vdh). If some are gone, S is not published.
//
// Whoever forgets P while S is being published meets the writer of S at the members that keep the head: one of the two is
// second, takes in what the other one wrote, and looks at its own case again.
//
// Published means by the writer of S, and to most of those members. A head that reached only a few before its writer was cut
// off may be found again, by its writer or by another machine, which then publishes S, after a third one has forgotten P
// and let go of its blocks. Its writer has S noted (the file unpublished of package catalog), and looks at it as at one that
// is published late, until a head of its own with S is known to be published. Until it does, or if the note was lost with
// its disk, S may be on the list and not be whole.
//
// One case is left. Members keep the head of the highest number, and what it has replaced nobody shows again. A writer that
// is told what its head replaced takes that in. But one that was cut off before it was told, having seen neither S nor that
// P was forgotten, may leave a head at some members, which hand it on to the others; its number is higher than that of a head
// which most of them keep if it has made several changes on its own. Then others do not know what the replaced head said
// until the next command of whoever wrote that. If it said that S is there, they may forget P, and let go of what S needs;
// its writer finds S on no list, looks at it, and puts again what lies in the trash, for 30 days. If it said that P was
// forgotten, they may build on P, whose blocks are let go of meanwhile; nobody looks at what they built, which is not whole
// after those 30 days. To close this, members would have to keep and show the heads that others replaced, which they and
// their peers take for an error now, and each machine to note which of these it has taken in, so as not to read old lists
// with each command.
//
// # What the caller has to know
//
// The store must be this one catalog's. Blocks of another owner, or of another catalog, are trash to it. A catalog
// without any snapshot is refused, because it is more likely to be the wrong one than the store to be useless.
//
// Memory: 40 to 80 bytes for each live block.
package prune
