// Package layout arranges snapshots in folders, as Plan 9's dump does:
//
//	latest/                     the newest snapshot that is no share
//	ids/SCORE/                  every snapshot by its score
//	dates/YYYY/MM/DD/hhmm/      and by the time when its walk began; a second one of the same minute is hhmm.1
//	hosts/HOST/                 latest, ids and dates of one machine
//
// It does no I/O. Whoever shows snapshots as a tree, by FUSE or over HTTP, shows the same one.
package layout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
)

// maxName is how long the name of a host's folder may be, in bytes: a file system's 255, less what freeName adds.
const maxName = 240

// A Folder is a directory above the snapshots. It does not change once it is made: another list makes other folders, so it
// may be read by many goroutines.
type Folder struct {
	Path string // from the top, without a slash at either end
	Kids map[string]Kid
	Last time.Time // of the newest snapshot below
}

// A Kid is what a folder has under a name: another folder or a snapshot, the other being nil.
type Kid struct {
	Folder   *Folder
	Snapshot *snapshot.Snapshot
}

// New returns the folders of a list of snapshots, with dates as zone has them.
func New(list []snapshot.Snapshot, zone *time.Location) *Folder {
	list = slices.SortedFunc(slices.Values(list), snapshot.Compare)
	top := newFolder("")
	top.fill(list, zone)
	hosts := top.child("hosts")
	byHost := map[string][]snapshot.Snapshot{}
	for _, s := range list {
		byHost[s.Host] = append(byHost[s.Host], s)
	}
	for _, host := range slices.Sorted(maps.Keys(byHost)) {
		h := hosts.child(freeName(hosts, hostName(host)))
		h.fill(byHost[host], zone)
		hosts.Last = later(hosts.Last, h.Last)
	}
	return top
}

// Names returns the names in the folder, sorted.
func (f *Folder) Names() []string { return slices.Sorted(maps.Keys(f.Kids)) }

// Find returns the folder at path below f, f itself if path is empty, or nil if there is none.
func (f *Folder) Find(path string) *Folder {
	if path == "" {
		return f
	}
	for name := range strings.SplitSeq(path, "/") {
		if f = f.Kids[name].Folder; f == nil {
			return nil
		}
	}
	return f
}

func newFolder(path string) *Folder { return &Folder{Path: path, Kids: map[string]Kid{}} }

// child returns the folder called name in f, and makes it if need be.
func (f *Folder) child(name string) *Folder {
	if k, ok := f.Kids[name]; ok {
		return k.Folder
	}
	path := name
	if f.Path != "" {
		path = f.Path + "/" + name
	}
	sub := newFolder(path)
	f.Kids[name] = Kid{Folder: sub}
	return sub
}

// fill puts latest, ids and dates of the list, which is sorted, into f.
func (f *Folder) fill(list []snapshot.Snapshot, zone *time.Location) {
	ids, dates := f.child("ids"), f.child("dates")
	for i := range list {
		s := &list[i]
		ids.Kids[s.Score.String()] = Kid{Snapshot: s}
		if !s.Share {
			f.Kids["latest"] = Kid{Snapshot: s}
		}
		at := s.Time.In(zone)
		day := dates
		for _, part := range []string{"2006", "01", "02"} {
			day = day.child(at.Format(part))
			day.Last = later(day.Last, s.Time)
		}
		day.Kids[freeName(day, at.Format("1504"))] = Kid{Snapshot: s}
		f.Last = later(f.Last, s.Time)
	}
	ids.Last, dates.Last = f.Last, f.Last
}

// freeName returns name, or the first of name.1, name.2, … that f does not have. As snapshots come in order of time, the
// names of those that are there stay as they are.
func freeName(f *Folder, name string) string {
	free := name
	for i := 1; ; i++ {
		if _, taken := f.Kids[free]; !taken {
			return free
		}
		free = fmt.Sprintf("%s.%d", name, i)
	}
}

// hostName writes the name of a host as one of a folder. What cannot be in one, and the per cent sign, becomes a per cent
// sign and two digits, and so do the dots of . and ..; a host without a name is a per cent sign. A long name is cut off.
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
