package restore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ventidhash/snapshot/restore"
	"ventidhash/snapshot/vac"
	"ventidhash/venti/disk"
	"ventidhash/venti/tree"
)

// BenchmarkRestore restores many small files, and a few large ones, from a store on the disk onto the disk. With
// VDH_RESTORE_DIR set, that directory too.
//
// Nothing is removed before the end, and on ext4 a second run should wait a minute: for that long the file system
// passes over inodes that were freed, one by one, and making a file takes ten times as long.
func BenchmarkRestore(b *testing.B) {
	b.Run("small", func(b *testing.B) { benchmark(b, manySmall(b, 50_000)) })
	b.Run("large", func(b *testing.B) { benchmark(b, fewLarge(b, 256)) })
	if dir := os.Getenv("VDH_RESTORE_DIR"); dir != "" {
		b.Run("dir", func(b *testing.B) { benchmark(b, dir) })
	}
}

func benchmark(b *testing.B, dir string) {
	store, err := disk.Open(context.Background(), disk.Config{Dir: filepath.Join(b.TempDir(), "store")})
	must(b, err)
	defer store.Close()
	built := keepIn(b, store, dir)
	must(b, store.Sync(context.Background()))
	b.SetBytes(int64(built.Root.Bytes))
	for i := 0; b.Loop(); i++ {
		src := tree.NewSource(store, newSealer(b), 16<<20)
		tr, err := vac.Open(context.Background(), src, built.Ref)
		must(b, err)
		target := filepath.Join(b.TempDir(), fmt.Sprint(i))
		run(b, tr, dir, restore.Config{Target: target})
	}
}

// manySmall makes n files of 1 to 4 KiB, a hundred to a directory.
func manySmall(b *testing.B, n int) string {
	dir := b.TempDir()
	for i := range n {
		write(b, filepath.Join(dir, fmt.Sprint(i/10000), fmt.Sprint(i/1000), fmt.Sprint(i/100), fmt.Sprint(i)),
			noise(uint64(i), 1024+i*37%3072))
	}
	return dir
}

// fewLarge makes n MiB in files of 32 MiB.
func fewLarge(b *testing.B, n int) string {
	dir := b.TempDir()
	for i := range n / 32 {
		write(b, filepath.Join(dir, fmt.Sprint(i)), noise(uint64(i), 32<<20))
	}
	return dir
}
