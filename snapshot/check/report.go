package check

import (
	"bytes"
	"slices"

	"ventidhash/venti"
)

// A Report is what Run found.
type Report struct {
	Snapshots int      // how many were looked at
	Files     uint64   // how many files they have together, as their roots say
	Blocks    int64    // how many different blocks they need
	Bytes     int64    // with ReadData: plaintext bytes of contents that were read and verified
	Damaged   []Damage // sorted by score

	complete bool // Run came to its end
	read     map[venti.Score]print
	reads    func(venti.Score) bool // of contents
}

// OK reports that all that there is was looked at and nothing is damaged.
func (r *Report) OK() bool { return r.complete && len(r.Damaged) == 0 }

// HasRead reports whether Run has read the block from the store and found it whole. Without Config.ReadData it says so
// of none, and with Config.Only of none but those.
func (r *Report) HasRead(s venti.Score) bool {
	_, read := r.read[s]
	_, damaged := slices.BinarySearchFunc(r.Damaged, s, func(d Damage, s venti.Score) int { return bytes.Compare(d.Score[:], s[:]) })
	return read && !damaged && r.reads(s)
}

// A Damage is one block that is not as the snapshots need it.
type Damage struct {
	// Score is zero where no block can be blamed: a nested directory whose bytes are authentic and make no sense.
	Score venti.Score

	// Err wraps venti.ErrNotFound, venti.ErrUnavailable or venti.ErrCorrupt.
	Err error

	// Touched is what needs the block, in the order of the walk. It is empty if the block could be read after all when
	// the second pass tried it again.
	Touched []Touch
}

// A Part says what part of a snapshot is touched.
type Part string

const (
	Root      Part = "snapshot"  // the root block: nothing of the snapshot can be read
	Table     Part = "table"     // the table of shared blocks: all files can be read, a later run cannot build on it
	Directory Part = "directory" // the directory cannot be listed as a whole, nor what is below the missing part
	File      Part = "file"      // a file's content
	Catalog   Part = "catalog"   // the list of the snapshots
)

// A Block is one that has to be there, and one place that it is needed for, of perhaps many.
type Block struct {
	Score venti.Score
	Part  Part
	Path  string // of the file or directory; "" is the top, and what is no part of either
	Walk  bool   // Run fetches it as well, since the walk goes through it
}

// A Touch is one part of one or more snapshots that damage makes unreadable.
type Touch struct {
	Part      Part
	Path      string // of the file or directory; "/" is the top
	Off, Len  int64  // of a file: which bytes
	Snapshots []int  // indexes into the snapshots given to Run
}

// Progress is how far Run has come.
type Progress struct {
	Snapshots int   // walked
	Blocks    int64 // different blocks met so far
	Bytes     int64 // plaintext bytes of contents that were read and verified
	Damaged   int   // blocks
	Naming    bool  // the second pass is under way; Snapshots counts anew
}
