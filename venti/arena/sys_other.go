//go:build !linux

package arena

import "os"

func pwritev(f *os.File, head, data []byte, off int64) (int, error) {
	n, err := f.WriteAt(head, off)
	if err != nil {
		return n, err
	}
	m, err := f.WriteAt(data, off+int64(n))
	return n + m, err
}

func fdatasync(f *os.File) error { return f.Sync() }

func startWriteback(*os.File, int64, int64) {}

func giveBack(*os.File, int64, int64) {}
