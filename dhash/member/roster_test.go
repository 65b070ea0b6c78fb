package member_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
)

func openRoster(t testing.TB, cfg member.RosterConfig, now time.Time) *member.Roster {
	t.Helper()
	cfg.Swarm = publicOf(swarmKey)
	r, err := member.OpenRoster(cfg, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func add(t testing.TB, r *member.Roster, rec *member.Record, now time.Time) {
	t.Helper()
	if _, added, err := r.Add(rec.Encode(), now); err != nil || !added {
		t.Fatalf("add: %v, %v", added, err)
	}
}

func TestRosterAdd(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	r := openRoster(t, member.RosterConfig{}, now)
	add(t, r, recordOf(t, v, "a", 5, now), now)
	later := now.Add(time.Minute)

	forged := recordOf(t, v, "a", 9, later)
	forged.Capacity++
	foreign := inviteTo(t, "another swarm", now, 0)
	stranger := recordOf(t, foreign, "b", 1, now)
	stolen := recordOf(t, v, "a", 9, now) // the certificates of a, and a key of somebody else
	if err := stolen.Sign(keyOf("b"), v.Swarm.Swarm(), now); err != nil {
		t.Fatal(err)
	}
	ofThisSwarm := &member.Record{Info: infoOf("b"), Chain: stranger.Chain}
	if err := ofThisSwarm.Sign(keyOf("b"), v.Swarm.Swarm(), now); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		rec  *member.Record
		at   time.Time
		want error
	}{
		{"forged", forged, later, member.ErrRecord},
		{"of another swarm", stranger, now, dhash.ErrStranger},
		{"of another swarm, signed for this one", ofThisSwarm, now, dhash.ErrStranger},
		{"with the certificates of another", stolen, now, dhash.ErrStranger},
		{"of the future", recordOf(t, v, "d", 9, now.Add(member.MaxSkew+time.Minute)), now, member.ErrClock},
		{"very old", recordOf(t, v, "c", 9, now), now.Add(31 * 24 * time.Hour), member.ErrRecord},
	} {
		if _, added, err := r.Add(c.rec.Encode(), c.at); added || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.name, added, err)
		}
	}
	for _, c := range []struct {
		name     string
		sequence uint64
		at       time.Time
		added    bool
	}{
		{"same", 5, later, false}, {"lower", 4, later, false},
		{"higher, too soon after", 6, now.Add(time.Second / 2), false},
		{"higher", 7, later, true},
	} {
		if _, added, err := r.Add(recordOf(t, v, "a", c.sequence, now).Encode(), c.at); added != c.added || err != nil {
			t.Errorf("%s: %v, %v", c.name, added, err)
		}
	}
	if r.Len() != 1 || !r.IsMember(idOf("a")) || r.IsMember(idOf("b")) {
		t.Errorf("%d members", r.Len())
	}
}

func TestRosterCountsUses(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 3)
	sub, err := member.Invite(v.Swarm, v.Chain, v.Key, now, now.Add(time.Hour), 2, "sub", nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "roster")
	r := openRoster(t, member.RosterConfig{File: file}, now)
	add(t, r, recordOf(t, v, "a", 1, now), now)
	add(t, r, recordOf(t, sub, "b", 1, now), now)
	add(t, r, recordOf(t, sub, "c", 1, now), now)
	for _, again := range []string{"first", "after a restart"} {
		if _, _, err := r.Add(recordOf(t, v, "d", 1, now).Encode(), now); !errors.Is(err, dhash.ErrStranger) {
			t.Errorf("%s: a fourth member of an invitation for three: %v", again, err)
		}
		if _, _, err := r.Add(recordOf(t, sub, "d", 1, now).Encode(), now); !errors.Is(err, dhash.ErrStranger) {
			t.Errorf("%s: a third member of an invitation for two: %v", again, err)
		}
		if err := r.Save(); err != nil {
			t.Fatal(err)
		}
		r = openRoster(t, member.RosterConfig{File: file}, now)
	}
	add(t, r, recordOf(t, v, "a", 2, now), now) // who was counted stays welcome
}

func TestRosterIsBounded(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	r := openRoster(t, member.RosterConfig{Members: 3}, now)
	for _, name := range []string{"a", "b", "c"} {
		add(t, r, recordOf(t, v, name, 1, now), now)
	}
	if _, _, err := r.Add(recordOf(t, v, "d", 1, now).Encode(), now); !errors.Is(err, dhash.ErrBusy) {
		t.Errorf("a fourth: %v", err)
	}
	later := now.Add(23 * time.Hour)
	add(t, r, recordOf(t, v, "a", 2, later), later)
	add(t, r, recordOf(t, v, "c", 2, later), later)
	later = later.Add(2 * time.Hour) // b is gone
	add(t, r, recordOf(t, v, "d", 1, now), later)
	if r.IsMember(idOf("b")) || r.Len() != 3 {
		t.Error("who is gone keeps others out")
	}
	r.Expire(now.Add(31 * 24 * time.Hour))
	if r.Len() != 0 {
		t.Errorf("%d records are kept for ever", r.Len())
	}
}

