// Package years simulates how a swarm keeps its blocks over years, in virtual time, from one seed: ten thousand members
// and a million blocks in the memory of one process. It shows what the arithmetic of independent failures cannot (package
// codec): lazy repair, its budget and its delay, members that come back, sites that go dark, a burst.
//
// # What is real
//
// When a block is repaired and how many fragments are made is repair.Decide's word; where they go is that of
// placement.Table. Both are called here as they are by a node.
//
// # What is simulated
//
// A run takes events in the order of their times, and computes nothing between them. Members come and go (Churn, or a
// trace); one that dies loses its disk and is replaced by a new one at once. A member that was silent for the grace
// period counts as gone; what it has counts again when it returns. The sweep visits every block once an interval, a
// 64th of them at a time. A block that wants repair goes to the closest holder that answers, which reads Need−1
// fragments, since it has one, and places what it made with the first of the block's order that answer and have
// none. It mends one block at a time, at Config.Rate; urgent repairs begin at once and take Config.Uplink, and then
// their bytes are missing in the budget. A member that falls silent drops what it was doing, and what it has read for it
// is wasted. A holder that is none of the expected ones, as someone closer has joined, hands its fragment off.
// When three tenths of the members vanish within an hour nobody repairs anything until they are back, or for the
// grace period.
//
// The time in which a block cannot be read, as fewer than Need of its fragments are at members that answer, is
// integrated from event to event, exactly; random reads beside it are what a user would have met with. Its confidence
// interval is by batch means: blocks that are far from each other have other holders.
//
// The policy's bytes are to be compared with an oracle's (Config.Oracle; Chun et al., Carbonite, NSDI 2006), which knows
// of each silence whether it is a death. The events do not depend on what is done about them, so both see the same.
//
// # What is left out
//
// Everybody has the same roster, and knows at once who answers. Reading takes no bandwidth from anybody but the
// one who repairs, and members are never full. Scrubbing, damage and liars are not simulated; nor are blocks that
// are added or released meanwhile. Of a fragment that is there twice, since its holder returned, only one copy counts
// (the new one, until the old one's member is back; then that of the closer member, and the other is trimmed): a
// little less than what a reader would find. A fragment that its holder hands off arrives at once, though the bytes count
// in its budget.
//
// A run uses the goroutine of its caller and nothing else; its Result depends on the Config alone.
package years
