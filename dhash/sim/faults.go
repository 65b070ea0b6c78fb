package sim

import (
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
)

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

// Serve has member i answer requests for fragments by h, until it ends, in place of what is on its disk: to have a member
// that lies. It is to come before the member is asked for the first time; what goes over streams that are open already
// stays true.
func (s *Swarm) Serve(i int, h peer.Handler) {
	s.t.Helper()
	m := s.running(i)
	swarm := member.PublicOf(s.founder).Swarm()
	server, err := peer.NewServer(m.host, h, peer.ServerConfig{
		Member: func(dhash.ID) bool { return true },
		Full:   func(dhash.ID) bool { return true },
		Grant: func(id dhash.ID, b []byte) (dhash.Owner, error) {
			key, err := member.KeyOf(id)
			if err != nil {
				return dhash.Owner{}, err
			}
			g, err := member.ParseGrant(b, swarm, key, time.Now())
			if err != nil {
				return dhash.Owner{}, err
			}
			return g.Owner, nil
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	m.work.Go(func() { _ = server.Run(m.life) })
	synctest.Wait() // until it has taken the place of the node's own
}
