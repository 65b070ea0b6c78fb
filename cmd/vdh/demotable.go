package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

// demoLine is the JSON line of a demonstration.
type demoLine struct {
	Type        string  `json:"type"` // "demo"
	Path        rawName `json:"path"`
	Members     int     `json:"members"`
	Lost        int     `json:"lost"`
	Code        string  `json:"code"`
	Files       uint64  `json:"files"`
	Dirs        uint64  `json:"dirs"`
	Bytes       uint64  `json:"bytes"`
	Backup      float64 `json:"backup_seconds"`
	Added       int64   `json:"bytes_added"`    // compressed and sealed
	Disks       int64   `json:"bytes_on_disks"` // of all members, before any was lost
	Nines       float64 `json:"lowest_nines"`
	Left        int     `json:"fragments_left"` // of the weakest block, after the loss
	Need        int     `json:"fragments_needed"`
	Restore     float64 `json:"restore_seconds"`
	Compared    int64   `json:"compared_files"`
	Differences int64   `json:"differences"`
	Seconds     float64 `json:"seconds"`
}

// report prints what the demonstration has shown.
func (d *demo) report() error {
	l := &d.line
	l.Type = "demo"
	if d.a.json {
		return d.a.print(l)
	}
	fmt.Fprintln(d.a.out)
	w := tabwriter.NewWriter(d.a.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("kept", "%s, %s, in %.1f s: %s/s", count(int64(l.Files), "file", "files"), size(int64(l.Bytes)), l.Backup,
		size(rate(int64(l.Bytes), l.Backup)))
	row("as blocks", "%s, deduplicated, compressed and sealed%s", size(l.Added), ratio(l.Bytes, uint64(max(l.Added, 0))))
	row("on the disks", "%s with %s%s", size(l.Disks), count(int64(l.Members), "member", "members"),
		overhead(l.Disks, l.Added))
	row("safety", "code %s: any %s fragments of a block give it back; %.1f nines for the weakest", l.Code,
		needed(l.Code), l.Nines)
	row("lost", "%d of %d members, killed without warning; the weakest block has %d fragments above the %d it needs",
		l.Lost, l.Members, l.Left-l.Need, l.Need)
	row("restored", "%s in %.1f s: %s/s", size(int64(l.Bytes)), l.Restore, size(rate(int64(l.Bytes), l.Restore)))
	result := "every byte and every attribute is equal"
	if os.Geteuid() != 0 {
		result += ", owners aside, which only root can restore"
	}
	if l.Differences > 0 {
		result = count(l.Differences, "difference", "differences") + "; this is a bug, please report it"
	}
	row("compared", "%s: %s", count(l.Compared, "file", "files"), result)
	row("all in all", "%s", time.Duration(l.Seconds*float64(time.Second)).Round(time.Second/10))
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(d.a.out, `
What now:
  vdh backup ~/Documents   keep your own files, in a store on this machine
  vdh swarm init           found a swarm with friends; it says how the second machine joins
  vdh help                 everything else
`)
	return err
}

// rate returns how many of n there are in a second.
func rate(n int64, seconds float64) int64 { return int64(float64(n) / max(seconds, 1e-3)) }

// overhead says how much more is stored than there was to store.
func overhead(stored, added int64) string {
	if added <= 0 {
		return ""
	}
	return fmt.Sprintf(", %.2f times the blocks", float64(stored)/float64(added))
}

// needed returns how many fragments a code needs, of its text.
func needed(code string) string {
	n := 0
	if _, err := fmt.Sscanf(code, "%d", &n); err != nil {
		return "of them"
	}
	return fmt.Sprint(n)
}
