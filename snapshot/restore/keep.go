package restore

import (
	"crypto/rand"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"ventidhash/snapshot/vac"
)

// keeps reports whether what is in the place of d may stay, by Config.Overwrite and its status.
func (r *run) keeps(f *folder, d *vac.Dir, st status) bool {
	switch r.cfg.Overwrite {
	case Never:
		return true
	case IfChanged:
		return r.unchanged(f, d, st)
	}
	return false
}

// unchanged reports whether what is in the place of d looks like d.
func (r *run) unchanged(f *folder, d *vac.Dir, st status) bool {
	if st.typ != d.Type {
		return false
	}
	switch d.Type {
	case vac.File:
		return st.size == d.Size && st.mtime == d.ModTime
	case vac.Symlink:
		target, err := place{dir: f.fd, name: d.Name, fd: -1}.readLink(st.size)
		return err == nil && target == d.Target
	case vac.CharDevice, vac.BlockDevice:
		return st.rdev == device(d.Major, d.Minor)
	}
	return true
}

// temps makes names for files that are not complete.
type temps struct {
	prefix string
	count  atomic.Uint64
}

// begin draws a prefix of 64 random bits, so that names of this run meet no other name.
func (t *temps) begin() {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	t.prefix = ".vdh-" + hex.EncodeToString(b[:]) + "-"
}

func (t *temps) name() string { return t.prefix + strconv.FormatUint(t.count.Add(1), 36) }

// leftOut remembers the paths that were not written, so that the verification passes over them. It keeps 64 bits of
// each.
type leftOut struct {
	seed  maphash.Seed
	mu    sync.Mutex
	paths map[uint64]struct{} // nil if nobody will ask
}

func (l *leftOut) begin() { l.seed, l.paths = maphash.MakeSeed(), map[uint64]struct{}{} }

func (l *leftOut) add(f *folder, name string) {
	if l.paths == nil {
		return
	}
	l.mu.Lock()
	l.paths[maphash.String(l.seed, f.path(name))] = struct{}{}
	l.mu.Unlock()
}

func (l *leftOut) has(f *folder, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.paths[maphash.String(l.seed, f.path(name))]
	return ok
}

// sortByDepth puts the deepest folders first.
func sortByDepth(late []lateMode) {
	slices.SortFunc(late, func(a, b lateMode) int { return b.folder.depth - a.folder.depth })
}
