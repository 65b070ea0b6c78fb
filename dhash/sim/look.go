package sim

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
)

const (
	settleTime = 5 * time.Minute // virtual; until members that fail are retried it is one minute
	settleStep = 500 * time.Millisecond
)

// Settle waits until each of the given members takes just these for alive, and returns how long that took. None given
// are all that run and do not hang. It fails the test if it takes more than five minutes.
func (s *Swarm) Settle(alive ...int) time.Duration {
	s.t.Helper()
	if len(alive) == 0 {
		alive = s.Running()
	}
	begun := time.Now()
	for {
		wrong := s.unsettled(alive)
		took := time.Since(begun)
		if wrong == "" {
			return took
		}
		if took > settleTime {
			s.t.Fatalf("after %v %s", took, wrong)
		}
		time.Sleep(settleStep)
	}
}

// unsettled says which member takes not just the given ones for alive, if there is one.
func (s *Swarm) unsettled(alive []int) string {
	var want []string
	for _, i := range alive {
		want = append(want, s.members[i].id().String())
	}
	slices.Sort(want)
	for _, i := range alive {
		var got []string
		for _, m := range s.running(i).node.Members() {
			if m.State == member.Alive.String() || m.State == member.Full.String() {
				got = append(got, m.ID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Sprintf("member %d takes %d for alive, and not just the %d that are", i, len(got), len(want))
		}
	}
	return ""
}

// Running returns the members that run and do not hang.
func (s *Swarm) Running() []int {
	var list []int
	for i, m := range s.members {
		if m.up && !s.links.isQuiet(m.at) {
			list = append(list, i)
		}
	}
	return list
}

// Node returns member i, which is to run.
func (s *Swarm) Node(i int) *node.Node {
	s.t.Helper()
	return s.running(i).node
}

// ID returns the id of member i.
func (s *Swarm) ID(i int) dhash.ID { return s.members[i].id() }

// Member returns the number of the member with an id.
func (s *Swarm) Member(id dhash.ID) int {
	s.t.Helper()
	i := slices.IndexFunc(s.members, func(m *simulated) bool { return m.id() == id })
	if i < 0 {
		s.t.Fatalf("there is no member %s", id)
	}
	return i
}

// Holders returns the members that are to hold a block in the eyes of member i: those of the table that placement
// computes, in its order, with extra more.
func (s *Swarm) Holders(i int, score venti.Score, c dhash.Code, extra int) []int {
	s.t.Helper()
	var list []int
	for _, m := range s.Node(i).Table().Holders(dhash.KeyOf(score), c, extra) {
		list = append(list, s.Member(m.ID))
	}
	return list
}

// FragmentsOf returns which fragments of a block the members that run have on their disks: their numbers, by member. It
// asks nobody over the network.
func (s *Swarm) FragmentsOf(score venti.Score) map[int][]int {
	s.t.Helper()
	found := map[int][]int{}
	for i, m := range s.members {
		if !m.up {
			continue
		}
		held, err := m.node.Held(s.t.Context(), score)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, h := range held {
			found[i] = append(found[i], h.Index)
		}
	}
	return found
}

// Streams returns how many streams of a protocol have been opened since the beginning, by all members. Package member
// opens one for each request.
func (s *Swarm) Streams(id protocol.ID) int { return s.links.streams.of(id) }

// Owner returns the one owner that there is.
func (s *Swarm) Owner() dhash.Owner { return dhash.Owner(member.PublicOf(s.owner)) }

// OwnerKey returns the key that the owner signs with.
func (s *Swarm) OwnerKey() ed25519.PrivateKey { return s.owner }
