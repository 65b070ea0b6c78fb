package main

import (
	"fmt"
	"time"

	"ventidhash/snapshot/vac"
)

// entryLine is the JSON line of a file in a snapshot.
type entryLine struct {
	Type     string    `json:"type"` // "entry"
	Snapshot string    `json:"snapshot"`
	Path     rawName   `json:"path"`
	Kind     string    `json:"kind"`
	Mode     string    `json:"mode"` // octal
	UID      uint32    `json:"uid"`
	GID      uint32    `json:"gid"`
	User     rawName   `json:"user,omitempty"`
	Group    rawName   `json:"group,omitempty"`
	Size     int64     `json:"size"`
	Time     time.Time `json:"mtime"`
	Inode    uint64    `json:"inode"`
	Links    uint32    `json:"links"`
	Target   rawName   `json:"target,omitempty"`
	Major    uint32    `json:"major,omitempty"`
	Minor    uint32    `json:"minor,omitempty"`
	Xattrs   []rawName `json:"xattrs,omitempty"`
}

// A lister prints entries of a snapshot in one way.
type lister struct {
	*app
	of    *vac.Tree
	long  bool
	whole bool // paths, not names; name says where they begin
	name  string
}

// kinds are the types of files by the letter that find and ls have for them.
var kinds = map[vac.Type]struct {
	letter byte
	name   string
}{
	vac.File: {'f', "file"}, vac.Directory: {'d', "directory"}, vac.Symlink: {'l', "symlink"}, vac.Fifo: {'p', "fifo"},
	vac.CharDevice: {'c', "char device"}, vac.BlockDevice: {'b', "block device"}, vac.Socket: {'s', "socket"},
}

// entry prints the entry d, which is at path.
func (l lister) entry(path string, d *vac.Dir) error {
	if l.json {
		e := entryLine{Type: "entry", Snapshot: scoreText(l.of.Ref.Score), Path: rawName(path), Kind: kinds[d.Type].name,
			Mode: fmt.Sprintf("%04o", d.Mode), UID: d.UID, GID: d.GID, User: rawName(d.User), Group: rawName(d.Group),
			Size: d.Size, Time: d.ModTime.Time(), Inode: d.Inode, Links: d.Links, Target: rawName(d.Target),
			Major: d.Major, Minor: d.Minor}
		for _, x := range d.Xattrs {
			e.Xattrs = append(e.Xattrs, rawName(x.Name))
		}
		return l.print(e)
	}
	shown := printable(d.Name)
	if l.whole {
		shown = printable(l.name + path)
	}
	if l.long {
		shown = longLine(d, shown)
	}
	_, err := fmt.Fprintln(l.out, shown)
	return err
}

// longLine writes an entry as ls -l does. Owners are names where the snapshot has them.
func longLine(d *vac.Dir, shown string) string {
	if d.Type == vac.Symlink {
		shown += " -> " + printable(d.Target)
	}
	what := fmt.Sprint(d.Size)
	if d.Type == vac.CharDevice || d.Type == vac.BlockDevice {
		what = fmt.Sprintf("%d, %d", d.Major, d.Minor)
	}
	return fmt.Sprintf("%s %-8s %-8s %12s %s %s", modeText(d), owner(d.User, d.UID), owner(d.Group, d.GID), what,
		localTime(d.ModTime.Time()), shown)
}

func owner(name string, id uint32) string {
	if name == "" {
		return fmt.Sprint(id)
	}
	return printable(name)
}

// modeText writes type and permissions in the ten letters of ls.
func modeText(d *vac.Dir) string {
	b := []byte("-rwxrwxrwx")
	if d.Type != vac.File {
		b[0] = kinds[d.Type].letter
	}
	for i := range 9 {
		if d.Mode&(0o400>>i) == 0 {
			b[1+i] = '-'
		}
	}
	for i, special := range []byte("sst") {
		if d.Mode&(0o4000>>i) == 0 {
			continue
		}
		if at := 3 * (i + 1); b[at] == 'x' {
			b[at] = special
		} else {
			b[at] = special - 'a' + 'A'
		}
	}
	return string(b)
}
