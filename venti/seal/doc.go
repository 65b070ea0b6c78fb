// Package seal compresses and encrypts a block before it is scored, and opens it again.
//
// A sealed block can be opened with its Ref alone: the score says which bytes, the key opens them. The key is made
// from the content under a convergence secret, so the same plaintext under the same secret always gives the same
// block, and blocks can be shared by all who have the secret without anyone else being able to test whether a known
// plaintext is stored. A root block is sealed under its owner's RootKey instead, so that its owner needs nothing but
// the score; the key of a single root can still be handed out.
//
// The AES-GCM nonce is constant. That is sound because no key is ever used for two plaintexts: a key is a keyed
// BLAKE3 hash of exactly the bytes that it encrypts, after compression, so another compressor or level gives another
// key. What each choice of secret gives away is stated in FORMAT.md.
//
// Rejected: a random key per block (no deduplication), a key from the plaintext before compression (two versions of
// the compressor would then encrypt two texts under one key and nonce).
package seal
