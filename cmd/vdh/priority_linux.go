package main

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	niceness = 10

	// The lowest priority of the usual class, as in linux/ioprio.h. The idle class below it would wait for ever on a disk
	// that is never idle.
	ioWhoProcess = 1
	ioLowest     = 2<<13 | 7
)

// lowPriority lets everything else on the machine go first. Linux keeps priorities by thread; a new thread has that of
// the one that made it, so this goes through the threads until there is no new one.
func lowPriority() (err error) {
	done := map[int]bool{}
	for again := true; again; {
		again = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], again = true, true
			if err := lowThread(id); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

func lowThread(id int) error {
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, id); err != nil || 20-now < niceness { // the call returns 20 less it
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, niceness); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioWhoProcess, uintptr(id), ioLowest); errno != 0 {
		return errno
	}
	return nil
}
