package node_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// prover is a node.Client or a node.Remote.
type prover interface {
	Prove(ctx context.Context, scores []venti.Score, fn func(gateway.Proof) error) error
}

func prove(t *testing.T, p prover, scores []venti.Score) (all []gateway.Proof) {
	t.Helper()
	err := p.Prove(t.Context(), scores, func(p gateway.Proof) error {
		all = append(all, p)
		return nil
	})
	if err != nil || len(all) != len(scores) {
		t.Fatalf("%d of %d proofs: %v", len(all), len(scores), err)
	}
	return all
}

// remote opens the swarm through the socket of member i.
func (s *swarm) remote(i int) *node.Remote {
	s.t.Helper()
	l := must(node.DialLocal(s.t.Context(), s.folders[i].Dir))(s.t)
	key := must(member.KeyOf(must(member.ParseID(must(l.Status(s.t.Context()))(s.t).ID))(s.t)))(s.t)
	session := node.Session{Owner: dhash.Owner(member.PublicOf(owner(1))), MarkKey: [32]byte{1},
		Grant: must(s.folders[i].Grant(owner(1), key, time.Now()))(s.t)}
	r := must(l.Blocks(s.t.Context(), session))(s.t)
	s.t.Cleanup(func() {
		if err := errors.Join(r.Close(), l.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return r
}

// Blocks are proven by a client and through a node's socket, which say the same; a member that has lost what it held, one
// whose disk is damaged and one that is down are told from each other.
func TestProve(t *testing.T) {
	const members = 7
	s := found(t, members)
	scores := s.store(0, random(40, 20_000)...)
	c, r := s.dial(0), s.remote(1)
	for name, p := range map[string]prover{"client": c, "socket": r} {
		for _, p := range prove(t, p, scores) {
			if p.Proven != members || p.Length != 20_000 || p.Err() != nil || p.Code.Total != members || p.Stored != members {
				t.Fatalf("%s: %+v: %v", name, p, p.Err())
			}
		}
	}

	for _, p := range prove(t, r, slices.Repeat(scores, 30)) { // more than go into one request
		if p.Proven != members {
			t.Fatalf("%+v", p)
		}
	}

	s.end(2)
	s.end(4)
	damage(t, filepath.Join(s.folders[3].Dir, "fragments"))
	for i, p := range []prover{r, c} { // whoever found damage does not say any more that it holds that
		lacking := 0
		for _, p := range prove(t, p, scores) {
			lacking += len(p.Lacking)
			if p.Proven+len(p.Lacking) > members-2 || p.Proven < members-3 || p.Err() != nil || len(p.False) != 0 {
				t.Errorf("%+v: %v", p, p.Err())
			}
			for _, down := range []int{2, 4} {
				if len(p.Silent) != 2 || !slices.Contains(p.Silent, s.folders[down].ID()) {
					t.Errorf("silent: %v", p.Silent)
				}
			}
			for _, m := range p.Lacking {
				if m != s.folders[3].ID() {
					t.Errorf("member %v is said to have nothing", m.Short())
				}
			}
		}
		if lacking != 1-i {
			t.Errorf("%d fragments are said to be damaged in look %d", lacking, i)
		}
	}
}

// damage flips a byte in the middle of the largest file below dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	var name string
	var most int64
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && info.Size() > most {
			name, most = path, info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, most/2)
	b[0] ^= 1
	_, err2 := f.WriteAt(b, most/2)
	if err := errors.Join(err, err2, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// What is no list of scores, or too long a one, or of no session, is refused.
func TestProveRefuses(t *testing.T) {
	s := found(t, 1)
	session := s.remote(0).Session()
	dir := s.folders[0].Dir
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, "node.sock"))
	}}}
	defer c.CloseIdleConnections()
	for _, test := range []struct {
		path string
		body int
		want int
	}{
		{"/v1/prove/0000000000000000", 0, http.StatusNotFound},
		{"/v1/prove/" + session, 33, http.StatusBadRequest},
		{"/v1/prove/" + session, 1025 * venti.ScoreSize, http.StatusBadRequest},
		{"/v1/prove/" + session, 1 << 20, http.StatusBadRequest},
		{"/v1/prove/" + session, 2 * venti.ScoreSize, http.StatusOK},
		{"/v1/prove/" + session, 0, http.StatusOK},
	} {
		res, err := c.Post("http://node"+test.path, "", strings.NewReader(strings.Repeat("x", test.body)))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != test.want {
			t.Errorf("%s with %d bytes: %s", test.path, test.body, res.Status)
		}
	}
}

// What a proof costs on the wire.
func TestProveCost(t *testing.T) {
	const members, blocks = 24, 60
	if testing.Short() {
		t.Skip("a swarm of 24")
	}
	s := found(t, members)
	c := s.dial(0)
	var scores []venti.Score
	for i := range blocks {
		scores = append(scores, must(c.Put(t.Context(), ventitest.Random(uint64(i), 1<<20)))(t))
	}
	if err := c.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = s.dial(1)
	before, begin := c.Peers().Counters(), time.Now()
	fragments := 0
	for _, p := range prove(t, c, scores) {
		fragments += p.Proven
	}
	took, now := time.Since(begin), c.Peers().Counters()
	in, out := now.BytesIn-before.BytesIn, now.BytesOut-before.BytesOut
	t.Logf("%d blocks of 1 MiB, %d fragments: %d bytes in and %d out for each block, %d for each fragment, in %v", blocks,
		fragments, in/blocks, out/blocks, (in+out)/int64(fragments), took)
	if fragments < blocks*10 || in/int64(fragments) > 2<<10 || out/int64(fragments) > 512 {
		t.Errorf("%d fragments for %d bytes in, %d out", fragments, in, out)
	}
}
