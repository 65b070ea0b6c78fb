package dhash

// A Claim is an owner's hold on a fragment: holders keep a fragment for as long as an owner claims it.
//
// Mark is a word that only the owner can have said about this coding of this block (gateway makes it with a key of the
// owner's). The holder keeps it and gives it back when the owner asks what it holds. It lets an owner believe that a
// coding is one that it made itself, or checked: without it, junk planted under a score could make an owner think that
// the block is stored already.
type Claim struct {
	Owner Owner
	Mark  [16]byte
}

// Held is what a holder says that it holds of a block.
type Held struct {
	Coding Coding
	Code   Code
	Index  int
	Length int      // of the block, in bytes
	Mark   [16]byte // of the claim of the owner who asks; zero if that owner claims nothing
}