func TestRosterFile(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 2)
	cfg := member.RosterConfig{File: filepath.Join(t.TempDir(), "roster")}
	r := openRoster(t, cfg, now)
	add(t, r, recordOf(t, v, "a", 7, now), now)
	add(t, r, recordOf(t, v, "b", 8, now), now)
	r.Seen(idOf("a"), now)
	if err := r.Save(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	again := openRoster(t, cfg, now)
	if st, _ := again.Get(idOf("a"), now); again.Sum() != r.Sum() || !st.Seen.Equal(now) || again.Len() != 2 {
		t.Errorf("read back: %+v", st)
	}
	for i := 0; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 4
		if err := os.WriteFile(cfg.File, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := openRoster(t, cfg, now).Len(); n != 0 {
			t.Fatalf("byte %d damaged: %d members", i, n)
		}
	}
	for _, n := range []int{0, 10, len(good) - 1} {
		if err := os.WriteFile(cfg.File, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if n := openRoster(t, cfg, now).Len(); n != 0 {
			t.Fatalf("cut at %d: %d members", n, n)
		}
	}
	if err := os.WriteFile(cfg.File, good, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Manifest = manifestOf(t, swarmKey, 1, now, idOf("a"))
	if r := openRoster(t, cfg, now); r.IsMember(idOf("a")) || !r.IsMember(idOf("b")) {
		t.Error("a banned member is read back")
	}
}

func FuzzRosterFile(f *testing.F) {
	now := judged()
	v := inviteTo(f, swarmKey, now, 2)
	file := filepath.Join(f.TempDir(), "roster")
	r := openRoster(f, member.RosterConfig{File: file}, now)
	f.Add([]byte("vdh roster\n"))
	add(f, r, recordOf(f, v, "a", 7, now), now)
	if err := r.Save(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-32])
	f.Fuzz(func(t *testing.T, b []byte) {
		r := openRoster(t, member.RosterConfig{Members: 10}, now)
		if err := r.DecodeFile(b, now); err == nil && r.Len() > 10 {
			t.Errorf("%d members", r.Len())
		}
	})
}

func TestLiveness(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	r := openRoster(t, member.RosterConfig{Self: idOf("self")}, now)
	add(t, r, recordOf(t, v, "self", 1, now), now)
	add(t, r, recordOf(t, v, "a", 1, now), now)
	at := func(after time.Duration, want member.Liveness) {
		t.Helper()
		if st, _ := r.Get(idOf("a"), now.Add(after)); st.Liveness != want {
			t.Errorf("after %v: %v, want %v", after, st.Liveness, want)
		}
		if st, _ := r.Get(idOf("self"), now.Add(after)); st.Liveness != member.Alive {
			t.Errorf("after %v: this node is %v", after, st.Liveness)
		}
	}
	at(0, member.Suspect) // not contacted yet
	r.Seen(idOf("a"), now)
	at(0, member.Alive)
	at(9*time.Minute, member.Alive)
	at(10*time.Minute, member.Suspect)
	r.Failed(idOf("a"), now.Add(time.Minute))
	at(time.Minute, member.Suspect)
	r.Failed(idOf("a"), now.Add(80*time.Second))
	at(89*time.Second, member.Suspect)
	at(90*time.Second, member.Dead)
	at(23*time.Hour, member.Dead)
	at(24*time.Hour, member.Gone)
	r.Seen(idOf("a"), now.Add(2*time.Minute))
	at(2*time.Minute, member.Alive)
	r.Left(idOf("a"), now.Add(3*time.Minute))
	at(3*time.Minute, member.Away)
	r.Failed(idOf("a"), now.Add(4*time.Minute))
	at(time.Hour, member.Away)
	r.Seen(idOf("a"), now.Add(time.Hour))
	at(time.Hour, member.Alive)
}

func TestDue(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	r := openRoster(t, member.RosterConfig{Self: idOf("self")}, now)
	for _, name := range []string{"self", "a", "b"} {
		add(t, r, recordOf(t, v, name, 1, now), now)
	}
	due := func(after time.Duration, want ...string) {
		t.Helper()
		got, _ := r.Due(now.Add(after), 10, time.Minute)
		var ids []dhash.ID
		for _, name := range want {
			ids = append(ids, idOf(name))
		}
		slices.Sort(ids)
		slices.Sort(got)
		if !slices.Equal(got, ids) {
			t.Errorf("after %v: %d due, want %v", after, len(got), want)
		}
	}
	due(0, "a", "b") // never contacted
	due(time.Second)
	r.Seen(idOf("a"), now.Add(time.Second))
	r.Failed(idOf("b"), now.Add(time.Second))
	due(2*time.Second, "b") // at once, for it may be a broken connection
	r.Failed(idOf("b"), now.Add(2*time.Second))
	r.Failed(idOf("b"), now.Add(2*time.Second)) // of the same cause
	due(2*time.Second + time.Second/2)
	due(3*time.Second, "b")
	r.Failed(idOf("b"), now.Add(3*time.Second))
	due(4 * time.Second)
	due(5*time.Second, "b") // ever later
	r.Check(idOf("a"), now.Add(6*time.Second))
	due(6*time.Second, "a")

	// An attempt each time that one is due, for two hours: a minute is the longest pause.
	tries := 0
	for s := 10; s < 7200; s++ {
		at := now.Add(time.Duration(s) * time.Second)
		ids, _ := r.Due(at, 10, time.Minute)
		for _, id := range ids {
			if id == idOf("a") {
				r.Seen(id, at)
			} else {
				tries++
				r.Failed(id, at)
			}
		}
	}
	if tries < 110 || tries > 130 {
		t.Errorf("%d attempts to reach a dead member in two hours", tries)
	}
}

func TestTable(t *testing.T) {
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	names := []string{"a", "b", "c", "d", "e", "f"}
	var records []*member.Record
	for _, name := range names {
		rec := recordOf(t, v, name, 1, now)
		switch name {
		case "b":
			rec.State = member.Full
		case "c":
			rec.State = member.Retiring
		case "d":
			rec.Capacity, rec.Free = 0, 0
		}
		if err := rec.Sign(keyOf(name), v.Swarm.Swarm(), now); err != nil {
			t.Fatal(err)
		}
		records = append(records, rec)
	}
	one, two := openRoster(t, member.RosterConfig{Self: idOf("a")}, now), openRoster(t, member.RosterConfig{}, now)
	for i := range records {
		add(t, one, records[i], now)
		add(t, two, records[len(records)-1-i], now)
	}
	two.Seen(idOf("e"), now)
	one.Failed(idOf("e"), now)
	first, changed := one.Table(now.Add(time.Hour))
	other, _ := two.Table(now.Add(2 * time.Hour))
	if !slices.Equal(first, other) || len(first) != 5 {
		t.Errorf("two nodes with the same records have %d and %d members", len(first), len(other))
	}
	for _, s := range first {
		name := names[slices.IndexFunc(names, func(n string) bool { return idOf(n) == s.ID })]
		if s.Key != s.ID.Key() || s.Domain != "site/"+name || s.Full != (name == "b" || name == "c") {
			t.Errorf("%s: %+v", name, s)
		}
	}

	again := recordOf(t, v, "e", 2, now.Add(12*time.Hour)) // nothing new for placement
	add(t, one, again, now.Add(12*time.Hour))
	if same, _ := one.Table(now.Add(13 * time.Hour)); &same[0] != &first[0] {
		t.Error("the table was made anew for nothing")
	}
	select {
	case <-changed:
		t.Error("a change was reported that is none")
	default:
	}
	left, _ := one.Table(now.Add(25 * time.Hour))
	if len(left) != 1 || left[0].ID != idOf("e") {
		t.Errorf("%d members after the others are gone", len(left))
	}
	select {
	case <-changed:
	default:
		t.Error("a change was not reported")
	}
}

// TestReconcile makes rosters of many sizes the same by what messages carry, with digests that hold all of a roster
// and with ones that hold a part.
func TestReconcile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	now := judged()
	v := inviteTo(t, swarmKey, now, 0)
	var records [][]byte
	for i := range 200 {
		records = append(records, recordOf(t, v, fmt.Sprint(i), 1, now).Encode())
	}
	for _, c := range []struct{ size, rows, limit int }{
		{0, 500, 2}, {1, 500, 3}, {2, 500, 3}, {200, 500, 5}, {200, 64, 60}, {200, 200, 5}, {200, 199, 60},
	} {
		for _, share := range []float64{0, 0.5, 1} {
			size, rows := c.size, c.rows
			a, b := openRoster(t, member.RosterConfig{}, now), openRoster(t, member.RosterConfig{}, now)
			for _, rec := range records[:size] {
				both := rng.Float64() < share
				toA := rng.IntN(2) == 0
				if both || toA {
					a.Add(rec, now)
				}
				if both || !toA {
					b.Add(rec, now)
				}
			}
			rounds := member.Reconcile(a, b, rows, now)
			if a.Len() != size || b.Len() != size || a.Sum() != b.Sum() || rounds > c.limit {
				t.Errorf("%d records, %d rows, %v in both: %d and %d after %d rounds", size, rows, share, a.Len(), b.Len(), rounds)
			}
		}
	}
}
