package mount

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
)

// A folder is a directory above the snapshots. It does not change once it is made: another list makes other folders.
type folder struct {
	path string // from the top, without a slash at either end
	kids map[string]kid
	last time.Time // of the newest snapshot below
}

// A kid is what a folder has under a name: another folder or a snapshot.
type kid struct {
	folder *folder
	snap   *snapshot.Snapshot
}

// name returns the key of what k is.
func (k kid) name() key {
	if k.folder != nil {
		return folderKey(k.folder.path)
	}
	return snapshotKey(k.snap.Score)
}

func newFolder(path string) *folder { return &folder{path: path, kids: map[string]kid{}} }

// names returns the names in the folder, sorted.
func (f *folder) names() []string { return slices.Sorted(maps.Keys(f.kids)) }

// child returns the folder called name in f, and makes it if need be.
func (f *folder) child(name string) *folder {
	if k, ok := f.kids[name]; ok {
		return k.folder
	}
	sub := newFolder(join(f.path, name))
	f.kids[name] = kid{folder: sub}
	return sub
}

// find returns the folder at path below f, or nil.
func (f *folder) find(path string) *folder {
	if path == "" {
		return f
	}
	for name := range strings.SplitSeq(path, "/") {
		if f = f.kids[name].folder; f == nil {
			return nil
		}
	}
	return f
}

// layout returns the folders of a list of snapshots, with dates as zone has them.
func layout(list []snapshot.Snapshot, zone *time.Location) *folder {
	list = slices.SortedFunc(slices.Values(list), snapshot.Compare)
	top := newFolder("")
	top.fill(list, zone)
	hosts := top.child("hosts")
	byHost := map[string][]snapshot.Snapshot{}
	for _, s := range list {
		byHost[s.Host] = append(byHost[s.Host], s)
	}
	for host, list := range byHost {
		h := hosts.child(hostName(host))
		h.fill(list, zone)
		hosts.last = later(hosts.last, h.last)
	}
	return top
}

// fill puts latest, ids and dates of the list, which is sorted, into f.
func (f *folder) fill(list []snapshot.Snapshot, zone *time.Location) {
	ids, dates := f.child("ids"), f.child("dates")
	for i := range list {
		s := &list[i]
		ids.kids[s.Score.String()] = kid{snap: s}
		if !s.Share {
			f.kids["latest"] = kid{snap: s}
		}
		at := s.Time.In(zone)
		day := dates
		for _, part := range []string{"2006", "01", "02"} {
			day = day.child(at.Format(part))
			day.last = later(day.last, s.Time)
		}
		day.kids[freeName(day, at.Format("1504"))] = kid{snap: s}
		f.last = later(f.last, s.Time)
	}
	ids.last, dates.last = f.last, f.last
}

// freeName returns name, or the first of name.1, name.2, … that f does not have. As snapshots come in order of time, the
// names of those that are there stay as they are.
func freeName(f *folder, name string) string {
	free := name
	for i := 1; ; i++ {
		if _, taken := f.kids[free]; !taken {
			return free
		}
		free = fmt.Sprintf("%s.%d", name, i)
	}
}

// hostName writes the name of a host as one of a folder. What cannot be in one, and the per cent sign, becomes a per cent
// sign and two digits, and so do the dots of . and ..; a host without a name is a per cent sign.
func hostName(host string) string {
	if host == "" {
		return "%"
	}
	dots := host == "." || host == ".."
	var b strings.Builder
	for _, c := range []byte(host) {
		if c == '/' || c == 0 || c == '%' || dots {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()[:min(b.Len(), maxName)]
}

// join returns the path of what is called name in the folder at path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
