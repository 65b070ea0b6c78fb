package repair_test

import (
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/repair"
)

func TestDecide(t *testing.T) {
	code := func(k, n int) dhash.Code { return dhash.Code{Need: k, Total: n} }
	const hour = time.Hour
	type view = repair.View
	var none dhash.Code
	usual := code(8, 20)
	for _, c := range []struct {
		name   string
		view   view
		want   dhash.Code
		action repair.Action
		count  int
	}{
		{"whole", view{Code: usual, Present: 20, Claimed: true}, none, repair.Nothing, 0},
		{"one above the threshold", view{Code: usual, Present: 17, Claimed: true}, none, repair.Nothing, 0},
		{"at the threshold", view{Code: usual, Present: 16, Claimed: true}, none, repair.Mend, 4},
		{"absent ones count", view{Code: usual, Present: 13, Absent: 4, Claimed: true}, none, repair.Nothing, 0},
		{"absent ones are not made", view{Code: usual, Present: 13, Absent: 3, Claimed: true}, none, repair.Mend, 4},
		{"urgent, whoever may return", view{Code: usual, Present: 11, Absent: 9, Claimed: true}, none, repair.Urgent, 5},
		{"urgent, nobody returns", view{Code: usual, Present: 11, Claimed: true}, none, repair.Urgent, 9},
		{"the last that will do", view{Code: usual, Present: 8, Claimed: true}, none, repair.Urgent, 12},
		{"one too few", view{Code: usual, Present: 7, Claimed: true}, none, repair.Wait, 0},
		{"released", view{Code: usual, Present: 9}, none, repair.Nothing, 0},
		{"another one's turn", view{Code: usual, Present: 10, Claimed: true, Rank: 2, Short: 2*hour - 1}, none,
			repair.Wait, 0},
		{"its turn has come", view{Code: usual, Present: 10, Claimed: true, Rank: 2, Short: 2 * hour}, none,
			repair.Urgent, 10},
		{"stronger code wanted", view{Code: code(3, 10), Present: 10, Claimed: true}, usual, repair.Recode, 20},
		{"weaker code wanted", view{Code: usual, Present: 20, Claimed: true}, code(3, 10), repair.Nothing, 0},
		{"short first, then coded anew", view{Code: code(3, 10), Present: 6, Claimed: true}, usual, repair.Urgent, 4},
		{"copies, one gone", view{Code: code(1, 3), Present: 2, Claimed: true}, none, repair.Mend, 1},
		{"copies, one left", view{Code: code(1, 3), Present: 1, Claimed: true}, none, repair.Urgent, 2},
		{"no redundancy", view{Code: code(3, 3), Present: 3, Claimed: true}, none, repair.Nothing, 0},
		{"alone", view{Code: code(1, 1), Present: 1, Claimed: true}, none, repair.Nothing, 0},
	} {
		action, count := repair.Decide(c.view, c.want, hour)
		if action != c.action || count != c.count {
			t.Errorf("%s: %v %d, want %v %d", c.name, action, count, c.action, c.count)
		}
	}
}

// The laws hold for every code and every state.
func TestDecideLaws(t *testing.T) {
	for n := 1; n <= 24; n++ {
		for k := 1; k <= n; k++ {
			c := dhash.Code{Need: k, Total: n}
			for present := 0; present <= n; present++ {
				for absent := 0; present+absent <= n; absent++ {
					v := repair.View{Code: c, Present: present, Absent: absent, Claimed: true}
					a, count := repair.Decide(v, dhash.Code{}, time.Hour)
					if present+count > n || count < 0 {
						t.Fatalf("%s %+v: %d to be made are too many", c, v, count)
					}
					if (a == repair.Mend || a == repair.Urgent) != (count > 0) {
						t.Fatalf("%s %+v: %v %d", c, v, a, count)
					}
					if present < k && a != repair.Wait {
						t.Fatalf("%s %+v: %v, though nothing can be made of it", c, v, a)
					}
					if count > 0 && present+absent+count < c.Threshold() {
						t.Fatalf("%s %+v: %d leave it short", c, v, count)
					}
					if present > c.Threshold() && a != repair.Nothing {
						t.Fatalf("%s %+v: %v above the threshold", c, v, a)
					}
					if a2, _ := repair.Decide(repair.View{Code: c, Present: present + count, Absent: min(absent, n-present-count),
						Claimed: true}, dhash.Code{}, time.Hour); count > 0 && a2 == repair.Urgent {
						t.Fatalf("%s %+v: urgent again after %d were made", c, v, count)
					}
				}
			}
		}
	}
}

func TestWantedKeepsVitalBlocksVital(t *testing.T) {
	var p codec.Policy
	nines := func(c dhash.Code) float64 {
		return codec.Nines(codec.Unavailability(dhash.Code{Need: c.Need, Total: c.Threshold()}, 0.9))
	}
	for from := 4; from <= 30; from++ {
		for to := from; to <= 40; to++ {
			for _, vital := range []bool{true, false} {
				c, want := p.Code(from, vital), p.Code(to, vital)
				got := repair.Wanted(p, to, c)
				if nines(want) < nines(c)+0.5 {
					want = dhash.Code{} // not worth it
				}
				if both := p.Code(from, true) == p.Code(from, false); got != want && !both {
					t.Errorf("from %d to %d members, vital %v: %s becomes %s, want %s", from, to, vital, c, got, want)
				}
			}
		}
	}
}

func TestActionNames(t *testing.T) {
	for a, want := range map[repair.Action]string{repair.Nothing: "nothing", repair.Wait: "wait", repair.Recode: "recode",
		repair.Mend: "mend", repair.Urgent: "urgent", 99: "unknown"} {
		if got := a.String(); got != want {
			t.Errorf("%d is %q, want %q", a, got, want)
		}
	}
}
