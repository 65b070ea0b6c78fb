package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
)

// lenderLine is the JSON line of what a lender made of a prune.
type lenderLine struct {
	Type        string        `json:"type"` // "lender"
	ID          string        `json:"id"`
	Fragments   int64         `json:"released_fragments"`
	Bytes       int64         `json:"released_bytes"`
	Retained    bool          `json:"retained,omitempty"` // it was told all that is needed
	Waiting     []waitingLine `json:"waiting,omitempty"`
	Paused      string        `json:"paused,omitempty"`
	PausedUntil time.Time     `json:"paused_until,omitzero"`
	Refused     []string      `json:"refused,omitempty"`
	Error       string        `json:"error,omitempty"`
}

type waitingLine struct {
	Number    uint64    `json:"number"`
	Kind      string    `json:"kind,omitempty"` // empty if what it says is not known here any more
	Fragments int64     `json:"fragments"`
	Bytes     int64     `json:"bytes"`
	Since     time.Time `json:"since"`
	From      time.Time `json:"confirm_from,omitzero"`
}

// swarmPruneSummary is the JSON line of a prune of a swarm.
type swarmPruneSummary struct {
	Type       string `json:"type"` // "summary"
	Snapshots  int    `json:"snapshots"`
	Live       int    `json:"live_blocks"`
	Unneeded   int    `json:"unneeded_blocks"` // found by this run
	Forgotten  int    `json:"forgotten"`       // snapshots that these are of
	Unread     int    `json:"unread"`          // forgotten snapshots that could not be read, or not wholly
	Lenders    int    `json:"lenders"`
	Told       int    `json:"told"` // of those, everything
	Fragments  int64  `json:"released_fragments"`
	Bytes      int64  `json:"released_bytes"`
	WaitingFr  int64  `json:"waiting_fragments"`
	WaitingB   int64  `json:"waiting_bytes"`
	Running    int    `json:"backups_running"`
	DryRun     bool   `json:"dry_run,omitempty"`
	Idle       bool   `json:"idle,omitempty"` // there was nothing to do, so nothing was walked
	lost, late int
	from       time.Time // when the first that waits can be confirmed
}

func (p *swarmPrune) report(told []lenders.Told) error {
	s := swarmPruneSummary{Type: "summary", Snapshots: p.found.Snapshots, Live: len(p.found.Live), Unneeded: len(p.found.Gone),
		Forgotten: len(p.found.Done), Unread: p.found.Lost + len(p.found.Late), Lenders: len(told), Running: p.running,
		DryRun: p.f.dryRun, lost: p.found.Lost, late: len(p.found.Late)}
	for _, t := range told {
		s.add(&t)
	}
	var err error
	if p.json {
		for _, t := range told {
			if err == nil {
				err = p.print(lineOfLender(&t))
			}
		}
		if err == nil {
			err = p.print(s)
		}
	} else {
		err = p.tellPeople(told, &s)
	}
	if err == nil && s.Told < s.Lenders {
		err = thin{fmt.Sprintf("%d of %s could not be told everything; run vdh prune again to tell them",
			s.Lenders-s.Told, count(int64(s.Lenders), "member", "members"))}
	}
	return err
}

// nothing says that there was nothing to do, so that nothing was walked.
func (p *swarmPrune) nothing(heard []lenders.Heard) error {
	if p.json {
		return p.print(swarmPruneSummary{Type: "summary", Lenders: len(heard), Told: len(heard), Running: p.running, Idle: true})
	}
	_, err := fmt.Fprintln(p.out, "nothing was forgotten since the last prune, and the members have been told everything")
	return err
}

func (s *swarmPruneSummary) add(t *lenders.Told) {
	if t.Settled() {
		s.Told++
	}
	s.Fragments += t.Fragments
	s.Bytes += t.Bytes
	for _, w := range t.Waiting {
		s.WaitingFr += w.Fragments
		s.WaitingB += w.Bytes
		if !w.Until.IsZero() && (s.from.IsZero() || w.Until.Before(s.from)) {
			s.from = w.Until
		}
	}
}

