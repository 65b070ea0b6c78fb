package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// flock locks f. With LOCK_NB, unix.EWOULDBLOCK says that somebody else has the lock.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// tryLock opens path, makes it if it is missing, and locks it without waiting. It returns nil if somebody else has it.
func tryLock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = flock(f, how|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// isReadOnly reports whether err says that a folder cannot be written to.
func isReadOnly(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission)
}

// lockState is the content of the lock file. While the store has an owner it names that process; when the owner is done
// and has written all, it says so.
//
// If it does not say so, the owner died, and with it may have gone the note that some block was taken out of the trash
// for a session that still lives. So from then on trash counts as no older than the sessions that had begun by then:
// floor, which the lock file keeps.
type lockState struct {
	clean bool
	pid   int
	floor uint64
}

const (
	lockClean = "clean floor %d\n"
	lockHeld  = "pid %d floor %d\n"
)

func readLockState(f *os.File) (lockState, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 100))
	if err != nil {
		return lockState{}, err
	}
	text := string(b)
	var st lockState
	if text == "" { // a new store
		return lockState{clean: true}, nil
	}
	if _, err := fmt.Sscanf(text, lockClean, &st.floor); err == nil {
		st.clean = true
		return st, nil
	}
	if _, err := fmt.Sscanf(text, lockHeld, &st.pid, &st.floor); err == nil {
		return st, nil
	}
	return lockState{}, nil // damaged: says nothing
}

func writeLockState(f *os.File, st lockState) error {
	text := fmt.Sprintf(lockHeld, st.pid, st.floor)
	if st.clean {
		text = fmt.Sprintf(lockClean, st.floor)
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

// holder returns the pid in the lock file, or 0.
func holder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	st, err := readLockState(f)
	if err != nil {
		return 0
	}
	return st.pid
}
