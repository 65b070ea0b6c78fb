package snapshot

import "time"

// A Machine is what an owner's catalog keeps of a machine so that it can be set up again: small named files, opaque to the
// catalog.
type Machine struct {
	Host  string    // its name, as in Snapshot; it tells machines apart
	Time  time.Time // when the files were taken down; UTC, seconds
	Files []File    // sorted by name; no name twice
}

// A File is a small file of a Machine.
type File struct {
	Name    string // any bytes
	Content []byte
}

// Bounds of what a catalog keeps of machines.
const (
	MaxMachines    = 64
	MaxFiles       = 16       // of a machine
	MaxFileContent = 64 << 10 // bytes
)
