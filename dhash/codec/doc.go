// Package codec turns a block into fragments and back, and decides which code a swarm needs, without doing any I/O.
//
// A code Need/Total is a systematic Reed–Solomon code over GF(2⁸) (Reed and Solomon, 1960; the implementation is
// klauspost/reedsolomon): the block, padded with zeros, is cut into Need payloads, and Total−Need more are linear
// combinations of them, such that any Need of all give the block back. With Need 1 each payload is the block itself.
// The matrix is part of the format (../FORMAT.md).
//
// Which code: if each member answers with probability p, independently of the others, a block of which n fragments
// are left can be read with probability
//
//	A(k, n, p) = Σ C(n, i) pⁱ (1−p)ⁿ⁻ⁱ   over i = k … n
//
// Repair is lazy: nothing is done until Code.Threshold fragments are left, and then what is left must still reach the
// target (DHash's own 7 of 14 was chosen at its fresh state, where it has 4.76 nines at p = 0.9, and fewer after each
// failure). A Policy therefore takes as many fragments as members, at most 20, and the largest Need that reaches the
// target at the threshold: 8/20 for five nines of members that are there 90 % of the time.
//
// Nothing here keeps state but an Encoder, which keeps matrices. All of it may be used from many goroutines at once;
// a call runs on the goroutine of its caller alone.
package codec
