package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A holed swarm has members that name roots which cannot be had.
type holed struct {
	*fakeSwarm
	bad map[venti.Score]error
}

func (h *holed) Roots(ctx context.Context, o dhash.Owner, fn func(venti.Score) error) error {
	for s := range h.bad {
		if err := fn(s); err != nil {
			return err
		}
	}
	return h.fakeSwarm.Roots(ctx, o, fn)
}

func (h *holed) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	if err := h.bad[s]; err != nil {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return h.fakeSwarm.Get(ctx, s)
}

// TestDamagedRoots: a root that members name and that is damaged or lost is told of, and not only one that may be had later.
func TestDamagedRoots(t *testing.T) {
	m := newSwarmMachine(t)
	score, _ := m.run(0, "backup", m.source())
	for _, c := range []struct {
		bad  []error
		want string
	}{
		{nil, ""},
		{[]error{venti.ErrCorrupt}, "1 root that members name is damaged or lost"},
		{[]error{venti.ErrNotFound, venti.ErrCorrupt}, "2 roots that members name are damaged or lost"},
		{[]error{venti.ErrUnavailable}, "not all members answer"},
	} {
		h := &holed{m.swarm, map[venti.Score]error{}}
		for i, err := range c.bad {
			h.bad[venti.Sum(fmt.Append(nil, i))] = err
		}
		var o, e bytes.Buffer
		a := newApp(strings.NewReader(""), &o, &e)
		a.dial = func(ctx context.Context, create bool) (swarmStore, error) {
			_, err := m.swarm.dial(ctx, create)
			return h, err
		}
		if code := a.execute(t.Context(), []string{"snapshots", "--all"}); code != exitOK || !strings.Contains(o.String(), score[4:16]) {
			t.Errorf("%v: exit code %d\n%s", c.bad, code, o.String())
		}
		said := strings.Contains(e.String(), "root") || strings.Contains(e.String(), "there may be more")
		if !strings.Contains(e.String(), c.want) || said != (c.want != "") {
			t.Errorf("%v: %s", c.bad, e.String())
		}
	}
}
