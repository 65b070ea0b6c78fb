package node_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
)

// TestPack makes a folder again of what its files say.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	f, err := node.Found(dir, &member.Manifest{Name: "test", MilliNines: 5000, Availability: 900_000}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SaveSeeds([]ma.Multiaddr{must(ma.NewMultiaddr("/ip4/192.0.2.1/tcp/1"))(t)}); err != nil {
		t.Fatal(err)
	}
	f = must(node.OpenFolder(dir))(t)
	again, err := node.Unpack(append(f.Pack(), node.File{Name: "../elsewhere", Content: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "new")
	if err := again.SaveIn(there); err != nil {
		t.Fatal(err)
	}
	for _, dirs := range [][2]string{{dir, there}, {there, dir}} {
		names, err := os.ReadDir(dirs[0])
		if err != nil || len(names) != 5 {
			t.Fatal(names, err)
		}
		for _, n := range names {
			a, err := os.ReadFile(filepath.Join(dirs[0], n.Name()))
			b, err2 := os.ReadFile(filepath.Join(dirs[1], n.Name()))
			if err != nil || err2 != nil || string(a) != string(b) {
				t.Errorf("%s: %q, %q, %v, %v", n.Name(), a, b, err, err2)
			}
		}
	}
	if err := again.SaveIn(there); err == nil {
		t.Error("a folder was replaced")
	}
	for i := range f.Pack() { // each is needed but the swarm's key, the manifest and the addresses
		files := f.Pack()
		name := files[i].Name
		_, err := node.Unpack(append(files[:i:i], files[i+1:]...))
		if needed := name == "key" || name == "chain"; needed != (err != nil) {
			t.Errorf("without %s: %v", name, err)
		}
		files = f.Pack()
		files[i].Content = files[i].Content[1:]
		if _, err := node.Unpack(files); err == nil {
			t.Errorf("%s lacks its first byte, and is taken", name)
		}
	}
}
