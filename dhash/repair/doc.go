// Package repair brings blocks back to full strength: it decides, for each block that a sweep has counted, whether
// anything has to be done and by whom, and does it.
//
// # When
//
// Repair is lazy (Bhagwan et al., Total Recall, NSDI 2004; Chun et al., Carbonite, NSDI 2006): a block of 20 fragments
// is left alone until four of them are gone for good, since most members that fall silent come back, and one reading of
// the block then pays for all that is missing. A member counts as gone when it was silent for a grace period, and what
// it had counts again when it returns. Only a block that is within three fragments of its loss is brought up at once
// (dhash.Code.UrgentLine), whoever may yet return.
//
// # Who
//
// All holders of a block count the same fragments, and the one closest to it acts. If the block is still short a
// while later the next one acts too, and so on, so that no single member can stop a repair by failing at it. Nobody asks
// the others before it is its turn, unless the block is near to its loss. Two that act at the same time waste some bytes
// and do no harm. Only a holder acts: its own fragment tells who claims the
// block, and a block that nobody claims here is left alone. What a gateway could not place is looked at by its node if
// that holds a fragment, and else found by the sweeps of those that do.
//
// # How
//
// Candidates come from the sweep and from gateways into a bounded queue, ordered by nearness to loss. A failure puts
// one item off, twice as long each time, from a minute to six hours; nothing that fails keeps others waiting, and what
// cannot be repaired stays queued, is counted as an alarm, and is repaired when enough members are back.
//
// A candidate is a hint. Before anything is done, all that may hold a fragment are asked, for up to 256 blocks at once.
// A member counts for one fragment whatever it says that it has, so one that boasts hides the loss of one at most. Then
// Decide is asked; Need fragments are read, this member's own first; the block is checked against its score; what is
// missing is made, and sent, with the claims of this member's own fragment, to the next members in the order of
// placement that have none, each to one. Nobody is sent a block, and no fragment is made twice while another is
// missing, as far as members answer: which ones the absent members have is guessed from their places.
//
// Whoever turns out not to have what it said it has is named in the log, and what it was to hold is made for another
// member.
//
// # Fragments in the wrong place
//
// Members join, and others are expected to hold a block than do. A holder that is not among the first Total hands its
// fragment to one that is and has none, without decoding anything; a retiring member does so with all it has. A
// fragment is given up when it is held in its place, as two surveys say, or the receipt of whom it was handed to and a
// survey, a sweep's interval apart: by an expected
// holder, and of two expected ones the later gives up. It goes to the trash, where a mistake costs nothing for 30 days.
// So what was made for a member that then came back goes again, but what that member brought counts at once.
//
// A holder that is so far away after a growth of the swarm that others do not ask it does not see them all either: it
// only hands over.
//
// # Damage
//
// What a member finds damaged on its own disk it makes again at once (Restore), of the other members' fragments: it is the one
// that has to hold it, and will not get it back by waiting.
//
// # Coding anew
//
// When the swarm has grown, or its policy has changed, what was stored before may be less safe than it would be today, by
// half a nine or more (Wanted). The closest holder reads the block and places all fragments of the new code, vital blocks
// first. The old ones stay where they are until each of their holders has seen the new coding at its threshold in two
// surveys and has read it whole itself: it costs a reading of the block for each, and without it whoever plants a coding
// of the wanted code could have the real one thrown away. The claims go with the block, with their old marks, which are not those that the owner would make for
// the new coding (dhash.Claim): so the next time that the owner has such a block it takes it for one that is not
// stored, and uploads it again, once.
//
// # Junk
//
// A coding whose fragments fit together and do not give the block is junk that somebody stored under its score. It is
// noted as such when it is first read, is not repaired nor read again, and counts in Stats; its claims keep it until
// its owner lets go, or until another coding of the block is found whole. Where the fragments read do give the block,
// but the coding as a whole is not honest, the honest one is stored beside it.
//
// # Releases
//
// Claims are looked at again when all has been made and nothing is sent yet; if there are none any more the item is
// dropped. What an owner releases in the moment between comes back where it was sent, until the owner's next retain
// set. While an owner's release reaches one holder after the other, a block looks as if it were being lost: fragments
// that are held and that the owner does not claim count as present for three days. After that they are trash of another
// kind, and the ones missing are claimed anew.
//
// # Brakes
//
// Bytes of fragments, fetched and sent, are counted against a rate (Config.Rate), which only what is urgent may exceed;
// that counts too, and all else waits for it, an hour at most. While the node serves people (Config.Busy) a quarter of the
// rate has to do. When more than 30 % of the members that answered within
// the last hour have vanished, a node takes itself for cut off and repairs nothing at all until they are back or the
// grace period has passed. At most 15 requests are under way.
package repair
