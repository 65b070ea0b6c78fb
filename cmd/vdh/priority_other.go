//go:build !linux

package main

import "golang.org/x/sys/unix"

// lowPriority lets everything else on the machine go first.
func lowPriority() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, 10) }
