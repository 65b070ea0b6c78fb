// Package sweep finds out, region by region, which blocks have lost fragments.
//
// # Regions
//
// A member holds fragments all over the part of the keyspace that it is close to. It takes them in the order of
// positions, some 65,536 at a time (a region; a small store is one), and computes from the table of members who else is
// expected to hold a fragment of each. With each of those neighbours it runs a session, which tells which of the
// region's blocks the neighbour holds no fragment of. So every block has a count: of members that hold a fragment
// (Present), and of those that do not answer but are expected back (Absent). Where both together are less than all, or
// so few are present that waiting is no longer right, the block is handed to package repair, the nearest to its loss
// first. The counts take every member's fragment for a different one, and the tables of both sides for the same: repair
// looks exactly at a block before it acts. What this member holds without being expected to (a stray) is handed over
// without being counted.
//
// The regions are spread evenly over the interval, and a round goes on where it was after a restart. This is the
// schedule of libp2p's provide sweep; nothing is done in reaction to a member that comes or goes (Rhea et al.,
// "Handling churn in a DHT", USENIX 2004: reactive recovery makes a bad day worse).
//
// # Sessions
//
// Two members have a set of points each (Point: position and coding), ordered. The one that asks sends a fingerprint of
// its set; if the other one's is the same, that was all: 53 bytes. If not, the other one answers with the bounds and
// fingerprints of 16 parts of equal numbers; the asker cuts those that differ in 16 parts of its own, and so on in
// turn, until a part is down to 32 points, which are named. A contiguous difference touches one or two parts on each
// level, whatever its size. This is range-based set reconciliation (Meyer, "Range-Based Set Reconciliation", SRDS 2023;
// the negentropy protocol of D. Hoytema), but for one side's benefit: the asker learns what the other one lacks.
// Rateless sketches (Yang et al., SIGCOMM 2024) need a tenth of the bytes where differences are many and scattered, and
// more where there are none or they are contiguous, which is what happens; they were left out. PROTOCOL.md has the
// messages.
//
// Differences stay, for repair is lazy, and a member that was away lacks a little of everything. So a Sweeper
// remembers, in memory, what each neighbour lacked and what it had beside its own, takes both into account in the
// fingerprints of the next round, and is told what has changed. Every 28 rounds, and after a restart, it asks for
// everything.
//
// A fingerprint is a hash of a sum of hashes of points, 128 bits, all salted by the session, so that nobody who chooses
// what is stored can make two sets look alike. Sums are kept for each 32 points, so that the fingerprint of any range
// takes two look-ups and at most 62 hashes; and the other side keeps no state that it cannot make again.
//
// # Which points
//
// Placement skips members for the sake of failure domains, so what two members both hold is no range. Each compares
// those points of a range for which, by its own table, both are among the expected holders. With the same table that is
// the same set if nothing is lost, but for what is known to be. With tables that differ a little there are false
// differences, which cost bytes and no more: a point that is named is looked for in all that the other one holds, and
// so is a range of which it has nothing. Trash is on neither side.
//
// # Strangers and liars
//
// Every message is bounded by 64 KiB and decoded strictly, and costs its answerer no more than its length times a
// logarithm. Making a set costs a walk over the index; a Responder makes one at a time, of bounded size, and answers a
// member that asks for many slowly. A member that lies about what it holds is believed here: package trust asks for
// proofs. What it says costs the asker a bounded number of messages and some minutes, and its other neighbours nothing.
package sweep
