// Package dhash holds the nouns of the swarm: keys, codes, fragments, owners, and the errors that its packages share.
//
// A block of package venti is coded into Total fragments, any Need of which give it back (package codec). The fragments
// are kept by the members of the swarm whose ids are closest to the block's score by the XOR of hashes (package
// placement): Kademlia's distance (Maymounkov and Mazières, IPTPS 2002), and DHash's use of it (Dabek et al., NSDI
// 2004). FORMAT.md has the bytes of a fragment, and of a Leaf, which proves that a member has one.
//
// Read next, in this order: codec and placement (pure decisions), member (who belongs, and who is alive), kad (how
// members find each other), peer (how fragments travel), fragstore (how they stay on a disk), head (how the members
// keep what leads an owner back), gateway (a venti.Store made of them), node (one member, assembled).
//
// Nothing in the package does I/O.
package dhash
