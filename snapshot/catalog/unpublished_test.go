package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// A cut is a machine that puts snapshot 1 on the list, which builds on snapshot 0, and is cut off: member 0 alone has its
// head. Then another machine, which does not see that, forgets snapshot 0, and may let go of what it needed.
type cut struct {
	*story
	a, b   catalog.Config
	vetted []venti.Score // by a
	bad    error         // what a's Vet says
}

// newCut plays it; more is done by the machine before it is cut off.
func newCut(t *testing.T, more func(t *testing.T, a catalog.Config)) *cut {
	c := &cut{story: newStory(t, 0, 2)}
	c.a, c.b = c.cfgs[0], c.cfgs[1]
	c.a.Vet = func(_ context.Context, s snapshot.Snapshot, _ []snapshot.Snapshot) error {
		c.vetted = append(c.vetted, s.Score)
		return c.bad
	}
	must(t, mustOpen(t, c.a).Add(t.Context(), snap(0)))
	must(t, mustOpen(t, c.b).Refresh(t.Context()))
	if more != nil {
		more(t, c.a)
	}
	c.members.full = [5]bool{1: true, 2: true, 3: true, 4: true}
	wantApart(t, mustOpen(t, c.a).Add(t.Context(), snap(1)), errFew)
	c.members.full = [5]bool{}
	c.members.down = [5]bool{0: true}
	must(t, mustOpen(t, c.b).Remove(t.Context(), snap(0).Score))
	c.members.down = [5]bool{1: true, 2: true} // so that whoever looks finds what member 0 has
	c.vetted = nil
	return c
}

// wantVetted holds that a has looked at snapshot 1 if it should, and at nothing else.
func (c *cut) wantVetted(what string, should bool) {
	c.t.Helper()
	if slices.Contains(c.vetted, snap(1).Score) != should || slices.ContainsFunc(c.vetted, func(s venti.Score) bool { return s != snap(1).Score }) {
		c.t.Errorf("%s: %d snapshots were vetted", what, len(c.vetted))
	}
	c.vetted = nil
}

// What was put on the list here, and has reached some members, is vetted until it was published from here, wherever it is
// found by then.
func TestHeadThatFewKeepIsVetted(t *testing.T) {
	alone := func(t *testing.T, a catalog.Config) { // so that its head will have a higher number than that of the other machine
		a.Heads = nil
		must(t, mustOpen(t, a).Add(t.Context(), snap(2)))
		must(t, mustOpen(t, a).Remove(t.Context(), snap(2).Score))
	}
	for what, x := range map[string]struct {
		before func(t *testing.T, a catalog.Config)
		after  func(c *cut)
	}{
		"its own head is found, and one in conflict":  {nil, func(*cut) {}},
		"its own head is found, with a higher number": {alone, func(*cut) {}},
		"another machine has found and published it":  {nil, func(c *cut) { must(c.t, mustOpen(c.t, c.b).Refresh(c.t.Context())) }},
		"the members have told each other of its head": {alone, func(c *cut) {
			for i := range c.members.kept {
				c.members.kept[i] = c.members.kept[0]
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCut(t, x.before)
				x.after(c)
				must(t, mustOpen(t, c.a).Refresh(t.Context()))
				c.wantVetted("found again", true)
				must(t, mustOpen(t, c.a).Refresh(t.Context()))
				c.wantVetted("published", false)
				c.members.down = [5]bool{}
				must(t, mustOpen(t, c.b).Refresh(t.Context()))
				c.everybody("all", []snapshot.Snapshot{snap(1)})
			})
		})
	}
}

// What is found not to be whole is not published, and vetted until it is, or is forgotten.
func TestNotWholeIsNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCut(t, nil)
		c.bad = errors.New("blocks are missing")
		before := c.members.kept
		for range 2 {
			wantApart(t, mustOpen(t, c.a).Refresh(t.Context()), c.bad)
			c.wantVetted("not whole", true)
		}
		for i := range before {
			if !slices.Equal(before[i], c.members.kept[i]) {
				t.Errorf("member %d was handed a head", i)
			}
		}
		must(t, mustOpen(t, c.a).Remove(t.Context(), snap(1).Score))
		c.wantVetted("forgotten", false)
		c.members.down = [5]bool{}
		c.everybody("all", []snapshot.Snapshot{})
	})
}

// A note that is damaged, or of another version, keeps the head here; the list is changed all the same.
func TestDamagedNoteOfUnpublished(t *testing.T) {
	score := snap(1).Score
	for _, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:0] },
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { return append(b, 0) },
		func(b []byte) []byte { b[0]++; return b },
		func(b []byte) []byte { b[1] ^= 1; return b },
		func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCut(t, nil)
			name := filepath.Join(c.a.Dir, "unpublished")
			b, err := os.ReadFile(name)
			must(t, err)
			if len(b) != 1+2*venti.ScoreSize || venti.Score(b[1:]) != score {
				t.Fatalf("the note is %x", b)
			}
			must(t, os.WriteFile(name, damage(b), 0o600))
			before := c.members.kept
			wantApart(t, mustOpen(t, c.a).Add(t.Context(), snap(3)), venti.ErrCorrupt)
			for i := range before {
				if !slices.Equal(before[i], c.members.kept[i]) {
					t.Errorf("member %d was handed a head", i)
				}
			}
			wantList(t, mustOpen(t, c.a), []snapshot.Snapshot{snap(1), snap(3)})
			must(t, os.Remove(name)) // as the error says
			must(t, mustOpen(t, c.a).Refresh(t.Context()))
		})
	}
}

func TestUnpublishedVectors(t *testing.T) {
	for _, c := range cases(t, "unpublished.txt") {
		note := unhex(t, c["note"])
		got, err := catalog.DecodeUnpublished(note)
		if c["expect"] != "ok" {
			if err == nil {
				t.Errorf("%s: accepted", c["case"])
			}
			continue
		}
		want := map[venti.Score]bool{}
		for score := range strings.FieldsSeq(c["scores"]) {
			want[venti.Score(unhex(t, score))] = true
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got %v, %v", c["case"], got, err)
		}
		if made := catalog.EncodeUnpublished(want); !bytes.Equal(made, note) {
			t.Errorf("%s: encoded as %x", c["case"], made)
		}
	}
	many := map[venti.Score]bool{}
	for i := range 1<<16 + 1 {
		many[venti.Sum(fmt.Append(nil, i))] = true
	}
	if _, err := catalog.DecodeUnpublished(catalog.EncodeUnpublished(many)); err == nil {
		t.Error("accepted one more than there may be")
	}
	delete(many, venti.Sum([]byte("0")))
	if got, err := catalog.DecodeUnpublished(catalog.EncodeUnpublished(many)); err != nil || len(got) != 1<<16 {
		t.Errorf("as many as there may be: %d, %v", len(got), err)
	}
}

// FuzzUnpublished gives what it is given the right sum too.
func FuzzUnpublished(f *testing.F) {
	for _, c := range cases(f, "unpublished.txt") {
		f.Add(unhex(f, c["note"]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := venti.Sum(b)
		for _, b := range [][]byte{b, append(slices.Clone(b), sum[:]...)} {
			scores, err := catalog.DecodeUnpublished(b)
			if err == nil && !bytes.Equal(catalog.EncodeUnpublished(scores), b) {
				t.Fatalf("%x was accepted, and is encoded as %x", b, catalog.EncodeUnpublished(scores))
			}
		}
	})
}
