package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/gateway"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

func TestContract(t *testing.T) {
	for _, n := range []int{1, 2, 7, 24} {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			ventitest.TestStore(t, func(t *testing.T) venti.Store { return newFakeSwarm(n).open(t) })
		})
	}
}

func mustPut(t *testing.T, g *gateway.Gateway, blocks ...[]byte) []venti.Score {
	t.Helper()
	var scores []venti.Score
	for _, b := range blocks {
		s, err := g.Put(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, s)
	}
	if err := g.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return scores
}

func mustGet(t *testing.T, g *gateway.Gateway, s venti.Score, want []byte) {
	t.Helper()
	if got, err := g.Get(t.Context(), s); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Get: %d bytes, want %d; %v", len(got), len(want), err)
	}
}

// every fragment is at a member of its own, and vital blocks survive the loss of more of them.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		g := swarm.open(t)
		leaf, root := ventitest.Random(1, 100_000), ventitest.Random(2, 100_000)
		s := mustPut(t, g, leaf)[0]
		v, err := g.PutVital(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := swarm.fragments(); n != 40 {
			t.Errorf("%d fragments are held, want 40", n)
		}
		holders := swarm.holders(s)
		if len(holders) != 20 {
			t.Fatalf("%d members hold the block, want 20", len(holders))
		}
		rep := g.Report()
		if rep.Blocks != 2 || rep.Below != 0 || rep.Fragments != 40 {
			t.Errorf("report: %+v", rep)
		}
		reader := swarm.open(t)
		swarm.set(gone, holders[:12]...) // n-k
		mustGet(t, reader, s, leaf)
		swarm.set(gone, holders[:13]...)
		begin := time.Now()
		if _, err := reader.Get(t.Context(), s); !errors.Is(err, venti.ErrUnavailable) || errors.Is(err, venti.ErrNotFound) {
			t.Errorf("with one fragment too few: %v", err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("it took %v to say so", took)
		}
		swarm.set(good, holders[3]) // one returns
		mustGet(t, reader, s, leaf)
		holders = swarm.holders(v)
		swarm.set(good, swarm.ids...)
		swarm.set(gone, holders[:16]...)
		mustGet(t, reader, v, root)
	})
}

// Members that fail while a block is put cost a detour, and no data.
func TestPutFaults(t *testing.T) {
	for name, m := range map[string]mode{"full": full, "gone": gone, "hung": hung} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				swarm := newFakeSwarm(30)
				g := swarm.open(t)
				swarm.set(m, swarm.ids[:4]...)
				var blocks [][]byte
				for i := range 20 {
					blocks = append(blocks, ventitest.Random(uint64(i), 10_000))
				}
				begin := time.Now()
				scores := mustPut(t, g, blocks...)
				if took := time.Since(begin); took > 20*time.Second {
					t.Errorf("20 blocks took %v", took)
				}
				if n := swarm.fragments(); n != 20*20 {
					t.Errorf("%d fragments are held, want %d", n, 20*20)
				}
				if rep := g.Report(); rep.Below != 0 {
					t.Errorf("report: %+v", rep)
				}
				begin = time.Now()
				for i, s := range scores {
					mustGet(t, g, s, blocks[i])
				}
				if took := time.Since(begin); took > 20*time.Second {
					t.Errorf("getting them took %v", took)
				}
			})
		})
	}
}

// Below the threshold the report says so; below what brings a block back, Sync fails, and so does every later Put.
func TestTooFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		g := swarm.open(t)
		swarm.set(gone, swarm.ids[:10]...)
		block := ventitest.Random(1, 1000)
		s := mustPut(t, g, block)[0]
		if rep := g.Report(); rep.Blocks != 1 || rep.Below != 1 || rep.Fragments != 10 {
			t.Errorf("10 of 20: %+v", rep)
		}
		mustGet(t, swarm.open(t), s, block)
		swarm.set(gone, swarm.ids[:13]...)
		if _, err := g.Put(t.Context(), ventitest.Random(2, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := g.Sync(t.Context()); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("7 of 20: Sync: %v", err)
		}
		if _, err := g.Put(t.Context(), ventitest.Random(3, 1000)); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("7 of 20: later Put: %v", err)
		}
	})
}

