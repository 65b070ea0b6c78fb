// Package member says who belongs to a swarm, and knows which of them are there.
//
// # Who belongs
//
// A swarm is an Ed25519 key pair. Its key signs the Manifest, which all members hold (target, code, bans, a revision that
// only grows), and delegations: an Invitation is the private key of a delegation in a word of text. Whoever has the word
// makes itself a member with it, so that joining needs nobody to be online but one member to talk to. A member is thus the
// end of a Chain of certificates from the swarm's key: delegations, then the key of its libp2p host. A member may sign one
// more link, for a client: a short-lived key with which the same person's program reads and writes without holding
// anything. Every link narrows what the one before may (as in SPKI, RFC 2693), and a chain is good only for the key that
// the connection has proven, so a certificate that is replayed by somebody else is worth nothing.
//
// Before anything else on a connection comes hello (PROTOCOL.md): both sides show certificates, and Service.MembersOnly
// closes all other protocols but one to whom has not. What libp2p itself needs to set a connection up stays open to strangers
// (TLS, the multiplexer, identify). The Gate drops those whom the manifest bans as soon as their key is proven.
//
// One more thing is open to strangers: an owner whose machine has burnt down comes with the key from the recovery phrase
// and the address of one member (AskRescue). A member that keeps something of that owner makes the owner's key a client,
// for two days, and says where others are. That gives the thief of a phrase nothing that the phrase does not: it opens all
// that the owner has stored, wherever it lies. And a client it stays; who wants to be a member needs an invitation, or the
// key of one. The owner in turn believes the address nothing: a liar can show a swarm in which the owner's head and blocks
// are missing, and can make none of them up, since the head is signed by the owner and every block has its score.
//
// Two limits of certificates without an authority online. The time in a member's certificate is its maker's word: who
// keeps the text of an invitation can make members with it after it expired, by an earlier date, and only its use count
// (if it has one) stops that; the remedy is to ban the invitation's key, which shuts out all who came of it. And uses are
// counted by each member as it hears of new members. When an invitation for n is used n+1 times, members may differ about
// who came last, until one is banned.
//
// # Who is there
//
// The Roster is the newest signed Record of each member (addresses, capacity, failure domain, state), and what this node
// observed of it. It is filled from three sources: hello and gossip of records; the DHT, through Config.Find; and what
// happens on the wire, by Seen and Failed. News is pushed to three random members at once, who do the same; and every
// five seconds a node compares rosters with a random member by a hash, and if it differs by a digest. This is rumor
// mongering backed by anti-entropy (Demers et al., PODC 1987): news reaches all in O(log n) rounds, and nothing is lost
// for good.
//
// Liveness is each node's own judgement: a ping every ten seconds for each pair that does not talk otherwise; suspect at
// the first failure, dead after thirty seconds of them, alive at the first word. It orders requests, and does not change
// placement: that counts on a member until its record, which it signs anew every hour, is a day old. Being a function of
// records, the Table is the same at all who have the same records. Goodbye makes a member absent at once, and no more.
//
// A node that can reach nobody tries the seeds, the saved roster, and Find, at growing intervals of up to half a minute,
// for as long as it takes; members that fail are tried every minute. So it comes back by itself after a restart with stale
// addresses or a cut, if any address still holds or anybody who knows it dials in.
//
// # How far it goes
//
// Up to some thousand members each node knows all. A record has about 400 bytes, one is signed per member and hour; pings
// are bounded at 4 a second, so a thousand members hear each other every four minutes, less what the wire shows; and a
// connection to each costs some 50 KB. RosterConfig.Members (4096) is the end of that. Beyond it a node would hold the
// regions of the keyspace that it uses, found one prefix at a time by the DHT, as libp2p's provide sweep does. Digests name
// the range of keys that they cover, so that regions can be compared too; which range a node should cover is not built.
// Placement from a partial roster is exact as long as the roster holds the closest members of the keys it is asked about.
package member
