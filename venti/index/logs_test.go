package index_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// TestLogsFreed closes an index and opens it again, a few times: what was set is there, also what the arenas do not know,
// and next to nothing is on the disk twice.
func TestLogsFreed(t *testing.T) {
	dir := t.TempDir()
	a, err := arena.Open(arena.Config{Dir: filepath.Join(dir, "arenas")})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	const rounds, each = 5, 3000
	key := func(i int) []byte { return fmt.Appendf(nil, "%08d", i*2654435761%100_000_000) }
	freed := int64(0)
	for round := range rounds + 1 {
		x, err := index.Open(t.Context(), index.Config{Dir: filepath.Join(dir, "index"), Store: "test", Arena: a, Key: keyOf, Row: rowOf})
		if err != nil {
			t.Fatal(err)
		}
		if n := x.Bytes(); runtime.GOOS == "linux" && round > 0 && n > lengths(t, filepath.Join(dir, "index"))-freed/2 {
			t.Errorf("round %d: the index is said to take %d bytes, what was freed included", round, n)
		}
		for i := range round * each {
			if r, ok, err := x.Find(t.Context(), key(i)); err != nil || !ok || r.Flags != 7 {
				t.Fatalf("round %d, row %d: %+v %v %v", round, i, r, ok, err)
			}
		}
		for i := round * each; i < (round+1)*each && round < rounds; i++ {
			loc, err := x.Append(kindThing, key(i), []byte("data"), key(i), index.Row{Flags: kindThing})
			if err != nil {
				t.Fatal(err)
			}
			x.Set(key(i), index.Row{Loc: loc, Flags: 7}) // not in the arenas
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		logs, err := filepath.Glob(filepath.Join(dir, "index", "*.vlog"))
		if err != nil || len(logs) == 0 {
			t.Fatalf("value logs: %v %v", logs, err)
		}
		freed = 0
		for _, name := range logs {
			var st syscall.Stat_t
			if err := syscall.Stat(name, &st); err != nil {
				t.Fatal(err)
			}
			freed += st.Size - st.Blocks*512
			if runtime.GOOS == "linux" && st.Blocks*512 > 16<<10 {
				t.Errorf("round %d: %d bytes of %s are still on the disk", round, st.Blocks*512, name)
			}
		}
	}
}

// lengths adds up the lengths of the files in a folder.
func lengths(t *testing.T, dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}