// Members of one failure domain count only up to the limit, if the swarm has others.
func TestDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(28)
		swarm.domain = func(i int) string { return fmt.Sprintf("site%d/host%d", i/16, i) }
		swarm.set(gone, swarm.ids[16:]...)
		g := swarm.open(t)
		mustPut(t, g, ventitest.Random(1, 1000))
		if rep := g.Report(); rep.Fragments != 16 || rep.Below != 1 {
			t.Errorf("16 fragments at one of two sites: %+v", rep)
		}
	})
}

// A member that lies is found out, and is sent the right fragment.
func TestLiars(t *testing.T) {
	for name, m := range map[string]mode{"garbles": garbles, "mixes": mixes} {
		t.Run(name, func(t *testing.T) {
			swarm := newFakeSwarm(20)
			g := swarm.open(t)
			a, b := ventitest.Random(1, 50_000), ventitest.Random(2, 50_000)
			scores := mustPut(t, g, a, b)
			swarm.set(m, swarm.ids[:12]...)
			for range 5 {
				mustGet(t, g, scores[0], a)
				mustGet(t, g, scores[1], b)
			}
			swarm.set(m, swarm.ids[:13]...)
			if _, err := g.Get(t.Context(), scores[0]); err == nil || errors.Is(err, venti.ErrNotFound) {
				t.Errorf("seven good fragments: %v", err)
			}
		})
	}
}

// A fragment that rotted at a member is replaced when the block is read.
func TestMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		g := swarm.open(t)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, g, block)[0]
		before := swarm.puts()
		swarm.set(garbles, swarm.ids[0])
		for i := 0; swarm.puts() == before; i++ {
			if i == 1000 {
				t.Fatal("nobody was sent the right fragment")
			}
			mustGet(t, g, s, block)
		}
	})
}

// Members that acknowledge and forget are absent, no more.
func TestForgetful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		swarm.set(forgets, swarm.ids[:12]...)
		g := swarm.open(t)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, g, block)[0]
		mustGet(t, g, s, block)
	})
}

// One hung member of twenty costs a reader less than a third of its time.
func TestHungReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		for _, m := range swarm.members {
			m.delay.Store(int64(10 * time.Millisecond))
		}
		g := swarm.open(t)
		var blocks [][]byte
		for i := range 100 {
			blocks = append(blocks, ventitest.Random(uint64(i), 1000))
		}
		scores := mustPut(t, g, blocks...)
		read := func() time.Duration {
			begin := time.Now()
			for i, s := range scores {
				mustGet(t, g, s, blocks[i])
			}
			return time.Since(begin)
		}
		healthy := read()
		swarm.set(hung, swarm.ids[7])
		if sick := read(); sick > healthy*13/10 {
			t.Errorf("100 blocks took %v, with a member hung %v", healthy, sick)
		}
	})
}

// Junk that others planted under a score is no reason to skip an upload, and does not keep the block from being read.
func TestPlanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		block := ventitest.Random(1, 50_000)
		s := venti.Sum(block)
		junk, err := new(codec.Encoder).Encode(s, ventitest.Random(2, 50_000), dhash.Code{Need: 8, Total: 20})
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range swarm.ids {
			f := junk.Fragment(i)
			if _, err := swarm.Put(t.Context(), id, dhash.Claim{Owner: dhash.Owner{9}, Mark: [16]byte{9}}, &f); err != nil {
				t.Fatal(err)
			}
		}
		g := swarm.open(t)
		if has, err := g.Has(t.Context(), []venti.Score{s}); err != nil || has[0] {
			t.Errorf("Has of junk: %v, %v", has, err)
		}
		if _, err := g.Get(t.Context(), s); err == nil {
			t.Error("junk was taken for the block")
		}
		mustPut(t, g, block)
		if has, err := swarm.open(t).Has(t.Context(), []venti.Score{s}); err != nil || !has[0] {
			t.Errorf("Has of the block: %v, %v", has, err)
		}
		for range 10 {
			mustGet(t, swarm.open(t), s, block)
		}
	})
}

