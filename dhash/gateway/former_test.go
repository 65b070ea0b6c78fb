package gateway_test

import (
	"testing"
	"testing/synctest"

	"ventidhash/dhash/gateway"
	"ventidhash/venti/ventitest"
)

// TestFormerMarks has an owner whose claims are marked with the key of one who has handed over to it, under whose heir's name
// the members have them: they are believed, and marked anew when they are renewed.
func TestFormerMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(7)
		scores := mustPut(t, f.open(t), ventitest.Random(1, 10_000), ventitest.Random(2, 10_000))
		heir := func(former ...[32]byte) *gateway.Gateway {
			return f.open(t, func(c *gateway.Config) { c.MarkKey, c.FormerMarks = [32]byte{6}, former })
		}
		has := func(g *gateway.Gateway, want ...bool) {
			t.Helper()
			got, err := g.Has(t.Context(), scores)
			if err != nil || got[0] != want[0] || got[1] != want[1] {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		}
		has(heir(), false, false)
		has(heir([32]byte{7}), false, false)
		has(heir([32]byte{7}, [32]byte{2}), true, true)
		proven, others := 0, 0
		g := heir([32]byte{2})
		if err := g.Prove(t.Context(), scores, func(p gateway.Proof) error {
			proven, others = proven+p.Proven, others+p.Others
			return nil
		}); err != nil || proven != 14 || others != 0 {
			t.Errorf("%d proven, %d of others, %v", proven, others, err)
		}
		if got, err := g.Renew(t.Context(), scores[:1]); err != nil || !got[0] {
			t.Errorf("%v, %v", got, err)
		}
		has(heir(), true, false)
		puts := f.puts()
		mustPut(t, heir([32]byte{2}), ventitest.Random(2, 10_000))
		if f.puts() != puts {
			t.Errorf("%d fragments were sent again", f.puts()-puts)
		}
		has(heir(), true, true)
	})
}
