package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/repair"
	"ventidhash/dhash/sweep"
	"ventidhash/venti"
)

// Care is what a member says about how it keeps what it holds.
type Care struct {
	Swept    *Swept   `json:"swept,omitempty"` // the newest round since the start
	Repair   Repairs  `json:"repair"`
	Scrubbed Scrubbed `json:"scrubbed"`

	Heads     int `json:"heads"`          // owners whose head is kept here
	Conflicts int `json:"head_conflicts"` // of those, that have signed more than one head of one number

	Trash      int64  `json:"trash"` // fragments that nobody claims any more
	TrashBytes int64  `json:"trash_bytes"`
	Bad        int64  `json:"bad"`                  // fragments known to be damaged
	Retiring   bool   `json:"retiring"`             // this member is about to leave
	Left       int64  `json:"left,omitempty"`       // of one that retires: fragments that others do not have yet
	HeadsLeft  int    `json:"heads_left,omitempty"` // of one that retires: owners whose head most others lack that are to keep it
	Paused     string `json:"paused,omitempty"`     // why nothing is given up now
}

// Swept sums up a round of the sweep.
type Swept struct {
	Ended      time.Time     `json:"ended"`
	Seconds    float64       `json:"seconds"`
	Blocks     int64         `json:"blocks"`          // codings of blocks of which this member holds a fragment
	Short      int64         `json:"short"`           // of those, that lack fragments
	Above      map[int]int64 `json:"above,omitempty"` // of the short ones, how many have so many fragments more than they need
	Strays     int64         `json:"strays"`          // that others should hold in its place
	Neighbours int           `json:"neighbours"`      // that were compared with
	Bytes      int64         `json:"bytes"`           // sent and received
}

// Repairs says what repair has to do and has done since the start.
type Repairs struct {
	Queued      int    `json:"queued"`
	Urgent      int    `json:"urgent"`
	Irreparable int    `json:"irreparable"` // too few fragments at members that answer now
	Braked      bool   `json:"braked"`      // most members vanished at once: this one takes itself for cut off
	Repaired    int64  `json:"repaired"`    // blocks
	Recoded     int64  `json:"recoded"`
	Made        int64  `json:"made"` // fragments
	HandedOff   int64  `json:"handed_off"`
	Trimmed     int64  `json:"trimmed"`
	Read        int64  `json:"bytes_read"`
	Written     int64  `json:"bytes_written"`
	OldestSec   int64  `json:"oldest_seconds"`
	LastError   string `json:"last_error,omitempty"`
}

// Scrubbed says how far the scrub is, since the start.
type Scrubbed struct {
	Fragments int64     `json:"fragments"`
	Bytes     int64     `json:"bytes"`
	Damaged   int64     `json:"damaged"`
	Ended     time.Time `json:"ended,omitzero"` // when everything had been hashed last
}

func (s *Scrubbed) add(r fragstore.ScrubReport, now time.Time) {
	s.Fragments += r.Fragments
	s.Bytes += r.Bytes
	s.Damaged += r.Damaged
	if r.Done {
		s.Ended = now
	}
}

// care says how things stand.
func (u *upkeep) care() Care {
	held := u.n.store.Stats()
	u.mu.Lock()
	c := Care{Scrubbed: u.scrubbed, Trash: held.Trash, TrashBytes: held.TrashBytes, Bad: held.Bad, Retiring: u.n.cfg.Retire}
	if why, _ := u.env.Pause(u.cfg.Limits); why != 0 {
		c.Paused = why.String()
	}
	u.mu.Unlock()
	c.Heads, c.Conflicts = u.n.heads.Count()
	c.Repair = repairsOf(u.repairer.Stats())
	if last, ok := u.sweeper.Last(); ok {
		c.Swept = sweptOf(&last)
	}
	if c.Retiring {
		c.Left, c.HeadsLeft = held.Fragments, u.keeper.Left()
	}
	return c
}

func sweptOf(r *sweep.Report) *Swept {
	t := r.Traffic()
	return &Swept{Ended: r.Began.Add(r.Took), Seconds: r.Took.Seconds(), Blocks: r.Items, Short: r.Missing(), Above: r.Short,
		Strays: r.Strays, Neighbours: len(r.Neighbours), Bytes: t.Sent + t.Received}
}

func repairsOf(s repair.Stats) Repairs {
	r := Repairs{Queued: s.Queued, Urgent: s.Urgent, Irreparable: s.Irreparable, Braked: s.Braked, Repaired: s.Repaired,
		Recoded: s.Recoded, Made: s.Made, HandedOff: s.HandedOff, Trimmed: s.Trimmed, OldestSec: int64(s.Oldest.Seconds())}
	for _, t := range []repair.Traffic{s.Mend, s.Urgency, s.Recode, s.Handoff} {
		r.Read += t.Read
		r.Written += t.Written
	}
	if s.LastError != nil {
		r.LastError = s.LastError.Error()
	}
	return r
}

