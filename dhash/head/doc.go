// Package head keeps, finds and hands on the signed heads of owners (venti.Head): what brings an owner whose machine is
// gone back to the newest list of its snapshots.
//
// A head is kept by the Keepers members that are closest to its owner's key (dhash.OwnerKey), each on its own disk.
// kad-dht has a value store for such records, but it holds them in memory, forgets them after two days, and says that a
// record is stored when every member has refused it. Here a head is as durable as a block: it is on the disk before it
// counts as kept, members compare what they have with each other in every interval of the sweep, and it is never
// dropped for its age.
//
// Which of two heads is kept is Decide's word, a pure function: the higher sequence, whoever comes first. Two heads of
// the same sequence that name different catalogs are a conflict, of which the owner has to hear, and so up to
// MaxConflict of them are kept. What is kept depends on the set of heads that a member has seen and not on their order,
// so that all members come to the same. A Shelf holds heads on a disk; FORMAT.md has its file.
//
// Nobody is believed. A signature is checked by whoever takes a head in (venti.ParseHead), so a member can serve an old
// head or none, and nothing else. Find asks more members than keep a head, takes the highest sequence that any of them
// shows, and says how many have it: to hide a newer head, all members that have it would have to lie or be away.
// Publish hands a head to all that are to keep it, and returns what stands against it. Both bound what a member that
// hangs costs.
//
// A member takes the heads of owners to whose keys it is close, whoever brings them. It does not ask whether the sender
// is close too, or has the owner's grant: a member has to be rid of an owner's head when many others have come between
// them; and keys cost nothing, so that whoever wants to fill shelves makes owners who are close to whom he likes, and
// signs their grants. What bounds invented owners is that a Shelf has a number of places. While one is free it is given
// to whoever comes. When all are taken nobody loses one to an owner of whom the member holds no fragments, and an owner
// of whom it holds some gets one from those of whom it holds none. Fragments cannot be invented: they are space that
// somebody has asked for, within a quota. An owner has a catalog because it has blocks, which lie on many members, so
// that most of its keepers lend to it; at the others, once they are flooded, its head is refused, which the majority
// that Publish counts bears.
//
// A Keeper compares a member's shelf with its neighbours, one after the other: it sends the heads that the neighbour
// should keep, and is answered with what is newer. So a member that is new or has lost its disk gets them, and one that
// was away catches up. What a member is not close to any more it drops, once most of those that are close have it. It
// is the maintenance of DHash's replicas (Cates, 2003) for records that fit into one message.
package head
