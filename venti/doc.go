// Package venti holds the nouns of a content-addressed archive: scores, refs, entries, roots and the Store that keeps
// blocks.
//
// A block is up to MaxBlock bytes, is named by its Score (the SHA-256 of the bytes as they are stored) and never
// changes. A Ref adds the key that opens a sealed block. An Entry names a whole stream of bytes, and a Root is the
// block whose score people keep. The names and most of the ideas are Venti's (Quinlan and Dorward, "Venti: a new
// approach to archival storage", FAST 2002); the byte layouts are our own and stand in FORMAT.md.
//
// Read next, in this order: seal (how a block is closed), tree (how a stream becomes blocks), arena and disk (how
// blocks stay on a disk), wire (how they cross a socket).
//
// The package imports the standard library only, and nothing in it does I/O.
package venti
