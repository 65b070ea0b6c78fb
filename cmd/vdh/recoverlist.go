package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"ventidhash/dhash/gateway"
	"ventidhash/snapshot"
	"ventidhash/snapshot/check"
	"ventidhash/venti"
)

// A readiness says which snapshots can be brought back now. Its methods but ask are for one goroutine.
type readiness struct {
	swarm swarmStore

	missing []int64         // blocks of each snapshot that cannot be had now
	waiting []int64         // those of them that members may have who do not answer
	waits   [][]string      // for each snapshot, the names of members that it waits for, as far as they are known
	mu      sync.Mutex      // protects the following
	content []gateway.State // some blocks of contents that can be had
}

const (
	sampled   = 64 // blocks of contents that are fetched, to see how fast that goes
	sampleFor = time.Second
	asWell    = 4       // at once
	maxAsked  = 256     // missing blocks whose holders are named
	maxNamed  = 6       // members that are named for a snapshot
	minSample = 1 << 20 // bytes that say how fast it goes
)

// ask is a check.Config.Prove: what the holders say of blocks is believed.
func (r *readiness) ask(ctx context.Context, blocks []check.Block) ([]error, error) {
	scores := make([]venti.Score, len(blocks))
	for i, b := range blocks {
		scores[i] = b.Score
	}
	errs := make([]error, 0, len(blocks))
	err := r.swarm.Survey(ctx, scores, func(st gateway.State) error {
		b := blocks[len(errs)]
		var err error
		if st.Present < max(1, st.Code.Need) && st.Score != venti.ZeroScore() {
			err = &venti.BlockError{Op: "survey", Score: st.Score, Err: venti.ErrNotFound}
			if st.Silent > 0 {
				err = &venti.BlockError{Op: "survey", Score: st.Score, Err: venti.ErrUnavailable}
			}
		}
		errs = append(errs, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil && !b.Walk && len(r.content) < sampled {
			r.content = append(r.content, st)
		}
		return ctx.Err()
	})
	return errs, err
}

// ready asks the members which of the snapshots can be brought back now.
func (r *recovery) ready(ctx context.Context, list []snapshot.Snapshot) (*readiness, error) {
	src, err := r.plain(ctx)
	if err != nil {
		return nil, err
	}
	s := &readiness{swarm: r.swarm, missing: make([]int64, len(list)), waiting: make([]int64, len(list)), waits: make([][]string, len(list))}
	var now tallyOf[check.Progress]
	stop := r.watch(ctx, "recover", 0, func() tally { return checkTally(now.load(), len(list), false) })
	found, err := check.Run(ctx, src, r.owner.RootKey(), list, check.Config{Prove: s.ask, Progress: now.store})
	stop()
	if err != nil {
		return nil, fmt.Errorf("asking the members which snapshots can be had: %w", err)
	}
	silent, err := s.silent(ctx, found.Damaged)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.note("vdh: which members the snapshots wait for is not known: %v", err)
	}
	s.name(found.Damaged, silent)
	return s, nil
}

// name says for each snapshot how many blocks it lacks, and which members it waits for. silent has the names of those that
// do not answer about a block, as far as they were asked for.
func (s *readiness) name(damaged []check.Damage, silent map[venti.Score][]string) {
	for _, d := range damaged {
		in := map[int]bool{}
		for _, t := range d.Touched {
			for _, i := range t.Snapshots {
				in[i] = true
			}
		}
		for i := range in {
			s.missing[i]++
			if errors.Is(d.Err, venti.ErrUnavailable) {
				s.waiting[i]++
			}
			for _, name := range silent[d.Score] {
				if !slices.Contains(s.waits[i], name) {
					s.waits[i] = append(s.waits[i], name)
				}
			}
		}
	}
	for i := range s.waits {
		slices.Sort(s.waits[i])
	}
}

// silent returns the names of the members that are to hold some of the blocks that are unavailable, and do not answer. An
// error says that there may be more of them.
func (s *readiness) silent(ctx context.Context, damaged []check.Damage) (map[venti.Score][]string, error) {
	var scores []venti.Score
	for _, d := range damaged {
		if !d.Score.IsZero() && errors.Is(d.Err, venti.ErrUnavailable) && len(scores) < maxAsked {
			scores = append(scores, d.Score)
		}
	}
	out := map[venti.Score][]string{}
	if len(scores) == 0 {
		return out, nil
	}
	list, err := s.swarm.Members(ctx)
	if err != nil {
		return out, err
	}
	names := map[string]string{}
	for _, m := range list {
		names[m.ID] = m.Name
	}
	err = s.swarm.Prove(ctx, scores, func(p gateway.Proof) error {
		for _, id := range p.Silent {
			out[p.Score] = append(out[p.Score], cmp.Or(printable(names[id.String()]), shortID(id.String())))
		}
		return nil
	})
	return out, err
}

