package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"ventidhash/dhash"
	"ventidhash/snapshot"
	"ventidhash/venti"
)

// The file beside a catalog in which it is kept when each snapshot was last proven: FORMAT.md.
const (
	provenFile    = "proven"
	provenHead    = "vdh proven 1\n"
	maxProvenFile = 16 << 20
)

// A lastProof says what the last check, by challenge, or of a folder by reading, has found of a snapshot.
type lastProof struct {
	at    time.Time // in seconds
	above int       // fragments that its weakest block had beyond those needed, at least; below zero: not all was proven
}

// provens are the last proofs of snapshots, by score.
type provens map[venti.Score]lastProof

var errProven = errors.New("not a list of proofs")

// encode returns the bytes of the file.
func (k provens) encode() []byte {
	var scores []venti.Score
	for s := range k {
		scores = append(scores, s)
	}
	slices.SortFunc(scores, func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	b := []byte(provenHead)
	for _, s := range scores {
		b = fmt.Appendf(b, "%s %d %d\n", s, k[s].at.Unix(), k[s].above)
	}
	return b
}

// parseProvens reads what encode wrote, and nothing else.
func parseProvens(b []byte) (provens, error) {
	lines, ok := strings.CutPrefix(string(b), provenHead)
	if !ok {
		return nil, errProven
	}
	k := provens{}
	for line := range strings.Lines(lines) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) != 3 {
			return nil, errProven
		}
		s, err := venti.ParseScore(f[0])
		at, e := strconv.ParseInt(f[1], 10, 64)
		above, e2 := strconv.Atoi(f[2])
		if err := errors.Join(err, e, e2); err != nil || above < -dhash.MaxTotal || above > dhash.MaxTotal {
			return nil, errProven
		}
		k[s] = lastProof{time.Unix(at, 0), above}
	}
	if !bytes.Equal(k.encode(), b) {
		return nil, errProven
	}
	return k, nil
}

// readProvens returns what is known of the proofs of an owner's snapshots. A file that cannot be read says nothing.
func readProvens(dir string) provens {
	f, err := os.Open(filepath.Join(dir, provenFile))
	if err != nil {
		return provens{}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProvenFile+1))
	if err != nil || len(b) > maxProvenFile {
		return provens{}
	}
	k, err := parseProvens(b)
	if err != nil {
		return provens{}
	}
	return k
}

// write replaces the file. Of two checks at once the later one's word stands, which loses a date and nothing else.
func (k provens) write(dir string) error {
	f, err := os.CreateTemp(dir, provenFile+".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(k.encode())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, provenFile))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// keepProofs notes what a check has proven.
func (a *app) keepProofs(ctx context.Context, r *checkReport) {
	found := provens{}
	for i, least := range r.leastOf() {
		found[r.snaps[i].Score] = lastProof{r.begin, least}
	}
	a.noteProofs(ctx, func([]snapshot.Snapshot) provens { return found })
}

// keepRound notes that the contents of all snapshots that there were at a time have been read since, part by part.
func (a *app) keepRound(ctx context.Context, since time.Time) {
	a.noteProofs(ctx, func(all []snapshot.Snapshot) provens {
		found := provens{}
		for _, s := range all {
			if !s.Time.After(since) {
				found[s.Score] = lastProof{since, 0}
			}
		}
		return found
	})
}

// noteProofs adds what was found of the snapshots of the catalog to what is known, and forgets what is not in it any more.
// It is no failure of a check if that cannot be.
func (a *app) noteProofs(ctx context.Context, found func([]snapshot.Snapshot) provens) {
	err := func() error {
		at, err := a.where()
		if err != nil {
			return err
		}
		all, err := a.list(ctx)
		if err != nil {
			return err
		}
		dir := at.catalog(a.owner)
		old, now := readProvens(dir), provens{}
		for _, s := range all {
			if p, ok := old[s.Score]; ok {
				now[s.Score] = p
			}
		}
		maps.Copy(now, found(all))
		return now.write(dir)
	}()
	if err != nil && !isReadOnly(err) {
		a.note("vdh: when the snapshots were proven could not be kept for vdh status: %v", err)
	}
}

// proven returns what is known of the proofs of the owner's snapshots; nil where the store is no swarm.
func (a *app) proven() provens {
	at, err := a.where()
	if err != nil || !at.swarm || a.owner == nil {
		return nil
	}
	return readProvens(at.catalog(a.owner))
}

// leastOf returns, for each snapshot of which the check can tell, how far its weakest block is above what it needs.
func (r *checkReport) leastOf() map[int]int {
	if r.proofs != nil {
		return r.proofs.leastOf(len(r.snaps), r.found.Damaged)
	}
	out := map[int]int{}
	if r.readData && r.part.of == 0 {
		for i := range r.snaps {
			out[i] = 0
		}
	}
	for _, d := range r.found.Damaged {
		for _, t := range d.Touched {
			for _, i := range t.Snapshots {
				out[i] = -1
			}
		}
	}
	return out
}

// lastProven returns what checks of the store have found last, nil without one.
func (a *app) lastProven(at location) *lastProof {
	if a.owner == nil {
		return nil
	}
	return readProvens(at.catalog(a.owner)).last()
}

// last returns the proof that tells most about all snapshots: the newest of those that found something wrong, or else the
// weakest of the newest; nil if there is none.
func (k provens) last() *lastProof {
	wrong := func(p lastProof) int { return min(0, max(-1, p.above)) }
	var best *lastProof
	for _, p := range k {
		if best == nil || cmp.Or(cmp.Compare(wrong(p), wrong(*best)), best.at.Compare(p.at), cmp.Compare(p.above, best.above)) < 0 {
			best = &p
		}
	}
	return best
}

// A provenLine is what JSON says about the last proof of a snapshot.
type provenLine struct {
	Proven      *time.Time `json:"proven,omitempty"`
	ProvenAbove *int       `json:"proven_above,omitempty"`
}

func (k provens) line(s venti.Score) (l provenLine) {
	if p, ok := k[s]; ok {
		l = provenLine{&p.at, &p.above}
	}
	return l
}

// text says for people when a snapshot was last proven.
func (k provens) text(s venti.Score) string {
	switch p, ok := k[s]; {
	case !ok:
		return "never"
	case p.above < 0:
		return humanize.Time(p.at) + ", not all"
	default:
		return fmt.Sprintf("%s, %d above", humanize.Time(p.at), p.above)
	}
}
