package sim

// Stop has members hang, as a process that is stopped or a machine whose cable is pulled: their links swallow everything.
func (s *Swarm) Stop(members ...int) {
	s.links.change(func() {
		for _, i := range members {
			s.links.quiet[s.members[i].at] = true
		}
	})
}

// Resume ends what Stop did.
func (s *Swarm) Resume(members ...int) {
	s.links.change(func() {
		for _, i := range members {
			delete(s.links.quiet, s.members[i].at)
		}
	})
}

// Partition cuts the network into parts between which no packet goes: each group, and all others. It takes the place of
// an earlier partition.
func (s *Swarm) Partition(groups ...[]int) {
	s.links.change(func() {
		clear(s.links.side)
		for g, members := range groups {
			for _, i := range members {
				s.links.side[s.members[i].at] = g + 1
			}
		}
	})
}

// Heal ends partition and loss. Members that Stop stopped stay so.
func (s *Swarm) Heal() {
	s.links.change(func() {
		clear(s.links.side)
		s.links.loss = 0
	})
}

// Loss has packets get lost, each with probability p.
func (s *Swarm) Loss(p float64) { s.links.change(func() { s.links.loss = p }) }