func lineOfLender(t *lenders.Told) lenderLine {
	l := lenderLine{Type: "lender", ID: t.ID.String(), Fragments: t.Fragments, Bytes: t.Bytes, Retained: t.Retained}
	for _, w := range t.Waiting {
		n := waitingLine{Number: w.Number, Fragments: w.Fragments, Bytes: w.Bytes, Since: w.Since, From: w.Until}
		if w.Kind != 0 {
			n.Kind = w.Kind.String()
		}
		l.Waiting = append(l.Waiting, n)
	}
	if t.Paused != claim.NoReason {
		l.Paused, l.PausedUntil = t.Paused.String(), t.Until
	}
	for _, r := range t.Refused {
		l.Refused = append(l.Refused, r.String())
	}
	if t.Err != nil {
		l.Error = t.Err.Error()
	}
	return l
}

// tellPeople writes what came of a prune of a swarm for people.
func (p *swarmPrune) tellPeople(told []lenders.Told, s *swarmPruneSummary) error {
	fmt.Fprintf(p.out, "%s %s; %s of %s %s not needed any more\n", count(int64(s.Snapshots), "snapshot needs", "snapshots need"),
		count(int64(s.Live), "block", "blocks"), count(int64(s.Unneeded), "block", "blocks"),
		count(int64(s.Forgotten), "forgotten snapshot", "forgotten snapshots"), plural(s.Unneeded, "is", "are"))
	if s.late > 0 {
		p.note("%s cannot be read now and will be looked at by the next prune: %v",
			count(int64(s.late), "forgotten snapshot", "forgotten snapshots"), p.found.Late[0].Err)
	}
	if s.lost > 0 {
		p.note("%s could not be read as a whole; vdh prune --retain finds the rest of what it needed",
			count(int64(s.lost), "forgotten snapshot", "forgotten snapshots"))
	}
	if s.DryRun {
		p.note("dry run: nobody was told anything")
		return nil
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for i := range told {
		if text := sayLender(&told[i]); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", told[i].ID.Short(), text)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%d of %s told; %s, %s, released, and in the trash of the members for 30 days\n", s.Told,
		count(int64(s.Lenders), "member", "members"), count(s.Fragments, "fragment", "fragments"), size(s.Bytes))
	if s.Running > 0 {
		p.note("%s of this identity running here: what was stored since it began stays until a later prune",
			count(int64(s.Running), "backup is", "backups are"))
	}
	if s.WaitingFr > 0 {
		from := "a day after it was told"
		if !s.from.IsZero() {
			from = localTime(s.from)
		}
		p.note("A member that is to let go of more than a tenth of what it keeps for this identity waits for a second word, in case\n"+
			"the first was a mistake: %s, %s, wait. If all of it can go, run this from %s on:\n\n"+
			"  vdh prune --store swarm --confirm\n\nAfter 30 days without it the members forget that they were asked.",
			count(s.WaitingFr, "fragment", "fragments"), size(s.WaitingB), from)
	}
	return nil
}

// sayLender says what a lender made of what it was told; nothing if there is nothing to say.
func sayLender(t *lenders.Told) (text string) {
	add := func(format string, args ...any) {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf(format, args...)
	}
	if t.Fragments > 0 {
		add("released %s, %s", count(t.Fragments, "fragment", "fragments"), size(t.Bytes))
	}
	for _, w := range t.Waiting {
		switch {
		case w.Kind == 0:
			add("waits for a second word on what is not known here any more, until it forgets it")
		case w.Until.IsZero():
			add("waits for a second word on %s, %s", count(w.Fragments, "fragment", "fragments"), size(w.Bytes))
		default:
			add("waits for a second word on %s, %s, from %s on", count(w.Fragments, "fragment", "fragments"), size(w.Bytes),
				localTime(w.Until))
		}
	}
	if t.Paused != claim.NoReason {
		add("lets nothing go now: %v", t.Paused)
		if !t.Until.IsZero() {
			text += " (until " + localTime(t.Until) + ")"
		}
	}
	for _, r := range t.Refused {
		add("refused: %v", r)
	}
	if t.Err != nil {
		add("was not told: %v", t.Err)
	}
	return text
}
