package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ventidhash/snapshot/archive"
)

const (
	// pruneAnyway is after what time a job prunes though nothing was forgotten: what backups that died have left is found
	// so.
	pruneAnyway = 7 * 24 * time.Hour

	// unfinishedFor is for how long a job of the same store that stopped in its first backup keeps others from pruning what
	// it has stored until then.
	unfinishedFor = 14 * 24 * time.Hour
)

// backup makes the snapshot. That it is under way is remembered before it begins, since it may be killed.
func (r *jobRun) backup(ctx context.Context) {
	if r.state.Unfinished.IsZero() {
		r.state.Unfinished = r.state.Began
	}
	r.remember()
	res := r.do(ctx, "backup", func(ctx context.Context, a *app) error { return a.backup(ctx, r.job.Paths, r.job.backup()) })
	var s struct {
		backupSummary
		Host  string   `json:"host"`
		Paths []string `json:"paths"`
		Tags  any      `json:"tags"`
	}
	if res.summary == nil {
		return
	}
	_ = json.Unmarshal(res.summary, &s) // our own, but for names that are no text
	r.kept = true
	k := &keptSnapshot{Score: s.Score, Time: s.Time, Store: "folder", Host: r.job.host(), Paths: archive.Clean(r.job.Paths), Files: s.Files,
		Bytes: s.Bytes, Added: s.Added, Read: s.Read, Unreadable: s.Failed, Seconds: s.Seconds}
	if r.job.Store == swarmWord {
		k.Store = swarmWord
	}
	r.state.Kept, r.state.Unfinished = k, time.Time{}
	r.remember()
}

// remember writes down how far the job has come.
func (r *jobRun) remember() {
	if err := r.state.save(r.dir, r.job.Name); err != nil {
		r.failed("state", exitFailed, err)
	}
}

// forgetAndPrune thins out the job's snapshots and gives back what they used. Prune waits for as long as another job has
// stored a part of its first snapshot in the same store: nothing but that job's next run knows that it is needed.
func (r *jobRun) forgetAndPrune(ctx context.Context) {
	if r.job.policy == nil || ctx.Err() != nil {
		return
	}
	f := &forgetting{policy: r.job.policy, about: ofJob(r.job.host(), archive.Clean(r.job.Paths))}
	res := r.do(ctx, "forget", func(ctx context.Context, a *app) error { return a.forget(ctx, f) })
	if res.code != exitOK && res.code != exitRedundancy {
		return
	}
	r.state.Unpruned = r.state.Unpruned || len(f.gone) > 0
	now := time.Now()
	if ctx.Err() != nil || !r.state.Unpruned && now.Sub(r.state.Pruned) < pruneAnyway && !r.state.Pruned.After(now) {
		return
	}
	if other := r.unfinished(now); other != "" {
		r.note("vdh: %s: no prune, since what job %s has stored until now is in no snapshot yet", r.job.Name, other)
		return
	}
	res = r.do(ctx, "prune", func(ctx context.Context, a *app) error { return a.prune(ctx, pruneFlags{}) })
	if res.code == exitOK {
		r.state.Unpruned, r.state.Pruned = false, now.UTC().Round(0)
	}
}

// unfinished returns the name of another job of the same store that was stopped or failed before its backup was kept.
func (r *jobRun) unfinished(now time.Time) string {
	jobs, err := r.jobs()
	if err != nil {
		return ""
	}
	for _, o := range jobs {
		if o.Name == r.job.Name || !o.sameStore(r.job) {
			continue
		}
		s, err := loadJob(r.dir, o.Name)
		if err == nil && !s.Unfinished.IsZero() && now.Sub(s.Unfinished) < unfinishedFor {
			return o.Name
		}
	}
	return ""
}

// checkParts reads the parts of the contents whose turn it is.
func (r *jobRun) checkParts(ctx context.Context) {
	if r.job.checkDays == 0 {
		return
	}
	c := &r.state.Check
	for _, part := range c.due(time.Now(), r.job.checkDays) {
		f := checkFlags{part: partFlag{part + 1, r.job.checkDays}}
		whole := c.whole(time.Now(), part)
		res := r.do(ctx, "check", func(ctx context.Context, a *app) error {
			err := a.check(ctx, nil, f)
			if err == nil && !whole.IsZero() {
				a.keepRound(ctx, whole)
			}
			return err
		})
		var s checkSummary
		if res.summary == nil || json.Unmarshal(res.summary, &s) != nil {
			return // it did not come to its end
		}
		if res.code == exitUnavailable {
			return // tomorrow again
		}
		c.done(time.Now().UTC().Round(0), part, s.OK)
		r.sayDamage(res.lines)
	}
}

// sayDamage says what a check has found, for people.
func (r *jobRun) sayDamage(lines []json.RawMessage) {
	const shown = 20
	n := 0
	for _, l := range lines {
		var d struct {
			Type, Score, State string
			Touched            []struct{ Path any }
		}
		if json.Unmarshal(l, &d) != nil || d.Type != "damage" {
			continue
		}
		if n++; n > shown {
			continue
		}
		var paths []string
		for _, t := range d.Touched[:min(len(d.Touched), shown)] {
			if p, ok := t.Path.(string); ok {
				paths = append(paths, printable(p))
			}
		}
		text := fmt.Sprintf("block %.12s is %s and touches %s", d.Score, d.State, strings.Join(paths, ", "))
		fmt.Fprintln(&r.said, text)
		if !r.json {
			fmt.Fprintf(r.errs, "vdh: %s: %s\n", r.job.Name, text) // also with --quiet
		}
	}
	if n > shown {
		fmt.Fprintf(&r.said, "and %d more; vdh check says which\n", n-shown)
	}
}

// sayResult says what a step has done, for people.
func sayResult(name string, res *stepResult) string {
	var s struct {
		New, Changed, Unchanged, Failed int64
		Added                           int64  `json:"bytes_added"`
		Freed                           int64  `json:"freed_bytes"`
		Released                        int64  `json:"released_bytes"`
		Read                            int64  `json:"bytes_read"`
		Part                            string `json:"read_part"`
		Blocks                          int64
		Damaged                         int
		Score                           string
	}
	_ = json.Unmarshal(res.summary, &s) // our own
	switch {
	case name == "forget":
		kept, gone := 0, 0
		for _, l := range res.lines {
			if typeOf(l) == "kept" {
				kept++
			} else {
				gone++
			}
		}
		return fmt.Sprintf("%d kept, %d forgotten", kept, gone)
	case res.summary == nil && res.err == nil:
		return "done"
	case res.summary == nil:
		return ""
	case name == "backup":
		return fmt.Sprintf("%s: %d new, %d changed, %d unchanged, %d unreadable, %s added", s.Score, s.New, s.Changed, s.Unchanged,
			s.Failed, size(s.Added))
	case name == "prune":
		return fmt.Sprintf("%s freed", size(max(s.Freed, s.Released)))
	case name == "check":
		return fmt.Sprintf("part %s of the contents read, %s; %s there; %s", s.Part, size(s.Read), count(s.Blocks, "block is", "blocks are"),
			count(int64(s.Damaged), "damaged block", "damaged blocks"))
	}
	return "done"
}
