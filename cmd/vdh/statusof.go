package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"ventidhash/dhash/gateway"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// surveyBatch is how many blocks are asked about at once.
const surveyBatch = 4096

// A survey is what the holders say about the blocks of a snapshot.
type survey struct {
	Type       string   `json:"type"` // "snapshot_status"
	Score      string   `json:"score"`
	Blocks     int64    `json:"blocks"`
	Bytes      int64    `json:"bytes"`        // of the blocks, as stored
	Stored     int64    `json:"stored_bytes"` // of the fragments that are there
	Overhead   float64  `json:"overhead,omitempty"`
	Above      above    `json:"above"`           // fragments above what is needed → blocks
	Below      int64    `json:"below_threshold"` // blocks with fewer fragments than a stored block should have
	Unreadable int64    `json:"unreadable"`      // blocks with fewer than are needed
	Asked      int64    `json:"asked"`           // answers that were waited for
	Silent     int64    `json:"silent"`          // of them, that did not come
	Weakest    *weakest `json:"weakest,omitempty"`
	provenLine

	proven string // for people
	unsure bool   // of an unreadable block somebody was silent
}

// weakest is the block with the fewest fragments to spare.
type weakest struct {
	Score   venti.Score `json:"-"`
	Text    string      `json:"score"`
	Path    rawName     `json:"path"`
	Present int         `json:"present"`
	Need    int         `json:"need"`
	Total   int         `json:"total"`
	above   int
}

// above counts blocks by how many fragments above what is needed they have.
type above map[int]int64

// MarshalJSON implements json.Marshaler: the keys of an object are text.
func (h above) MarshalJSON() ([]byte, error) {
	out := map[string]int64{}
	for k, v := range h {
		out[strconv.Itoa(k)] = v
	}
	return json.Marshal(out)
}

// A place is a block, and a path for which it is needed.
type place struct {
	score venti.Score
	path  string
}

