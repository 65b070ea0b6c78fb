package archive_test

import (
	"os"
	"path/filepath"
	"testing"

	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/restore"
)

// TestLearn brings a tree back on a machine that has no cache: with what is learnt of it, the next run stores no content
// anew, and without it does.
func TestLearn(t *testing.T) {
	b := newBench(t)
	bytes := b.smallTree(300)
	b.backup()
	out := t.TempDir()
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := restore.Run(t.Context(), b.parent, "", restore.Config{Target: out}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(out, b.dir), b.dir); err != nil {
		t.Fatal(err)
	}
	changed := b.path("d1/e1/f11")
	if err := os.WriteFile(changed, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.path("d2/e1/f12")); err != nil {
		t.Fatal(err)
	}
	added := map[bool]int64{}
	parent := b.parent
	for _, learn := range []bool{true, false} {
		var err error
		if b.known, err = archive.OpenKnown(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.known.Close)
		b.parent = parent
		if learn {
			if err := b.known.Learn(t.Context(), parent, "/"); err != nil {
				t.Error(err)
			}
		}
		added[learn] = b.backup().Added
	}
	t.Logf("added with %d bytes, without %d, of %d", added[true], added[false], bytes)
	if added[true] > bytes/5 || added[false] < bytes/2 {
		t.Errorf("added with %d bytes, without %d, of %d", added[true], added[false], bytes)
	}
}
