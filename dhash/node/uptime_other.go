//go:build !linux

package node

import "time"

func uptime(began time.Time) time.Duration { return time.Since(began) }