// A Progress is a line of what a node says while it works: how much of how much is done, and in the end how things are.
type Progress struct {
	Done int64  `json:"done"`
	Of   int64  `json:"of"`
	Care *Care  `json:"care,omitempty"`  // in the last line
	Err  string `json:"error,omitempty"` // in the last line, if it failed
	Away bool   `json:"away,omitempty"`  // it failed because others cannot be reached now
}

// lastLine returns the line that ends a work.
func lastLine(care Care, err error) Progress {
	p := Progress{Care: &care}
	if err != nil {
		p.Err, p.Away = err.Error(), errors.Is(err, venti.ErrUnavailable)
	}
	return p
}

// failure returns the error of a last line, or nil.
func (p *Progress) failure() error {
	switch {
	case p.Err == "":
		return nil
	case p.Away:
		return fmt.Errorf("%w: the node says: %s", venti.ErrUnavailable, p.Err)
	}
	return fmt.Errorf("the node says: %s", p.Err)
}

// Works that a program can have a node do at once.
const (
	WorkSweep  = "sweep"
	WorkRepair = "repair"
	WorkScrub  = "scrub"
)

// do does a work, and tells how far it is.
func (u *upkeep) do(ctx context.Context, work string, tell func(done, of int64)) error {
	switch work {
	case WorkSweep:
		if err := u.keeper.Now(ctx); err != nil {
			return err
		}
		_, err := u.sweeper.Now(ctx, tell)
		return err
	case WorkRepair:
		return u.repairer.Now(ctx, func(s repair.Stats) {
			done := s.Repaired + s.Recoded + s.HandedOff
			tell(done, done+int64(s.Due))
		})
	case WorkScrub:
		return u.scrubAll(ctx, tell)
	}
	return fmt.Errorf("there is no work %q", work)
}

// scrubStep is how much is hashed between two looks at whether to go on.
const scrubStep = 32 << 20

// scrubAll hashes everything that lies on the disk once.
func (u *upkeep) scrubAll(ctx context.Context, tell func(done, of int64)) error {
	of := u.n.store.Stats().ArenaBytes
	var done int64
	for rounds := 0; rounds < 2; { // from where the scrub is to the end, and from the beginning to there
		rep, err := u.scrub(ctx, min(scrubStep, max(1, of-done)))
		if err != nil {
			return err
		}
		if done += rep.Bytes; rep.Done {
			rounds++
		}
		if done >= of {
			break
		}
		tell(done, of)
	}
	tell(of, of)
	return nil
}

// work does a work for a program of this machine. The answer is a line of JSON now and then, and one at the end.
func (c *control) work(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("work")
	if name != WorkSweep && name != WorkRepair && name != WorkScrub {
		http.Error(w, "there is no such work", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	enc, flush := json.NewEncoder(w), http.NewResponseController(w)
	var last time.Time
	err := c.n.upkeep.do(r.Context(), name, func(done, of int64) {
		if time.Since(last) >= workGap {
			last = time.Now()
			_ = enc.Encode(Progress{Done: done, Of: of}) // whoever asked is gone, then, and the context ends
			_ = flush.Flush()
		}
	})
	_ = enc.Encode(lastLine(c.n.upkeep.care(), err))
}

const workGap = 200 * time.Millisecond // between two lines of progress

// Work has the node do a work now: WorkSweep, WorkRepair or WorkScrub. It calls tell, which may be nil, for what the node
// says meanwhile, and returns how things are in the end. When ctx ends the node stops. Errors wrap venti.ErrUnavailable
// where the node, or what it would need, cannot be reached now.
func (l *Local) Work(ctx context.Context, work string, tell func(done, of int64)) (Care, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node/v1/work/"+work, http.NoBody)
	if err != nil {
		return Care{}, err
	}
	res, err := l.http.Do(req)
	if err != nil {
		return Care{}, lostNode(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
		return Care{}, said(res.StatusCode, b)
	}
	dec := json.NewDecoder(res.Body)
	for {
		var p Progress
		if err := dec.Decode(&p); err != nil {
			return Care{}, lostNode(ctx, fmt.Errorf("it stopped in the middle: %w", err))
		}
		switch {
		case p.Care != nil:
			return *p.Care, p.failure()
		case tell != nil:
			tell(p.Done, p.Of)
		}
	}
}
