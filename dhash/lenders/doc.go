// Package lenders is an owner's side of what package claim decides for a lender: it tells the members of a swarm what they
// are to keep and what they can let go, and notes what they answered.
//
// Package claim says what a statement is worth; the design is that of Tahoe-LAFS's leases and of Storj's retain sets, with
// what went wrong there put right. An owner has three things to say:
//
//   - A heartbeat to each lender, once a day (Ledger.Heartbeat). It costs nothing per block.
//   - Which blocks no snapshot needs any more (Ledger.Owe, Ledger.Tell). They are put down before anybody is told, in
//     numbered batches, and each lender's line says up to which batch it was told. So a lender that is away is told when it
//     is back, and an owner that is interrupted goes on where it was. Telling twice is harmless.
//   - All blocks that it still needs (Tell.Retain), from time to time, range by range of the keyspace: what was lost on the
//     way, here or there, is found by this.
//
// # Before which time
//
// A statement says up to when claims were made that it takes away, by the lender's clock. A lender's answer to a heartbeat
// shows that clock, and so a time by the owner's own clock (Tell.Cut) is one by the lender's, or an earlier one: both clocks
// go on by the same amount while the heartbeat is under way, which therefore counts in full.
//
// # Statements that wait
//
// A lender that is to let go of much wants a second word a day later, and then the same statement again. The statement, as
// it was signed, is kept in a file until then. One of which the blocks are needed again by then is never confirmed.
//
// # Others in the owner's name
//
// An owner may use one identity on several machines. What one of them does not need, another may. Numbers of statements
// grow, whoever makes them, and a lender says which was the highest: where that is above all that were sent from here,
// somebody else has spoken (Lender.Other). The caller then should not release anything unless it knows that all machines go
// by one list of snapshots, or that there is no other.
//
// # Files
//
// FORMAT.md has them. None of them is precious. Where they are lost, what was released and not told yet stays with the
// lenders until a retain set, and an own statement may be taken for another machine's.
package lenders
