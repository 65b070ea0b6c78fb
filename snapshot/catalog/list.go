package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// forgetAfter is for how long a list says that a snapshot was forgotten. A list elsewhere that is older, and comes to light
// later, brings the snapshot back.
const forgetAfter = 2 * 365 * 24 * time.Hour

// A List is what a catalog says: which snapshots there are, which were forgotten, and what the owner's machines are set up
// like. Everything in it has the stamp with which it was put there: the sequence of the head that was written then, which
// is higher than any that the writer had seen (Lamport's clock). So of two lists each can be taken over into the other.
//
// The slices are in the order that Encode writes; no score, and no host, is there twice.
type List struct {
	Machines  []Setup     // by host
	Forgotten []Forgotten // by time, then by score
	Snapshots []Listed    // by time, then by score
	Former    []Former    // by stamp, then by entropy
}

// A Setup is a machine on a List.
type Setup struct {
	Stamp uint64 // 1 and up
	snapshot.Machine
}

// A Forgotten says that a snapshot was taken off the list.
type Forgotten struct {
	Stamp uint64      // 1 and up
	Score venti.Score // of the snapshot
	Time  time.Time   // when it was forgotten; UTC, seconds
}

// A Listed is a snapshot on a List.
type Listed struct {
	Stamp uint64 // 1 and up
	snapshot.Snapshot
}

// A word is what a list says about one score or host: the record, and the stamp by which one word is held against another.
type word struct {
	stamp  uint64
	record []byte // as it is encoded, its kind first
}

// over orders what lists say about the same: the higher stamp is meant. Of the same stamp a snapshot comes before the word
// that it was forgotten; what else may differ is decided by the bytes, so that everybody decides alike.
func (w word) over(other word) bool {
	if w.stamp != other.stamp {
		return w.stamp > other.stamp
	}
	return bytes.Compare(w.record, other.record) > 0 // kindSnapshot is over kindForgotten
}

// Merge returns what several lists say together: of each snapshot and machine, the word with the highest stamp. The order
// of the lists does not matter, nor that one is given twice or was merged into another before. Of more than
// snapshot.MaxMachines machines those with the highest stamps are kept.
func Merge(lists ...List) List {
	var out List
	said := map[venti.Score]word{}
	hosts := map[string]word{}
	for _, l := range lists {
		for i := range l.Forgotten {
			f := &l.Forgotten[i]
			hear(said, f.Score, word{f.Stamp, appendForgotten(nil, f)})
		}
		for i := range l.Snapshots {
			s := &l.Snapshots[i]
			hear(said, s.Score, word{s.Stamp, appendListed(nil, s)})
		}
		for i := range l.Machines {
			m := &l.Machines[i]
			hear(hosts, m.Host, word{m.Stamp, appendSetup(nil, m)})
		}
	}
	for _, l := range lists {
		for _, f := range l.Forgotten {
			if last(said, f.Score, word{f.Stamp, appendForgotten(nil, &f)}) {
				out.Forgotten = append(out.Forgotten, f)
			}
		}
		for _, s := range l.Snapshots {
			if last(said, s.Score, word{s.Stamp, appendListed(nil, &s)}) {
				out.Snapshots = append(out.Snapshots, s)
			}
		}
		for _, m := range l.Machines {
			if last(hosts, m.Host, word{m.Stamp, appendSetup(nil, &m)}) {
				out.Machines = append(out.Machines, m)
			}
		}
	}
	out.Former = mergeFormer(lists)
	out.sort()
	out.boundMachines()
	return out
}

// hear notes a word about key unless a weightier one is noted.
func hear[K comparable](said map[K]word, key K, w word) {
	if old, ok := said[key]; !ok || w.over(old) {
		said[key] = w
	}
}

// last reports whether w is the word about key, and takes it away, so that it is taken over once.
func last[K comparable](said map[K]word, key K, w word) bool {
	now, ok := said[key]
	if !ok || now.stamp != w.stamp || !bytes.Equal(now.record, w.record) {
		return false
	}
	delete(said, key)
	return true
}

// sort puts l into its order.
func (l *List) sort() {
	slices.SortFunc(l.Machines, func(a, b Setup) int { return cmp.Compare(a.Host, b.Host) })
	slices.SortFunc(l.Forgotten, compareForgotten)
	slices.SortFunc(l.Snapshots, func(a, b Listed) int { return snapshot.Compare(a.Snapshot, b.Snapshot) })
	slices.SortFunc(l.Former, compareFormer)
}

func compareForgotten(a, b Forgotten) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return bytes.Compare(a.Score[:], b.Score[:])
}

// boundMachines keeps the machines that were put on the list last. A machine that is cut off here is cut off of any list
// that this one is merged into as well, for the others are there too.
func (l *List) boundMachines() {
	if len(l.Machines) <= snapshot.MaxMachines {
		return
	}
	byStamp := slices.SortedFunc(slices.Values(l.Machines), func(a, b Setup) int {
		return cmp.Or(cmp.Compare(b.Stamp, a.Stamp), cmp.Compare(a.Host, b.Host))
	})
	l.Machines = byStamp[:snapshot.MaxMachines]
	l.sort()
}

