// Package repair brings blocks back to full strength: it decides, for each block that a sweep has counted, whether
// anything has to be done and by whom, and does it.
//
// # When
//
// Repair is lazy (Bhagwan et al., Total Recall, NSDI 2004; Chun et al., Carbonite, NSDI 2006): a block of 20 fragments is
// left alone until four of them are gone for good, since most members that fall silent come back, and one
// reading of the block then pays for all that is missing. A member counts as gone when it was silent for a grace period,
// and what it had counts again when it returns. Only a block that is within three fragments of its loss is brought up at
// once (UrgentLine), whoever may yet return.
//
// # Who
//
// All holders of a block count the same fragments, and the one closest to it acts. If the block is still short a
// while later the next one acts too, and so on, so that no single member can stop a repair by failing at it. Two that
// act at the same time waste some bytes and do no harm.
package repair
