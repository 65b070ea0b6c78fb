package ventitest_test

import (
	"errors"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

func TestMemory(t *testing.T) {
	ventitest.TestStore(t, func(*testing.T) venti.Store { return ventitest.NewMemory() })
}

func TestMemoryFaults(t *testing.T) {
	m, block := ventitest.NewMemory(), []byte("a block")
	score, err := m.Put(t.Context(), block)
	if err != nil {
		t.Fatal(err)
	}
	get := func(want error) {
		t.Helper()
		if _, err := m.Get(t.Context(), score); !errors.Is(err, want) {
			t.Errorf("Get: %v, want %v", err, want)
		}
	}
	has := func(want bool, wantErr error) {
		t.Helper()
		got, err := m.Has(t.Context(), []venti.Score{score})
		if !errors.Is(err, wantErr) || err == nil && got[0] != want {
			t.Errorf("Has: %v, %v; want %v, %v", got, err, want, wantErr)
		}
	}
	if !m.Corrupt(score) {
		t.Error("Corrupt did not find the block")
	}
	get(venti.ErrCorrupt)
	has(true, nil)
	if _, err := m.Put(t.Context(), block); err != nil {
		t.Fatal(err)
	}
	get(nil)
	m.Unavailable(score, true)
	get(venti.ErrUnavailable)
	has(false, venti.ErrUnavailable)
	m.Unavailable(score, false)
	get(nil)
	m.Fail(errBroken)
	get(errBroken)
	m.Fail(nil)
	if !m.Drop(score) || m.Drop(score) || m.Corrupt(score) {
		t.Error("Drop forgets a block once")
	}
	get(venti.ErrNotFound)
	has(false, nil)
	if m.Len() != 0 || len(m.Scores()) != 0 || m.Syncs() != 0 {
		t.Error("an empty store has something")
	}
}

var errBroken = errors.New("broken")
