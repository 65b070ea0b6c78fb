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
// # What it has shown
//
// vdh swarm simulate --warmup 0.5y, a thousand members and 100 000 blocks for a year, some 1500 deaths, 45 s with the
// oracle; unreadable is the part of the block-time, traffic the bytes of repair as times of the oracle's:
//
//	                                      unreadable           lost  traffic
//	8/20, as a node does                  3.3e-7 ± 1.4e-7         0  1.21      seeds 1 to 6, 2 of 6 000 000 reads failed
//	  --urgent-at 9                       5.2e-7 ± 8e-7           0  1.00      seed 1, which has 5.3e-7 above
//	  --stray 4                           1.0e-7 ± 1.1e-7         0  1.22      a sixth of the hand-off
//	  --shape 0.5                         4.5e-7 ± 7e-7           0  1.26      1.09 with --urgent-at 9, 1.00 and --grace 72h
//	  --sites 10 --site-every 60d         7.5e-7 ± 6e-7           0  1.41
//	  --availability 0.8                  2.3e-5 ± 6e-6           0  6.07      the urgent line is reached all the time
//	7/14 --repair-at 13 --urgent-at -1    2.0e-5 ± 4e-6           0  1.00      2.2 times the bytes of the oracle's 8/20
//	1/8 --repair-at 7 --urgent-at -1      2.0e-9 ± 4e-9           0  1.00      2.6 times its bytes, with hand-off
//	8/20 --repair-at 8 --urgent-at -1     8.5e-2 ± 3e-2        5608  0.95
//
// That silence is not death costs next to nothing where the grace period is some absences long. What the policy spends
// more than the oracle it spends on urgent repairs, for members that are back within the hour. At Need+3 of members that
// are there nine tenths of the time these gain nothing, and at Need+1 they cost nothing. They do gain where members
// die fast (--lifetime 60d: 1.0e-6 in place of 1.6e-6), or are there less than was assumed.
//
// A run uses the goroutine of its caller and nothing else; its Result depends on the Config alone.
package years
