// Package gateway makes a venti.Store of a swarm: it puts, gets and claims whole blocks.
//
// A Put encodes the block, sends its fragments to all of the members that are to hold them at once, and returns while they
// travel; a window of bytes bounds how many do. A block counts as stored when the code's Threshold of fragments is held by
// enough different failure domains, each of which has acknowledged what is on its disk. The rest goes on in the
// background; where a member refuses, fails or lags far behind the others, the next closest takes its place (DHash's
// insert, and PAST's replica diversion, Rowstron and Druschel, SOSP 2001, section 3.3). Sync waits for all of it. What was
// stored below the threshold is said in the Report, and what cannot be brought back at all makes Sync fail.
//
// A Get asks the members that answer fastest for as many fragments as the block needs, one more while it does not know how
// fast they are, asks another whenever an answer is later than that member's 95th percentile or is bad, and decodes as soon
// as enough good fragments of one coding are there (hedged requests: Dean and Barroso, "The tail at scale", CACM 2013).
// The block's score has the last word. A member whose fragment was bad is named, and is sent the right one.
//
// Which members hold a block is computed from the roster (package placement). No lookup and no roster request is made for a
// block; only a block that could not be found that way is looked up in the DHT, once.
//
// # Proofs
//
// Prove finds out whether blocks are there without fetching them: whoever says that it holds a fragment of a coding
// that carries the owner's mark is asked for a leaf of it that could not be foreseen, with its path to the coding's name
// (dhash.Leaf; the idea is that of proofs of data possession, Ateniese et al., CCS 2007, with Merkle paths in place of
// homomorphic tags). Who is honest reads and verifies the whole fragment for that. One leaf of 1 KiB does not show that
// all of a fragment is there, but who has dropped a part f of what it holds answers c challenges with probability
// (1-f)^c only: 90 challenges show a loss of 5 % with 99 %, whichever blocks they are about. A member may still fetch the
// leaf from another holder when it is asked; the fragments of a code are all different, so that it needs one that has the
// very same fragment, and two members that prove the same count once.
//
// # What an owner believes
//
// Anybody in the swarm can store junk under any score. So Has and Put believe that a block is held only by the owner's
// own mark: a keyed hash of score and coding that the owner left with its claim, and that nobody else can make
// (dhash.Claim); or by that of one who has handed over to the owner (package claim), which is replaced when the claim is
// renewed. A block that others hold for themselves is encoded here, and where the holders have the very same coding they
// are asked to note the owner's claim instead of being sent the bytes.
package gateway