// now says for people whether a snapshot can be brought back. A nil readiness is one that is not known.
func (s *readiness) now(i int) string {
	if s == nil {
		return "not known"
	}
	var text []string
	if lost := s.missing[i] - s.waiting[i]; lost > 0 {
		text = append(text, count(lost, "block", "blocks")+" lost")
	}
	switch names := s.waits[i]; {
	case s.missing[i] == 0:
		return "whole"
	case s.waiting[i] == 0:
	case len(names) == 0:
		text = append(text, "waits for members that do not answer")
	case len(names) > maxNamed:
		text = append(text, fmt.Sprintf("waits for %s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed))
	default:
		text = append(text, "waits for "+strings.Join(names, ", "))
	}
	return strings.Join(text, "; ")
}

// pace fetches some blocks, for a second at most, and returns how many bytes came in a second; 0 if that says nothing.
func (s *readiness) pace(ctx context.Context) float64 {
	if s == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, sampleFor)
	defer cancel()
	begin := time.Now()
	var mu sync.Mutex
	bytes, next := 0, 0
	var last time.Time
	var wg sync.WaitGroup
	for range asWell {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(s.content) {
					return
				}
				b, err := s.swarm.Get(ctx, s.content[i].Score)
				mu.Lock()
				if err == nil {
					bytes, last = bytes+len(b), time.Now()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if bytes < minSample {
		return 0
	}
	return float64(bytes) / max(last.Sub(begin).Seconds(), 0.001)
}

// recoverable is the JSON line of a snapshot that may come back.
type recoverable struct {
	snapshotLine
	Whole    *bool     `json:"whole,omitempty"`
	Missing  int64     `json:"missing_blocks,omitempty"`
	Waiting  int64     `json:"waiting_blocks,omitempty"` // of the missing ones
	WaitsFor []rawName `json:"waits_for,omitempty"`
}

// line returns the JSON line of a snapshot, the i-th.
func (s *readiness) line(i int, x snapshot.Snapshot) recoverable {
	l := recoverable{snapshotLine: lineOf("snapshot", x)}
	if s != nil {
		whole := s.missing[i] == 0
		l.Whole, l.Missing, l.Waiting, l.WaitsFor = &whole, s.missing[i], s.waiting[i], rawNames(s.waits[i])
	}
	return l
}

// printSwarm says what there is, and what of it can be brought back now, as far as that can be found out.
func (r *recovery) printSwarm(ctx context.Context) error {
	if err := r.printRecovered(); err != nil {
		return err
	}
	list, err := r.list(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	slices.SortStableFunc(list, func(a, b snapshot.Snapshot) int { return strings.Compare(a.Host, b.Host) })
	s, err := r.ready(ctx, list)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.note("vdh: %v", err)
	}
	if r.json {
		for i := range list {
			if err := r.print(s.line(i, list[i])); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSCORE\tTIME\tFILES\tSIZE\tNOW\tPATHS\tTAGS")
	for i, x := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", printable(x.Host), x.Score.Short(), localTime(x.Time), x.Files,
			size(int64(x.Bytes)), s.now(i), showPaths(x.Paths), labels(x))
	}
	if err := errors.Join(w.Flush(), r.out.Flush()); err != nil {
		return err
	}
	return r.sayHow(ctx, list, s)
}

// sayHow says how files come back, and how long that may take.
func (r *recovery) sayHow(ctx context.Context, list []snapshot.Snapshot, s *readiness) error {
	rate := s.pace(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, host := range hostNames(list) {
		var total int64
		for _, x := range newestOf(list, []string{host}) {
			total += int64(x.Bytes)
		}
		text := size(total)
		if rate > 0 {
			took := time.Duration(float64(total) / rate * float64(time.Second))
			text += fmt.Sprintf(", about %v at the %s/s just measured, less what compresses", max(took, time.Second).Round(time.Second),
				size(int64(rate)))
		}
		r.note("vdh: the newest of %s: %s; bring it back with: vdh recover --restore-all --host %s --target DIR", printable(host), text,
			printable(host))
	}
	return nil
}

// printFolder says what there is in a store in a folder.
func (r *recovery) printFolder(ctx context.Context, at location) error {
	if !r.json {
		return nil
	}
	r.line.Store = rawName(at.dir)
	if at.there() != nil {
		return r.print(r.line)
	}
	list, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.line.Snapshots = len(list)
	if err := r.print(r.line); err != nil {
		return err
	}
	for _, x := range list {
		if err := r.print(recoverable{snapshotLine: lineOf("snapshot", x)}); err != nil {
			return err
		}
	}
	return nil
}
