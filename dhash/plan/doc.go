// Package plan answers, by arithmetic alone, how available and how durable the blocks of a swarm would be, and what
// keeping them so costs.
//
// # Available
//
// A block of code Need/Total is unavailable while fewer than Need of its Total fragments are with members that answer.
// Everything here is about U, the probability of that, because 1−U loses the digits that matter. How U is computed says
// what is believed about members:
//
//	codec.Unavailability   each answers with the same probability p, whatever the others do
//	PoissonBinomial        each has a probability of its own
//	Hypergeometric         exactly so many of all members are down, and holders are a random draw
//	BetaBinomial           they fail together to a degree: two of them are correlated by rho
//	Sites                  they fail alone, and by the site
//
// Independence is the weakest assumption of all planning: at rho 0.05 five whole copies beat every code that stores two
// bytes for one. Of a part f of all members destroyed for good, codec.Unavailability at p = 1−f is the probability that
// a block is lost.
//
// A Snapshot is many blocks. Expected numbers hold even when blocks share their holders; AllReadable does not, since
// neighbouring blocks then fail together.
//
// # Durable
//
// MTTDL is the mean time until one block is lost for good, by a Markov chain whose state is the number of fragments on
// living disks. A Model says how repair goes; models differ by a factor of ten thousand over the same figures, so the
// model is to be named with every number. Exponential repair times are pessimistic, and centuries are no prediction
// (Greenan, Plank and Wylie, HotStorage 2010): blocks lost a year are the better way to say it.
//
// A Cycle follows a block from one repair to the next. Repair is lazy (Bhagwan et al., Total Recall, NSDI 2004), so
// that a block spends its life between all of its fragments and the number at which repair begins, and its mean U is
// what counts, not that of its first day.
//
// # What to choose
//
// A Swarm assesses codes under all this, and chooses one by the rule of codec.Policy: as many fragments as members, at
// most 20, and the largest Need that still has the target when repair begins. It also knows of correlation, which the
// policy does not.
//
// The formulas are in the literature from Weatherspoon and Kubiatowicz (IPTPS 2002), Rodrigues and Liskov (IPTPS 2005)
// and Chun et al. (Carbonite, NSDI 2006) on. Times are time.Duration where they are a machine's, and years of 8766 hours
// as a float64 where they are results, since those may be far longer than a Duration. Functions do not check their
// arguments but as said; Swarm.Validate does. Nothing here keeps state.
package plan
