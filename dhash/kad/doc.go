// Package kad is the swarm's Kademlia DHT: how members find each other when nobody told them where the others are.
//
// It runs go-libp2p-kad-dht (Maymounkov and Mazières, IPTPS 2002, as in the libp2p specification) under a protocol of
// our own, /vdh/kad/1.0.0, for members only, and stores nothing in it: neither values nor providers, which it forgets
// (48 hours) and never moves to new members. What is left is a routing table and FIND_NODE, and with them two questions
// are answered. Closest says which members are nearest to a block; Crawl walks the tables of all members and so finds
// every one. Both are slow paths: a lookup is about thirty requests and 15 ms of CPU over all members, where the roster
// (package member) answers in a microsecond. Placement is computed from the roster, which a crawl is one source of, and
// a block needs no lookup; Stats counts them, so that this can be seen.
//
// # What is ours
//
// Run keeps the table true. kad-dht learns of a peer when libp2p has identified it, which is before the peer could show
// its certificate, and looks again only by chance; it keeps peers that are gone until a query of its own fails
// (measured elsewhere: 15 % of the answers dead for nine minutes); and after a bootstrap that failed it waits two
// minutes. Run compares the table with the connections every two seconds, or at once after Changed: connected members
// that are not in it are asked, and enter when they answer; those that lost their connection or their membership leave.
// While the table is empty it dials the seeds, in random order and ever less often, up to every 15 s.
//
// Every stream of kad-dht passes through a guard that says hello first (Config.Connect), is closed to strangers in both
// directions, and cuts off a message that announces more than 128 KiB before memory is taken for it; kad-dht would
// take 4 MiB.
//
// The dead are not told from the living by the DHT. Closest drops what this node has no connection to after the lookup,
// which has just dialled them all; a member that went silent without closing its connections is noticed by libp2p after
// 30 to 45 s. Whoever needs to know better asks the member.
//
// NewHost makes the libp2p host that all protocols of a node share. The types of this package may be used from many
// goroutines at once.
package kad
