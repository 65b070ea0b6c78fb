package mount

import (
	"sync"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// The number by which the kernel knows a file is the serial number of a directory and a slot in it: selfSlot is the
// directory itself, firstSlot and what follows its entries in order. The top directory has the serial number 0, so that
// its number is the 1 that the protocol wants.
const (
	slotBits  = 28
	selfSlot  = 1
	firstSlot = 2
	maxSlots  = 1 << slotBits
)

func split(id uint64) (serial, slot uint64) { return id >> slotBits, id & (maxSlots - 1) }

// A directory is one that the kernel knows, or has known when one in it was met.
type directory struct {
	serial uint64
	up     *directory // nil at the top
	name   key
	at     place

	path string   // of a folder
	of   *volume  // nil for a folder
	self *vac.Dir // nil for a folder, and for the top of a snapshot
	kept *listing // under lists.mu
	refs uint64   // under table.mu: how many times the kernel was given it or a file in it
}

// isFolder reports whether d lies above the snapshots.
func (d *directory) isFolder() bool { return d.of == nil }

func (d *directory) id() uint64          { return d.serial<<slotBits | selfSlot }
func (d *directory) fileID(i int) uint64 { return d.serial<<slotBits | uint64(firstSlot+i) }

// where returns the path of d in the mount, for people.
func (d *directory) where() string {
	switch {
	case d.up == nil:
		return ""
	case d.isFolder() || d.self == nil:
		return "/" + d.path
	}
	return d.up.where() + "/" + d.self.Name
}

// A place is where a directory stands, for finding the one that the kernel knows already: in a folder by its path, and
// by the snapshot if it is one; else by the directory above it and the index there.
type place struct {
	path  string
	score venti.Score
	up    uint64 // serial; 0 is a mounted directory's or a folder's
	index int
}

// A table holds the directories that the kernel knows.
type table struct {
	mu     sync.Mutex // protects the following
	next   uint64
	dirs   map[uint64]*directory // by serial
	places map[place]*directory
}

func newTable(top *directory) *table {
	return &table{next: 1, dirs: map[uint64]*directory{0: top}, places: map[place]*directory{}}
}

// find returns the directory with the given serial number, or nil.
func (t *table) find(serial uint64) *directory {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dirs[serial]
}

// meet counts that the kernel is given the directory that stands at d.at, which is d if the kernel does not know it
// yet.
func (t *table) meet(d *directory) *directory {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.places[d.at]
	if !ok {
		d.serial = t.next
		t.next++
		t.dirs[d.serial], t.places[d.at] = d, d
		known = d
	}
	known.refs++
	return known
}

// hold counts that the kernel is given a file in d.
func (t *table) hold(d *directory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.refs++
}

// forget counts that the kernel has dropped a number n times, and returns the directory if it is gone with that.
func (t *table) forget(serial, n uint64) *directory {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.dirs[serial]
	if d == nil {
		return nil
	}
	d.refs -= min(n, d.refs)
	if d.refs > 0 || d.up == nil {
		return nil
	}
	delete(t.dirs, serial)
	delete(t.places, d.at)
	return d
}
