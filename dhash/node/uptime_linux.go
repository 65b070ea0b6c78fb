package node

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime returns for how long the machine has run, sleep included, by a clock that nobody sets.
func uptime(began time.Time) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(began)
	}
	return time.Duration(t.Nano())
}
