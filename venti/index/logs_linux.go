package index

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// freeLogs gives the blocks of Badger's value logs back to the file system, once Badger has closed: all rows are in its
// tree then, and what was logged before is never read again. The files keep their lengths, by which the next one to open
// them knows that there is nothing to replay. It saves half of an index's space, and it is no loss if it fails.
func freeLogs(dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "*.vlog"))
	for _, name := range logs {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Size() > 0 {
			_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, info.Size())
		}
		_ = f.Close()
	}
}
