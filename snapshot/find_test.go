package snapshot_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
)

// snap makes a snapshot that was taken day days after the first.
func snap(day int, host string, paths ...string) snapshot.Snapshot {
	return snapshot.Snapshot{
		Score: sha256.Sum256(fmt.Appendf(nil, "%d %s %q", day, host, paths)),
		Time:  time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC), Host: host, Paths: paths,
	}
}

func TestFind(t *testing.T) {
	a0, a1 := snap(0, "a", "/srv", "/home"), snap(3, "a", "/srv/x")
	b, c := snap(2, "b", "/"), snap(1, "c", "/srv")
	shared := snap(9, "a", "/srv")
	shared.Share = true
	twin := snap(3, "a", "/twin") // of the same time as a1
	list := []snapshot.Snapshot{a1, shared, b, a0, c}
	unknown := digits

	for _, tc := range []struct {
		name string
		list []snapshot.Snapshot
		want snapshot.Snapshot
		sub  string
		err  error
	}{
		{a0.Score.String(), list, a0, "", nil},
		{"vac:" + a0.Score.String() + "/home/u", list, a0, "/home/u", nil},
		{"vac:" + a0.Score.String()[:8], list, a0, "", nil},
		{b.Score.String()[:20] + "/etc", list, b, "/etc", nil},
		{shared.Score.String()[:12], list, shared, "", nil},
		{unknown, list, snapshot.Snapshot{Score: score}, "", nil},
		{unknown + "/p", nil, snapshot.Snapshot{Score: score}, "/p", nil},
		{unknown + "#" + capability + "/p", nil, snapshot.Snapshot{Score: score}, "/p", nil},
		{unknown[:63], list, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest", list, a1, "", nil},
		{"latest/x", list, a1, "/x", nil},
		{"latest", nil, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest", []snapshot.Snapshot{shared}, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest@b", list, b, "", nil},
		{"latest@b/etc/fstab", list, b, "/etc/fstab", nil},
		{"latest@d", list, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest@a:/srv", list, a0, "/srv", nil},
		{"latest@a:/srv/x", list, a1, "/srv/x", nil},
		{"latest@a:/srv/xy", list, a0, "/srv/xy", nil},
		{"latest@a:/srv/x/y/z", list, a1, "/srv/x/y/z", nil},
		{"latest@a:/srvx", list, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest@b:/any/thing", list, b, "/any/thing", nil},
		{"latest@b:/", list, b, "", nil},
		{"latest@a:/", list, snapshot.Snapshot{}, "", snapshot.ErrNoSnapshot},
		{"latest@:/srv", list, b, "/srv", nil},
		{"latest@:/srv/x", list, a1, "/srv/x", nil},
		{"latest@:/srv", list[3:], c, "/srv", nil},
	} {
		got, sub, err := snapshot.Find(tc.list, tc.name)
		if !errors.Is(err, tc.err) || got.Score != tc.want.Score || sub != tc.sub || got.Listed() != tc.want.Listed() {
			t.Errorf("Find(%q) = %s %s, %q, %v; want %s, %q, %v", tc.name, got.Score.Short(), got.Host, sub, err,
				tc.want.Score.Short(), tc.sub, tc.err)
		}
	}
	one, _, _ := snapshot.Find([]snapshot.Snapshot{a1, twin}, "latest")
	two, _, _ := snapshot.Find([]snapshot.Snapshot{twin, a1}, "latest")
	if one.Score != two.Score {
		t.Error("of two snapshots of one time, latest depends on the order of the list")
	}
}

func TestFindAmbiguous(t *testing.T) {
	var list []snapshot.Snapshot
	for day := range 15 {
		s := snap(day, "srv1", "/srv", "/b\xff", "/c", "/d")
		copy(s.Score[:], "same")
		list = append(list, s)
	}
	_, _, err := snapshot.Find(list[:2], "vac:73616d65")
	if !errors.Is(err, snapshot.ErrAmbiguous) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{list[0].Score.String(), list[1].Score.String(), "2026-01-02", "srv1", `"/b\xff"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if _, _, err = snapshot.Find(list, "73616d65"); !strings.Contains(err.Error(), "and 5 more") {
		t.Errorf("got %v", err)
	}
	if s, _, err := snapshot.Find([]snapshot.Snapshot{list[0], list[0]}, "73616d65"); err != nil || s.Score != list[0].Score {
		t.Errorf("one snapshot twice in the list: %v", err)
	}
}

func TestFindRefusesBadNames(t *testing.T) {
	_, _, err := snapshot.Find(nil, "0123")
	if err == nil || errors.Is(err, snapshot.ErrNoSnapshot) || errors.Is(err, snapshot.ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
}

func TestParent(t *testing.T) {
	a0, a1, b := snap(0, "a", "/srv", "/home"), snap(1, "a", "/home", "/srv"), snap(2, "b", "/home", "/srv")
	other, shared := snap(3, "a", "/srv"), snap(4, "a", "/home", "/srv")
	shared.Share = true
	list := []snapshot.Snapshot{shared, a0, other, a1, b}
	if p, ok := snapshot.Parent(list, "a", []string{"/srv", "/home"}); !ok || p.Score != a1.Score {
		t.Errorf("got %v %v", p, ok)
	}
	if p, ok := snapshot.Parent(list, "a", []string{"/etc"}); ok {
		t.Errorf("got %v", p)
	}
}

func ExampleFind() {
	older := snap(0, "srv1", "/srv")
	newer := snap(1, "srv2", "/srv")
	list := []snapshot.Snapshot{older, newer}

	s, sub, err := snapshot.Find(list, "latest@srv1:/srv/www")
	fmt.Println(s.Time.Format(time.DateOnly), s.Host, sub, err)
	// Output: 2026-01-01 srv1 /srv/www <nil>
}
