package layout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/layout"
	"ventidhash/venti"
)

// paths returns the paths to all snapshots, each with the first byte of its score.
func paths(f *layout.Folder, prefix string) (out []string) {
	for _, name := range f.Names() {
		k := f.Kids[name]
		if k.Folder != nil {
			out = append(out, paths(k.Folder, prefix+name+"/")...)
			continue
		}
		out = append(out, fmt.Sprint(prefix, name, "=", k.Snapshot.Score[0]))
	}
	return out
}

func snap(score byte, host string, at time.Time) snapshot.Snapshot {
	return snapshot.Snapshot{Score: venti.Score{score}, Host: host, Time: at}
}

// TestNew compares the folders of a few snapshots with those written down.
func TestNew(t *testing.T) {
	at := time.Date(2026, 3, 29, 23, 30, 10, 0, time.UTC)
	share := snap(4, "a", at.Add(time.Hour))
	share.Share = true
	list := []snapshot.Snapshot{share, snap(2, "a", at.Add(20*time.Second)), snap(1, "a", at), snap(3, "b", at.Add(30*time.Second))}
	id := func(n byte) string { return venti.Score{n}.String() }
	want := []string{
		"dates/2026/03/30/0130=1", "dates/2026/03/30/0130.1=2", "dates/2026/03/30/0130.2=3", "dates/2026/03/30/0230=4",
		"hosts/a/dates/2026/03/30/0130=1", "hosts/a/dates/2026/03/30/0130.1=2", "hosts/a/dates/2026/03/30/0230=4",
		"hosts/a/ids/" + id(1) + "=1", "hosts/a/ids/" + id(2) + "=2", "hosts/a/ids/" + id(4) + "=4", "hosts/a/latest=2",
		"hosts/b/dates/2026/03/30/0130=3", "hosts/b/ids/" + id(3) + "=3", "hosts/b/latest=3",
		"ids/" + id(1) + "=1", "ids/" + id(2) + "=2", "ids/" + id(3) + "=3", "ids/" + id(4) + "=4", "latest=3",
	}
	top := layout.New(list, time.FixedZone("", 2*3600))
	if got := paths(top, ""); !slices.Equal(got, want) {
		t.Errorf("%s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if f := top.Kids["hosts"].Folder.Kids["b"].Folder; f.Path != "hosts/b" || !f.Last.Equal(at.Add(30*time.Second)) {
		t.Errorf("%s, %v", f.Path, f.Last)
	}
	if f := top.Find("dates/2026/03"); f == nil || f.Path != "dates/2026/03" || top.Find("") != top {
		t.Errorf("found %+v", f)
	}
	for _, path := range []string{"dates/1999", "latest", "ids/" + id(1), "x/y", "/"} {
		if top.Find(path) != nil {
			t.Errorf("%s is a folder", path)
		}
	}
	if got := paths(layout.New(nil, time.UTC), ""); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestStays holds that a snapshot keeps its name when newer ones come, which a reader of a tree counts on.
func TestStays(t *testing.T) {
	var list []snapshot.Snapshot
	names := map[string]bool{}
	for n := range byte(30) {
		list = append(list, snap(n+1, "h", time.Unix(int64(n)*17, 0)))
		now := map[string]bool{}
		for _, p := range paths(layout.New(list, time.UTC).Kids["dates"].Folder, "") {
			now[p] = true
		}
		for p := range names {
			if !now[p] {
				t.Fatalf("with %d snapshots %s is gone", n+1, p)
			}
		}
		names = now
	}
}

// TestHosts holds that the name of every host is that of a folder, and of another one than that of any other host.
func TestHosts(t *testing.T) {
	hosts := []string{"", "%", ".", "..", "...", "a/b", "a%2Fb", "a\x00b", "%2E", "x\xff", strings.Repeat("%", 200),
		strings.Repeat("%", 201)}
	var list []snapshot.Snapshot
	for i, h := range hosts {
		list = append(list, snap(byte(i+1), h, time.Unix(int64(i), 0)))
	}
	names := layout.New(list, time.UTC).Kids["hosts"].Folder.Names()
	if len(names) != len(hosts) {
		t.Errorf("%q", names)
	}
	for _, n := range names {
		if n == "" || n == "." || n == ".." || strings.ContainsAny(n, "/\x00") || len(n) > 255 {
			t.Errorf("%q", n)
		}
	}
}
