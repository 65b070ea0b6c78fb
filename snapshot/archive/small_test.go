package archive_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// smallTree writes n files of 1 to 4 KiB in nested directories and returns the sum of their sizes.
func (b *bench) smallTree(n int) (bytes int64) {
	for i := range n {
		bytes += b.smallFile(i, 0)
	}
	return bytes
}

func (b *bench) smallFile(i, version int) int64 {
	r := rand.New(rand.NewPCG(uint64(i), uint64(version)))
	content := noise(r.Uint64(), 1024+r.IntN(3072))
	b.write(fmt.Sprintf("d%d/e%d/f%d", i%10, i/10%10, i), content)
	return int64(len(content))
}

// shared returns the shared blocks of the parent with how much of them it uses, from its records.
func (b *bench) shared() vac.Shares {
	b.Helper()
	out := vac.Shares{}
	err := b.parent.Blocks(b.Context(), func(u vac.Use, err error) (bool, error) {
		if u.Role == vac.RoleShared {
			s := out[u.Ref.Score]
			s.Used += uint64(u.Len)
			out[u.Ref.Score] = s
		}
		return true, err
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func TestSmallFilesShareBlocks(t *testing.T) {
	b := newBench(t)
	n := 5000
	bytes := b.smallTree(n)
	b.backup()
	if most := int(bytes>>20) + n/100; b.store.Len() > most { // directories included
		t.Errorf("%d files made %d blocks, more than %d", n, b.store.Len(), most)
	}
	// Listing reads no content.
	contents := b.shared()
	for score := range contents {
		b.store.Unavailable(score, true)
	}
	files := 0
	err := b.parent.WalkDir(t.Context(), b.parent.Top(), "", func(_ string, d *vac.Dir) error {
		if d.Type == vac.File {
			files++
		}
		return nil
	})
	if err != nil || files != n {
		t.Errorf("listed %d files: %v", files, err)
	}
	for score := range contents {
		b.store.Unavailable(score, false)
	}
	// One in a hundred changes, scattered.
	b.age()
	before := b.store.Bytes()
	changed := int64(0)
	for i := 0; i < n; i += 100 {
		changed += b.smallFile(i, 1)
	}
	res := b.backup()
	if grown := b.store.Bytes() - before; res.Changed != int64(n/100) || grown > 2*changed+1<<20 {
		t.Errorf("%d changed files of %d bytes added %d bytes", res.Changed, changed, grown)
	}
	// The table of shared blocks says what the records say.
	table, err := vac.ReadShares(t.Context(), b.src, b.parent.Root.Shared)
	if err != nil {
		t.Fatal(err)
	}
	for score, s := range b.shared() {
		if table[score].Used != s.Used || table[score].Size < s.Used {
			t.Errorf("block %s: the table says %+v, the records use %d", score.Short(), table[score], s.Used)
		}
	}
	if len(table) != len(b.shared()) {
		t.Errorf("the table has %d blocks, the records use %d", len(table), len(b.shared()))
	}
}

// A year of nights in which one file in a hundred changes: what the newest snapshot holds on to stays under twice its
// living bytes, and all that was ever written stays under twice the bytes that were ever new.
func TestYearOfNights(t *testing.T) {
	b := newBench(t)
	const files, nights = 1000, 365
	size := make([]int64, files)
	living := int64(0)
	for i := range files {
		size[i] = b.smallFile(i, 0)
		living += size[i]
	}
	b.backup()
	ever := living
	written := map[venti.Score]vac.Share{}
	r := rand.New(rand.NewPCG(3, 65))
	worst, rewrites := 0.0, 0
	for night := range nights {
		b.age()
		for range files / 100 {
			i := r.IntN(files)
			living -= size[i]
			size[i] = b.smallFile(i, night+1)
			living += size[i]
			ever += size[i]
		}
		res := b.backup()
		if res.Changed > files/100 {
			rewrites++
		}
		table, err := vac.ReadShares(t.Context(), b.src, b.parent.Root.Shared)
		if err != nil {
			t.Fatal(err)
		}
		held := int64(0)
		for score, s := range table {
			held += int64(s.Size)
			written[score] = s
		}
		worst = max(worst, float64(held)/float64(living))
	}
	total := int64(0)
	for _, s := range written {
		total += int64(s.Size)
	}
	t.Logf("held at worst %.2f × living; written %.2f × ever new; files were moved in %d nights; %d blocks in the last snapshot",
		worst, float64(total)/float64(ever), rewrites, len(b.shared()))
	if worst >= 2 {
		t.Errorf("a snapshot holds on to %.2f times its living bytes", worst)
	}
	if total >= 2*ever {
		t.Errorf("%d bytes were written for %d new ones", total, ever)
	}
	if rewrites == 0 {
		t.Error("no block was ever left behind: the test does not test")
	}
}

func TestLinksCountOnce(t *testing.T) {
	b := newBench(t)
	b.write("a", noise(1, 3000))
	if err := os.Link(b.path("a"), b.path("b")); err != nil {
		t.Fatal(err)
	}
	b.backup()
	x, err := b.parent.Lookup(t.Context(), b.path("a"))
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.parent.Lookup(t.Context(), b.path("b"))
	if err != nil {
		t.Fatal(err)
	}
	if !x.Linked() || x.Inode != y.Inode || x.Device != y.Device || x.Content.Slice != y.Content.Slice {
		t.Errorf("two names of one file: %+v and %+v", x, y)
	}
}

// TestLikeWithLike holds that contents whose names end alike lie together, in the order of the walk, and that they come
// back whole.
func TestLikeWithLike(t *testing.T) {
	b := newBench(t)
	endings := []string{".eml", ".conf", "", ".dat"}
	content := func(i int) []byte { return noise(uint64(i), 9000+i) }
	const n = 400 // 3.6 MB: one batch
	for i := range n {
		b.write(fmt.Sprintf("d%d/f%03d%s", i/40, i, endings[i%len(endings)]), content(i))
	}
	b.backup()
	type span struct{ from, to int64 }
	spans := map[string]map[venti.Score]span{}
	for i := range n {
		ending := endings[i%len(endings)]
		path := b.path(fmt.Sprintf("d%d/f%03d%s", i/40, i, ending))
		d, err := b.parent.Lookup(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.parent.Bytes(t.Context(), d)
		if err != nil || !bytes.Equal(got, content(i)) {
			t.Fatalf("%s does not come back: %v", path, err)
		}
		if spans[ending] == nil {
			spans[ending] = map[venti.Score]span{}
		}
		score, off := d.Content.Slice.Block.Score, int64(d.Content.Slice.Offset)
		s, ok := spans[ending][score]
		if ok && s.to != off {
			t.Errorf("%s lies at %d, and the one before it ends at %d", path, off, s.to)
		}
		if !ok {
			s.from = off
		}
		spans[ending][score] = span{s.from, off + d.Size}
	}
	for ending, blocks := range spans {
		if len(blocks) > 2 {
			t.Errorf("files that end in %q lie in %d blocks", ending, len(blocks))
		}
	}
}
