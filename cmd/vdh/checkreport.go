package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/check"
	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// A checkReport is what a check has looked at and found.
type checkReport struct {
	readData bool
	part     partFlag // of the contents, if not all
	all      bool     // snapshots
	begin    time.Time
	snaps    []snapshot.Snapshot
	found    check.Report
	store    *disk.VerifyReport // of a folder
	records  []disk.Damage
	proofs   *proving // of a swarm, without readData
}

// damageLine is the JSON line of a damaged block.
type damageLine struct {
	Type    string      `json:"type"` // "damage"
	Score   string      `json:"score,omitempty"`
	State   string      `json:"state"`
	Error   string      `json:"error"`
	Touched []touchLine `json:"touched"`
}

type touchLine struct {
	Part      check.Part `json:"part"`
	Path      rawName    `json:"path,omitempty"`
	Offset    int64      `json:"offset"`
	Length    int64      `json:"length"`
	Snapshots []string   `json:"snapshots"`
}

type checkSummary struct {
	Type         string  `json:"type"` // "summary"
	OK           bool    `json:"ok"`
	ReadData     bool    `json:"read_data"`
	Part         string  `json:"read_part,omitempty"`
	Snapshots    int     `json:"snapshots"`
	Files        uint64  `json:"files"`
	Blocks       int64   `json:"blocks"`
	Read         int64   `json:"bytes_read"`
	Damaged      int     `json:"damaged"`
	StoreRecords *int64  `json:"store_records,omitempty"` // of a folder
	StoreDamaged *int64  `json:"store_damaged,omitempty"`
	Seconds      float64 `json:"seconds"`
	*proofSummary
}

// damage returns the JSON line of d.
func (r *checkReport) damage(d check.Damage) damageLine {
	line := damageLine{Type: "damage", State: state(d.Err), Error: d.Err.Error(), Touched: []touchLine{}}
	if !d.Score.IsZero() {
		line.Score = d.Score.String()
	}
	for _, t := range d.Touched {
		l := touchLine{Part: t.Part, Path: rawName(t.Path), Offset: t.Off, Length: t.Len, Snapshots: []string{}}
		for _, i := range t.Snapshots {
			l.Snapshots = append(l.Snapshots, scoreText(r.snaps[i].Score))
		}
		line.Touched = append(line.Touched, l)
	}
	return line
}

// damageText writes d for people.
func (r *checkReport) damageText(d check.Damage) string {
	var b strings.Builder
	block := "a directory that is stored whole and makes no sense"
	if !d.Score.IsZero() {
		block = "block " + d.Score.String()
	}
	fmt.Fprintf(&b, "%s is %s (%v) and touches:\n", block, state(d.Err), d.Err)
	for _, t := range d.Touched {
		where := printable(t.Path)
		if t.Part == check.File {
			where += fmt.Sprintf(", %s from byte %d", count(t.Len, "byte", "bytes"), t.Off)
		}
		var in []string
		for _, i := range t.Snapshots {
			in = append(in, r.snaps[i].Score.Short())
		}
		fmt.Fprintf(&b, "  %s %s", t.Part, where)
		if len(in) > 0 {
			fmt.Fprintf(&b, ", in %s", strings.Join(in, " "))
		}
		b.WriteByte('\n')
	}
	if len(d.Touched) == 0 {
		b.WriteString("  nothing any more: it could be read on the second try; a disk that does so is failing\n")
	}
	return b.String()
}

// idle returns how many damaged records of the store hold nothing that the snapshots need.
func (r *checkReport) idle() int {
	n := 0
	for _, rec := range r.records {
		needed := func(d check.Damage) bool { return d.Score == rec.Score }
		if rec.Score == (venti.Score{}) || !slices.ContainsFunc(r.found.Damaged, needed) {
			n++
		}
	}
	return n
}

// lookedAt says what the check has looked at.
func (r *checkReport) lookedAt() string {
	files := count(int64(r.found.Files), "file", "files")
	text := fmt.Sprintf("looked at %s, %s, %s, the catalog", count(int64(r.found.Snapshots), "snapshot", "snapshots"),
		files, count(r.found.Blocks, "block", "blocks"))
	if r.store != nil {
		text += fmt.Sprintf(", and %s of the store", count(r.store.Records, "record", "records"))
	}
	if r.proofs != nil {
		return text + "; " + r.proofs.done()
	}
	if r.part.of > 0 {
		return text + fmt.Sprintf("; read part %s of the contents, %s", r.part.String(), size(r.found.Bytes))
	}
	if r.readData {
		return text + "; read " + size(r.found.Bytes) + " of contents"
	}
	return text + "; contents were not read (--read-data does)"
}

func (a *app) reportCheck(r *checkReport) error {
	for _, d := range r.found.Damaged {
		if a.json {
			if err := a.print(r.damage(d)); err != nil {
				return err
			}
			continue
		}
		fmt.Fprint(a.out, r.damageText(d))
	}
	damaged := len(r.found.Damaged)
	if r.proofs != nil {
		if err := a.reportProofs(r.proofs); err != nil {
			return err
		}
	}
	if a.json {
		s := checkSummary{Type: "summary", OK: r.found.OK(), ReadData: r.readData, Part: r.part.String(), Snapshots: r.found.Snapshots,
			Files: r.found.Files, Blocks: r.found.Blocks, Read: r.found.Bytes, Damaged: damaged, Seconds: time.Since(r.begin).Seconds()}
		if r.store != nil {
			s.StoreRecords, s.StoreDamaged = &r.store.Records, &r.store.Damaged
		}
		if r.proofs != nil {
			s.proofSummary = &r.proofs.proofSummary
		}
		if err := a.print(s); err != nil {
			return err
		}
	} else {
		if n := r.idle(); n > 0 {
			fmt.Fprintf(a.out, "%s of the store damaged, with nothing in it that these snapshots need\n",
				count(int64(n), "record is", "records are"))
		}
		verdict := "no damage found: "
		if damaged > 0 {
			verdict = count(int64(damaged), "damaged block: ", "damaged blocks: ")
		}
		fmt.Fprintln(a.out, verdict+r.lookedAt())
	}
	away := func(d check.Damage) bool { return errors.Is(d.Err, venti.ErrUnavailable) }
	switch {
	case damaged > 0 && !slices.ContainsFunc(r.found.Damaged, func(d check.Damage) bool { return !away(d) }):
		return fmt.Errorf("nothing is known to be lost, but not everything can be had; try again later: %w", venti.ErrUnavailable)
	case !r.found.OK():
		return errors.New("snapshots are damaged; back up what is still there again with: vdh backup --force")
	}
	return r.proofs.verdict()
}
