package sim

import (
	"context"
	"time"

	libpeer "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
)

// State has member from bring member to a statement of the one owner that there is, and returns the answer. Lender, Number
// and Date are filled in.
func (s *Swarm) State(from, to int, st claim.Statement) claim.Answer {
	s.t.Helper()
	m, lender := s.running(from), s.running(to).id()
	st.Lender, st.Date = lender, time.Now().Truncate(time.Second)
	s.stated++
	st.Number = uint64(time.Now().UnixMilli())<<8 + s.stated
	swarm := member.PublicOf(s.founder).Swarm()
	encoded, _, err := claim.Sign(s.owner, swarm, st)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := peer.NewClient(m.host, peer.ClientConfig{Connect: func(ctx context.Context, id dhash.ID) error {
		return m.host.Connect(ctx, libpeer.AddrInfo{ID: libpeer.ID(id)})
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	b, err := c.State(s.t.Context(), lender, encoded)
	if err != nil {
		s.t.Fatalf("a statement to member %d: %v", to, err)
	}
	a, err := claim.ParseAnswer(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}