// What somebody else stores costs another owner claims, and no bytes.
func TestOthersBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, swarm.open(t), block)[0]
		puts := swarm.puts()
		other := swarm.open(t, func(c *gateway.Config) { c.Owner, c.MarkKey = dhash.Owner{5}, [32]byte{6} })
		if has, err := other.Has(t.Context(), []venti.Score{s}); err != nil || has[0] {
			t.Errorf("Has before: %v, %v", has, err)
		}
		mustPut(t, other, block)
		if n := swarm.puts() - puts; n != 0 {
			t.Errorf("%d fragments were sent again", n)
		}
		if has, err := other.Has(t.Context(), []venti.Score{s}); err != nil || !has[0] {
			t.Errorf("Has after: %v, %v", has, err)
		}
		swarm.open(t)
		again := swarm.open(t) // the first owner, who remembers nothing
		mustPut(t, again, block)
		if n := swarm.puts() - puts; n != 0 {
			t.Errorf("%d fragments were sent again", n)
		}
	})
}

// Absence, and too few answers, are told apart.
func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		g := swarm.open(t)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, g, block)[0]
		holders := swarm.holders(s)
		no := venti.Sum([]byte("never put"))
		swarm.set(gone, holders[:5]...)
		var states []gateway.State
		err := swarm.open(t).Survey(t.Context(), []venti.Score{s, no}, func(st gateway.State) error {
			states = append(states, st)
			return nil
		})
		if err != nil || len(states) != 2 {
			t.Fatalf("%v, %v", states, err)
		}
		if st := states[0]; st.Present != 15 || st.Mine != 15 || st.Code != (dhash.Code{Need: 8, Total: 20}) || st.Length != len(block) {
			t.Errorf("%+v", st)
		}
		if st := states[1]; st.Present != 0 {
			t.Errorf("%+v", st)
		}
		swarm.set(gone, swarm.ids...)
		if _, err := swarm.open(t).Has(t.Context(), []venti.Score{s}); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("Has with everybody gone: %v", err)
		}
	})
}

// What the roster does not lead to is looked up in the DHT, once a block, and whoever that names is asked at once; what it
// leads to is not.
func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(40)
		g := swarm.open(t)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, g, block)[0]
		mustGet(t, swarm.open(t), s, block)
		part := newFakeSwarm(2)
		reader := swarm.open(t, func(c *gateway.Config) {
			c.Table = part.table
			c.Lookup = func(_ context.Context, _ venti.Score) ([]dhash.ID, error) { return swarm.holders(s), nil }
		})
		begin := time.Now()
		mustGet(t, reader, s, block)
		if took := time.Since(begin); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n := reader.Counts().Lookups; n != 1 {
			t.Errorf("%d lookups, want 1", n)
		}
		if n := g.Counts().Lookups; n != 0 {
			t.Errorf("%d lookups by whom the roster told, want 0", n)
		}
	})
}

