package main

import (
	"encoding/json"
	"fmt"
	"time"

	"ventidhash/snapshot/transfer"
)

// copiedLine is the JSON line of a snapshot that was dealt with.
type copiedLine struct {
	snapshotLine
	Sent     int64 `json:"blocks_sent"`
	Bytes    int64 `json:"bytes_sent"`
	Lacking  int   `json:"blocks_lacking"`
	Complete bool  `json:"complete"`
}

// copied prints what became of a snapshot.
func (c *copying) copied(d transfer.Copied) error {
	s := d.Snapshot
	if c.json {
		return c.print(copiedLine{lineOf("copied", s), d.Blocks, d.Bytes, d.Lacking, d.Lacking == 0})
	}
	what := ""
	switch {
	case d.Lacking > 0:
		what = fmt.Sprintf(", %s cannot be had: not listed", count(int64(d.Lacking), "block", "blocks"))
	case c.already[s.Score]:
		what = ", was listed"
	}
	_, err := fmt.Fprintf(c.out, "%s  %s  %s  %s  %s%s\n", scoreText(s.Score), localTime(s.Time), printable(s.Host), showPaths(s.Paths),
		size(d.Bytes), what)
	return err
}

// damaged reports a block that cannot be had.
func (c *copying) damaged(d transfer.Damage) {
	path := d.Path
	if path == "" {
		path = "/"
	}
	if c.json {
		line := map[string]any{"type": "damage", "score": d.Score.String(), "state": state(d.Err), "error": d.Err.Error(),
			"path": rawName(path), "snapshot": scoreText(d.Root)}
		if json.NewEncoder(c.errs).Encode(line) == nil {
			return
		}
	}
	fmt.Fprintf(c.errs, "vdh: %s:%s: %v\n", d.Root.Short(), printable(path), d.Err)
}

// copySummary is the JSON line of a copy.
type copySummary struct {
	Type      string  `json:"type"` // "summary"
	From      rawName `json:"from"`
	To        rawName `json:"to"`
	Snapshots int     `json:"snapshots"` // looked at
	Already   int     `json:"already_there"`
	Complete  int     `json:"complete"`
	Blocks    int64   `json:"blocks"`
	Sent      int64   `json:"blocks_sent"`
	Bytes     int64   `json:"bytes_sent"`
	Lacking   int64   `json:"blocks_lacking"`
	Seconds   float64 `json:"seconds"`
	DryRun    bool    `json:"dry_run,omitempty"`

	*redundancy // of a swarm
}

// report says what a copy did.
func (c *copying) report(r transfer.Report, held *redundancy) error {
	from, to, err := c.ends()
	if err != nil {
		return err
	}
	took := time.Since(c.begin)
	if c.json {
		return c.print(copySummary{"summary", rawName(from.String()), rawName(to.String()), r.Snapshots, c.here, r.Complete, r.Blocks,
			r.Sent, r.Bytes, r.Lacking, took.Seconds(), c.f.dryRun, held})
	}
	c.note("%s from %s to %s; %s there already; %s of %s sent (%s), %.1f s", count(int64(r.Complete), "snapshot", "snapshots"), from, to,
		count(int64(c.here), "is", "are"), count(r.Sent, "block", "blocks"), count(r.Blocks, "block", "blocks"), size(r.Bytes), took.Seconds())
	if c.f.dryRun {
		c.note("dry run: nothing was sent; the bytes are those of the contents before they are compressed")
	}
	return nil
}
