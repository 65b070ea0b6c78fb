package index

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// Bytes returns what the index takes of the disk, as far as that can be had. The lengths of its files are no measure:
// Badger makes its logs long before they are, and Close gives what is in them back.
func (x *Index) Bytes() (n int64) {
	_ = filepath.WalkDir(x.cfg.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			} else {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
