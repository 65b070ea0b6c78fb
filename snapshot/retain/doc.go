// Package retain decides which snapshots to keep, without doing any I/O.
//
// A policy is a number of rules, and a snapshot is kept if any of them keeps it. The rules are those that restic's users
// know (restic.readthedocs.io, "Removing snapshots according to a policy"), so that a policy can be carried over:
//
//   - Last keeps the newest N.
//   - Hourly, Daily, Weekly, Monthly and Yearly each look at hours, days, ISO weeks, months or years in which there is a
//     snapshot, the newest first, and keep the newest snapshot of each of the first N. If there are fewer than N, the
//     oldest snapshot is kept as well, so that the history grows as far as the rule allows.
//   - Within keeps what is younger than a span before the newest, not before now: a machine that was off for a year comes
//     back to what it had.
//   - Tags keeps what has one of them.
//
// Each host and list of paths is a group for itself. Weeks and days are those of Policy.Zone. An hour that comes twice
// when the clocks are set back is two.
//
// Whatever the rules say, these are kept, and are counted by no rule: what was made to be shared, and what a policy
// cannot place, which is a snapshot without a time or one from the future. So is the newest of each group that is neither,
// and the newest of which no file was unreadable: on a disk that fails, each night reads less. A policy without a rule
// decides nothing: it is an error.
//
// The caller forgets; nothing here does. The laws of it: each snapshot gets one verdict, a plan of what a plan keeps keeps
// all of it, and no verdict depends on the clock but that on the future.
package retain