// expire drops what was forgotten so long ago that it need not be said any more.
func (l *List) expire(now time.Time) {
	old := now.Add(-forgetAfter)
	l.Forgotten = slices.DeleteFunc(l.Forgotten, func(f Forgotten) bool { return f.Time.Before(old) })
}

// stamp returns the highest stamp in l, 0 if it is empty.
func (l *List) stamp() (high uint64) {
	for i := range l.Machines {
		high = max(high, l.Machines[i].Stamp)
	}
	for i := range l.Forgotten {
		high = max(high, l.Forgotten[i].Stamp)
	}
	for i := range l.Snapshots {
		high = max(high, l.Snapshots[i].Stamp)
	}
	for i := range l.Former {
		high = max(high, l.Former[i].Stamp)
	}
	return high
}

// clone returns a copy of l that shares no slice with it but those inside of snapshots and machines.
func (l *List) clone() List {
	return List{slices.Clone(l.Machines), slices.Clone(l.Forgotten), slices.Clone(l.Snapshots), slices.Clone(l.Former)}
}

// snapshots returns the snapshots alone.
func (l *List) snapshots() []snapshot.Snapshot {
	out := make([]snapshot.Snapshot, len(l.Snapshots))
	for i := range l.Snapshots {
		out[i] = l.Snapshots[i].Snapshot
	}
	return out
}

// scores returns those of the snapshots.
func (l *List) scores() map[venti.Score]bool {
	out := make(map[venti.Score]bool, len(l.Snapshots))
	for i := range l.Snapshots {
		out[l.Snapshots[i].Score] = true
	}
	return out
}

// replace makes want the snapshots of l: what differs from what was there gets the stamp, what is missing is forgotten.
func (l *List) replace(want []snapshot.Snapshot, stamp uint64, now time.Time) error {
	before := make(map[venti.Score]Listed, len(l.Snapshots))
	for _, s := range l.Snapshots {
		before[s.Score] = s
	}
	l.Snapshots = make([]Listed, 0, len(want))
	there := make(map[venti.Score]bool, len(want))
	for i := range want {
		s := &want[i]
		if there[s.Score] {
			return fmt.Errorf("catalog: score %s is there twice", s.Score)
		}
		there[s.Score] = true
		old, ok := before[s.Score]
		if !ok || !bytes.Equal(appendSnapshot(nil, &old.Snapshot), appendSnapshot(nil, s)) {
			old = Listed{stamp, *s}
		}
		l.Snapshots = append(l.Snapshots, old)
		delete(before, s.Score)
	}
	l.Forgotten = slices.DeleteFunc(l.Forgotten, func(f Forgotten) bool { return there[f.Score] })
	for score := range maps.Keys(before) {
		l.Forgotten = append(l.Forgotten, Forgotten{stamp, score, time.Unix(now.Unix(), 0).UTC()})
	}
	l.sort()
	return nil
}

// CheckMachine returns an error if a machine cannot be kept: it is over the bounds of package snapshot, or of a list.
func CheckMachine(m snapshot.Machine) error { return new(List).setup(m, 1) }

// setup puts a machine on l, with the stamp, unless it is there with the same files.
func (l *List) setup(m snapshot.Machine, stamp uint64) error {
	if len(m.Files) > snapshot.MaxFiles {
		return fmt.Errorf("catalog: %d files of machine %q, where %d are the bound", len(m.Files), m.Host, snapshot.MaxFiles)
	}
	for _, f := range m.Files {
		if len(f.Content) > snapshot.MaxFileContent {
			return fmt.Errorf("catalog: file %q of machine %q has %d bytes, where %d are the bound", f.Name, m.Host, len(f.Content),
				snapshot.MaxFileContent)
		}
	}
	m.Files = slices.SortedFunc(slices.Values(m.Files), func(a, b snapshot.File) int { return cmp.Compare(a.Name, b.Name) })
	m.Time = time.Unix(m.Time.Unix(), 0).UTC()
	if l.has(m) {
		return nil
	}
	if _, err := Decode(Encode(List{Machines: []Setup{{stamp, m}}})); err != nil {
		return fmt.Errorf("catalog: machine %q could not be read back: %w", m.Host, err)
	}
	l.Machines = slices.DeleteFunc(l.Machines, func(old Setup) bool { return old.Host == m.Host })
	l.Machines = append(l.Machines, Setup{stamp, m})
	l.sort()
	l.boundMachines()
	return nil
}

// has reports whether a machine, its files sorted, is on l with the same files.
func (l *List) has(m snapshot.Machine) bool {
	return slices.ContainsFunc(l.Machines, func(old Setup) bool {
		return old.Host == m.Host && slices.EqualFunc(old.Files, m.Files, func(a, b snapshot.File) bool {
			return a.Name == b.Name && bytes.Equal(a.Content, b.Content)
		})
	})
}

// empty reports whether l says nothing.
func (l *List) empty() bool {
	return len(l.Machines)+len(l.Forgotten)+len(l.Snapshots)+len(l.Former) == 0
}
