// Package sim is a test swarm in one process, a function call away: real nodes, simulated links, virtual time, one seed.
//
//	sim.Run(t, sim.Config{Members: 12, Seed: 7}, func(t *testing.T, s *sim.Swarm) {
//		scores := s.Put(0, s.Block(64<<10))
//		s.Kill(9, 10, 11)
//		block, err := s.Client(1).Get(t.Context(), scores[0])
//		…
//	})
//
// Run is a bubble of package testing/synctest: its clock, which begins in the year 2000, stands still while any goroutine
// has something to do and jumps to the next timer when none has. Ten minutes of ten idle members take about a second.
//
// # What is real
//
// The nodes (node.Open, node.Run) with all that they are made of: certificates and hello, roster and gossip, the DHT,
// placement, the fragment protocol, gateways. The libp2p hosts, with QUIC's handshakes, streams, congestion control and
// retransmission. The fragments on the disk, in folders of the test, with their fsyncs; a member that starts again
// reads what its folder says, as vdh node does.
//
// # What is simulated
//
// The clock. The links (libp2p's x/simlibp2p over marcopolo/simnet): each member has one of so many bits per second in
// each direction with queues as of FQ-CoDel, and every packet takes the latency more. Loss, partition and hanging are done
// where packets are routed: those concerned go nowhere, and nobody is told. A member that is killed falls silent so, and
// then closes its files in order: what a crash does to files is tested in packages arena and fragstore, and what it does
// to a process in package procs. A member that hangs does go on for itself, but cut off.
//
// Four things differ from a node that runs by itself. The transport is QUIC, where a node's is TCP with TLS. There is no
// resource manager: nothing is refused because an address has too many connections. The banned are not dropped before
// hello, but by it. There is no socket for programs of the same machine: a goroutine that waits in the system for a
// network stops virtual time, so no test may use one inside. Addresses are public: what goes wrong with private ones only
// does not show.
//
// # What the figures do not say
//
// Computing takes no virtual time, nor does the disk: coding, hashing, fsync, Badger and the scheduler are free. Times
// are those of latency, bandwidth and timeouts alone; throughput, and what a loaded machine or a slow disk does to
// timeouts, is for package bench and package procs. The latency is the same between any two members.
//
// # What the seed decides
//
// The keys of swarm, owner and members, so all positions and placements; the data; the series of numbers by which
// packets get lost. It does not decide the order in which goroutines run, the choices of libp2p and of nodes that use
// random numbers (whom to gossip with), nor therefore which packets are the lost ones. A failure prints its seed; running
// it again makes the same swarm do the same things to the same members, and most failures come again.
package sim
