package arena

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pwritev writes head and data at off with one system call, or more if the kernel takes less at a time. It returns
// how many bytes were written, also with an error.
func pwritev(f *os.File, head, data []byte, off int64) (int, error) {
	bufs := [][]byte{head, data}
	if len(data) == 0 {
		bufs = bufs[:1]
	}
	written := 0
	for len(bufs) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), bufs, off+int64(written))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return written, &os.PathError{Op: "write", Path: f.Name(), Err: err}
		}
		if n == 0 {
			return written, io.ErrShortWrite
		}
		written += n
		for len(bufs) > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if n > 0 {
			bufs[0] = bufs[0][n:]
		}
	}
	return written, nil
}

// fdatasync makes the data of f durable, and of its attributes what is needed to read it back.
func fdatasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
		return nil
	}
}

// startWriteback asks the kernel to begin writing a range to the disk and does not wait for it. It is a hint: it makes
// nothing durable, and an error shows up at the next sync.
func startWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// giveBack tells the kernel that n bytes of f from off on need not be kept in memory. It is a hint, which passes over what
// is not on the disk yet.
func giveBack(f *os.File, off, n int64) {
	if n > 0 { // 0 would mean all of the file
		_ = unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED)
	}
}