// A member that has just come back elsewhere is tried once more, also where others are waited for that are known to be absent.
func TestSecondChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, swarm.open(t), block)[0]
		away := swarm.ids[:12]
		swarm.set(hung, away...)
		swarm.set(moved, swarm.ids[12])
		g := swarm.open(t, func(c *gateway.Config) {
			c.Absent = func(id dhash.ID) bool { return slices.Contains(away, id) }
		})
		begin := time.Now()
		mustGet(t, g, s, block)
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A lookup that hangs does not make a get take longer than its patience.
func TestLookupHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		s := mustPut(t, swarm.open(t), ventitest.Random(1, 50_000))[0]
		swarm.set(gone, swarm.ids...)
		g := swarm.open(t, func(c *gateway.Config) {
			c.Lookup = func(ctx context.Context, _ venti.Score) ([]dhash.ID, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		begun := time.Now()
		_, err := g.Get(t.Context(), s)
		if took := time.Since(begun); !errors.Is(err, venti.ErrUnavailable) || took > 11*time.Second {
			t.Errorf("after %v of at most 10 s, and what it takes to ask some once more: %v", took, err)
		}
	})
}

// Members that are known to be absent are not waited for, neither by a put nor by a get.
func TestAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(30)
		away := swarm.ids[:6]
		swarm.set(hung, away...)
		g := swarm.open(t, func(c *gateway.Config) {
			c.Absent = func(id dhash.ID) bool { return slices.Contains(away, id) }
		})
		begin := time.Now()
		var blocks [][]byte
		for i := range 20 {
			blocks = append(blocks, ventitest.Random(uint64(i), 1000))
		}
		for i, s := range mustPut(t, g, blocks...) {
			mustGet(t, g, s, blocks[i])
		}
		if took := time.Since(begin); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n := swarm.fragments(); n != 20*20 {
			t.Errorf("%d fragments are held, want %d", n, 20*20)
		}
	})
}

// A member that hangs and that nobody can stand in for costs a put a moment for each window, not its whole patience for
// each block; and members that are known to be absent do not hold up the news that a block is unavailable.
func TestNobodyToStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		swarm.set(hung, swarm.ids[3])
		var away []dhash.ID
		g := swarm.open(t, func(c *gateway.Config) {
			c.Absent = func(id dhash.ID) bool { return slices.Contains(away, id) }
		})
		begin := time.Now()
		var blocks [][]byte
		for i := range 60 {
			blocks = append(blocks, ventitest.Random(uint64(i), 1<<20))
		}
		scores := mustPut(t, g, blocks...)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("60 blocks took %v", took)
		}
		if rep := g.Report(); rep.Below != 0 || rep.Fragments != 60*19 {
			t.Errorf("%+v", rep)
		}
		away = swarm.ids[:13]
		swarm.set(hung, away...)
		begin = time.Now()
		if _, err := g.Get(t.Context(), scores[0]); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("Get: %v", err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v to say that the block is unavailable", took)
		}
	})
}

// Claims are made anew where the owner's are, and nowhere else; a block of which too few can be is not there.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		g := swarm.open(t)
		blocks := [][]byte{ventitest.Random(1, 50_000), ventitest.Random(2, 50_000)}
		scores := mustPut(t, g, blocks...)
		never := venti.Sum([]byte("never put"))
		again := swarm.open(t)
		claims := swarm.claimed.Load()
		has, err := again.Renew(t.Context(), []venti.Score{scores[0], never, scores[1], venti.ZeroScore()})
		if err != nil || !slices.Equal(has, []bool{true, false, true, true}) {
			t.Errorf("%v, %v", has, err)
		}
		if n := swarm.claimed.Load() - claims; n != 40 {
			t.Errorf("%d claims were made anew, not 40", n)
		}
		other := swarm.open(t, func(c *gateway.Config) { c.Owner, c.MarkKey = dhash.Owner{5}, [32]byte{6} })
		if has, err := other.Renew(t.Context(), scores); err != nil || has[0] || has[1] {
			t.Errorf("another owner: %v, %v", has, err)
		}
		if n := swarm.claimed.Load() - claims; n != 40 {
			t.Errorf("%d claims after another owner asked", n)
		}
		holders := swarm.holders(scores[0])
		swarm.set(gone, holders[:13]...) // seven answer, of which eight are needed
		if has, err := swarm.open(t).Renew(t.Context(), scores[:1]); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("too few answer: %v, %v", has, err)
		}
	})
}
