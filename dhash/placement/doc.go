// Package placement decides, without doing any I/O, which member should hold which fragment.
//
// Each block has an order of all members: Kademlia's, by the XOR of the SHA-256 of the member's id and of the block's
// key (Maymounkov and Mazières, IPTPS 2002), but so that no failure domain gets more than its share among the first.
// The first Total members of the order hold the fragments; the next ones (Slack) stand in for members that are full,
// and are asked too by a reader whose roster is not quite the writer's. Whoever has the same roster computes the same
// order, and a member that joins or leaves moves nothing else than what it gains or loses.
//
// # Failure domains
//
// A member's domain is a label "site/host": a machine, and the place whose loss takes all machines there with it. A
// label without a slash is both. An empty label is a domain of its own. The order takes a block's members in passes
// over the XOR order, each pass taking those of the members left that keep within its limits, counted over all that are
// taken:
//
//	pass   per host            per site
//	1      1                   Code.DomainLimit
//	2      Code.DomainLimit    Code.DomainLimit
//	3      1                   any
//	4      Code.DomainLimit    any
//	5      any                 any
//
// So as long as there are enough hosts and sites a block loses one fragment with a host, and stays three above Need
// when a site is lost; and a swarm in one room, or on one machine, still places all its fragments. No member ever holds
// two fragments of a block: the code has no more than there are members (codec.Policy). Limits that hold at every rank
// of one order were preferred to limits per placement, because then the first n of it are the same members whoever
// looks at however many.
//
// # Full members
//
// Whether a member is full changes by the hour, so the order does not depend on it; a full member is passed over by
// Place, which says who stands in for it. A stand-in is the first of the order who is not full and has nothing of the
// block (PAST calls this diversion: Rowstron and Druschel, SOSP 2001). All counting of "the first so many" is of
// members that are not full, so that readers and holders look as far as a writer had to go.
//
// # Ranks and indices
//
// At first placement fragment i goes to rank i. Later joins shift ranks, but fragment i stays fragment i where it is:
// who holds which index is known from the holders, not from the order.
//
// A Table is immutable and safe for use from many goroutines at once.
package placement