func (a *app) statusOf(ctx context.Context, name string) error {
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	if n.path != "" {
		return usage{fmt.Errorf("%s: a whole snapshot is meant here, so leave %s away", printable(name), printable(n.path))}
	}
	if a.swarm == nil {
		return a.statusInFolder(ctx, n.tree)
	}
	s := &survey{Type: "snapshot_status", Score: scoreText(n.tree.Ref.Score), Above: above{}}
	missing := a.eachBatch(ctx, n.tree, "status", func(batch []place) error {
		scores := make([]venti.Score, len(batch))
		for i, p := range batch {
			scores[i] = p.score
		}
		i := 0
		return a.swarm.Survey(ctx, scores, func(st gateway.State) error {
			s.add(st, batch[i].path)
			i++
			return nil
		})
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	known := a.proven()
	s.provenLine, s.proven = known.line(n.tree.Ref.Score), known.text(n.tree.Ref.Score)
	if s.Bytes > 0 {
		s.Overhead = float64(s.Stored) / float64(s.Bytes)
	}
	if a.json {
		err = a.print(s)
	} else {
		err = a.printSurvey(s)
	}
	if err != nil {
		return err
	}
	return s.verdict(missing)
}

// eachBatch calls do with the blocks that a snapshot needs, each once. What cannot be had of directories and pointer
// blocks does not end it; the first such error is returned in the end.
func (a *app) eachBatch(ctx context.Context, t *vac.Tree, verb string, do func([]place) error) error {
	var first error
	var now tallyOf[int]
	stop := a.watch(ctx, verb, 0, func() tally {
		return tally{what: "asking about blocks, " + count(int64(now.load()), "so far", "so far")}
	})
	defer stop()
	seen := map[venti.Score]bool{}
	var batch []place
	err := t.Blocks(ctx, func(u vac.Use, err error) (bool, error) {
		if err != nil {
			if first == nil {
				first = err
			}
			return false, ctx.Err()
		}
		if seen[u.Ref.Score] {
			return false, nil
		}
		seen[u.Ref.Score] = true
		batch = append(batch, place{u.Ref.Score, u.Path})
		now.store(len(seen))
		if len(batch) < surveyBatch {
			return true, nil
		}
		err = do(batch)
		batch = batch[:0]
		return true, err
	})
	if err == nil && len(batch) > 0 {
		err = do(batch)
	}
	if err != nil {
		return err
	}
	return first
}

// add counts a block.
func (s *survey) add(st gateway.State, path string) {
	s.Blocks++
	s.Bytes += int64(st.Length)
	s.Asked += int64(st.Asked)
	s.Silent += int64(st.Silent)
	left := st.Present - max(1, st.Code.Need)
	s.Above[left]++
	if st.Code.Need > 0 {
		s.Stored += int64(st.Present * st.Code.PayloadSize(st.Length))
	}
	switch {
	case left < 0:
		s.Unreadable++
		s.unsure = s.unsure || st.Silent > 0
	case st.Stored < st.Code.Threshold():
		s.Below++
	}
	if s.Weakest == nil || left < s.Weakest.above {
		s.Weakest = &weakest{st.Score, st.Score.String(), rawName(path), st.Present, st.Code.Need, st.Code.Total, left}
	}
}

// verdict returns the error of a snapshot that is not as safe as it should be. missing says what could not be asked about.
func (s *survey) verdict(missing error) error {
	switch {
	case s.Unreadable > 0 && s.unsure:
		return fmt.Errorf("%w: %s cannot be brought back from the members that answer", venti.ErrUnavailable,
			count(s.Unreadable, "block", "blocks"))
	case s.Unreadable > 0:
		return fmt.Errorf("%w: %s, of which all that should hold it have answered", venti.ErrNotFound,
			count(s.Unreadable, "block", "blocks"))
	case missing != nil:
		return fmt.Errorf("not every block could be asked about: %w", missing)
	case s.Below > 0:
		return thin{fmt.Sprintf("%s below the swarm's target redundancy", count(s.Below, "block is", "blocks are"))}
	}
	return nil
}

// printSurvey writes a survey for people.
func (a *app) printSurvey(s *survey) error {
	switch w := s.Weakest; {
	case w == nil:
		fmt.Fprintln(a.out, "Nothing could be asked about.")
		return nil
	case s.Unreadable > 0:
		fmt.Fprintf(a.out, "%d of %s cannot be brought back from the members that answer now.\n\n", s.Unreadable,
			count(s.Blocks, "block", "blocks"))
	default:
		fmt.Fprintf(a.out, "Every block has %s more than it needs, or above; asked just now.\n\n",
			count(int64(w.above), "fragment", "fragments"))
	}
	if err := a.printAbove(s.Above); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	at := printable(string(s.Weakest.Path))
	if at == "" {
		at = "the top of the snapshot"
	}
	fmt.Fprintf(t, "weakest\t%s, %d fragments of %d, %d needed, for %s\n", s.Weakest.Score.Short(), s.Weakest.Present,
		s.Weakest.Total, s.Weakest.Need, at)
	fmt.Fprintf(t, "stored\t%s in %s", size(s.Bytes), count(s.Blocks, "block", "blocks"))
	if s.Bytes > 0 {
		fmt.Fprintf(t, ", %s in fragments, %.2f times as much", size(s.Stored), s.Overhead)
	}
	fmt.Fprintf(t, "\nasked\t%s, %d did not come\n", count(s.Asked, "answer", "answers"), s.Silent)
	fmt.Fprintf(t, "proven\t%s\n", s.proven)
	return t.Flush()
}

// printAbove writes how many blocks have how many fragments above what is needed.
func (a *app) printAbove(h above) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "ABOVE\tBLOCKS\t")
	most := slices.Max(slices.Collect(maps.Values(h)))
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(h))) {
		fmt.Fprintf(w, "%d\t%d\t  %s\n", k, h[k], strings.Repeat("#", max(1, int(40*h[k]/most))))
	}
	return w.Flush()
}

// statusInFolder says whether the blocks of a snapshot are there.
func (a *app) statusInFolder(ctx context.Context, t *vac.Tree) error {
	s := &survey{Type: "snapshot_status", Score: scoreText(t.Ref.Score), Above: above{}}
	missing := a.eachBatch(ctx, t, "status", func(batch []place) error {
		scores := make([]venti.Score, len(batch))
		for i, p := range batch {
			scores[i] = p.score
		}
		there, err := a.disk.Has(ctx, scores)
		for i, ok := range there {
			s.Blocks++
			if ok {
				s.Above[0]++
				continue
			}
			s.Above[-1]++
			s.Unreadable++
			if s.Weakest == nil {
				s.Weakest = &weakest{Score: batch[i].score, Text: batch[i].score.String(), Path: rawName(batch[i].path), Need: 1, Total: 1}
			}
		}
		return err
	})
	var err error
	switch {
	case a.json:
		err = a.print(s)
	case s.Unreadable == 0:
		fmt.Fprintf(a.out, "All %s of it are in the store, each once (vdh check reads them).\n", count(s.Blocks, "block", "blocks"))
	default:
		fmt.Fprintf(a.out, "%d of %s of it are not in the store; the first is for %s (vdh check says more).\n", s.Unreadable,
			count(s.Blocks, "block", "blocks"), printable(string(s.Weakest.Path)))
	}
	if err != nil {
		return err
	}
	if s.Unreadable > 0 {
		return fmt.Errorf("%w: %s", venti.ErrNotFound, count(s.Unreadable, "block", "blocks"))
	}
	return missing
}
