package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCheckTurns holds that every part is read within the stated days, whatever nights are missed and however often a
// job runs, as far as it can be.
func TestCheckTurns(t *testing.T) {
	const days = 30
	begin := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	for name, night := range map[string]func(i int) time.Time{
		"nightly": func(i int) time.Time { return begin.AddDate(0, 0, i) },
		"late by up to eight hours": func(i int) time.Time {
			return begin.AddDate(0, 0, i).Add(time.Duration(i*7%9) * time.Hour)
		},
		"weekly": func(i int) time.Time { return begin.AddDate(0, 0, 7*i) },
		"hourly": func(i int) time.Time { return begin.Add(time.Duration(i) * time.Hour) },
		"seldom": func(i int) time.Time { return begin.AddDate(0, 0, 45*i) },
	} {
		var c checkState
		last := map[int]time.Time{}
		read, rounds := 0, 0
		var now time.Time
		for i := range 2000 {
			now = night(i)
			for _, part := range c.due(now, days) {
				last[part] = now
				read++
				if since := c.whole(now, part); !since.IsZero() {
					rounds++
					for part := range days {
						if at, ok := last[part]; !ok || at.Before(since) {
							t.Fatalf("%s: part %d was read last at %v, and all since %v", name, part, at, since)
						}
					}
				}
				c.done(now, part, true)
			}
			if i == 0 {
				continue
			}
			gap := now.Sub(night(i - 1))
			for part, at := range last {
				if now.Sub(at) > days*24*time.Hour+max(gap, 24*time.Hour) {
					t.Fatalf("%s: after %d nights part %d was read %v ago", name, i, part, now.Sub(at))
				}
			}
		}
		if len(last) != days {
			t.Errorf("%s: %d parts were read", name, len(last))
		}
		if want := read/days - 1; rounds < want {
			t.Errorf("%s: %d rounds of %d parts, of %d read", name, rounds, days, read)
		}
		if most := now.Sub(begin).Hours()/24*2 + 2; float64(read) > most {
			t.Errorf("%s: %d parts were read in %v", name, read, now.Sub(begin))
		}
	}
}

// TestWholeRound: while a part has damage, no round is whole.
func TestWholeRound(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(1_800_000_000, 0).AddDate(0, 0, n) }
	c := checkState{Parts: 3}
	for i, s := range []struct {
		part  int
		whole bool
		since int // 0: nothing is said
	}{
		{0, true, 0}, {1, true, 0}, {2, true, 1}, // days 1 to 3
		{0, true, 0}, {1, false, 0}, {2, true, 0}, {1, true, 0}, // days 4 to 7: part 1 is read once more, and whole
		{0, true, 0}, {1, true, 0}, {2, true, 8},
	} {
		want := time.Time{}
		if s.since > 0 {
			want = day(s.since)
		}
		if got := c.whole(day(i+1), s.part); !got.Equal(want) {
			t.Errorf("day %d: %v, want %v", i+1, got, want)
		}
		c.done(day(i+1), s.part, s.whole)
	}
	if c = (checkState{Parts: 1}); !c.whole(day(5), 0).Equal(day(5)) {
		t.Error("one part is all")
	}
}

func TestCheckState(t *testing.T) {
	now := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	c := checkState{Parts: 7, Next: 3, Last: now.Add(-24 * time.Hour)}
	want := func(at time.Time, days int, parts ...int) {
		t.Helper()
		if got := c.due(at, days); !slices.Equal(got, parts) {
			t.Errorf("due are %v, not %v; %+v", got, parts, c)
		}
	}
	want(now, 7, 3)
	c.done(now, 3, false)
	want(now.Add(time.Hour), 7, 3) // damage is looked at each time
	want(now.Add(24*time.Hour), 7, 3, 4)
	c.done(now.Add(24*time.Hour), 3, true)
	want(now.Add(24*time.Hour), 7, 4)
	want(now.AddDate(0, 0, 3), 7, 4, 5, 6)
	want(now.AddDate(1, 0, 0), 7, 4, 5, 6, 0, 1, 2, 3)
	want(now.AddDate(-1, 0, 0), 7, 4) // the clock was wrong
	want(now, 9, 0)                   // another division begins anew
	c = checkState{Parts: 7, Next: 99, Bad: []int{-4, 2, 88}}
	want(now, 7, 0)
	c = checkState{Parts: 7, Next: 1, Last: now, Bad: []int{-4, 2, 88}}
	want(now, 7, 2)
}

func TestJobState(t *testing.T) {
	dir := t.TempDir()
	empty, err := loadJob(dir, "srv")
	if err != nil || !empty.Began.IsZero() {
		t.Fatal(empty, err)
	}
	now := time.Now().UTC().Round(0)
	s := &jobState{Version: 1, Began: now, Code: 3, Step: "backup", Kept: &keptSnapshot{Score: "vac:1", Time: now, Paths: []string{"/a\nb"}},
		Check: checkState{Parts: 30, Next: 3, Bad: []int{1}}}
	if err := s.save(dir, "srv"); err != nil {
		t.Fatal(err)
	}
	if got, err := loadJob(dir, "srv"); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("%+v, %v", got, err)
	}
	good, err := os.ReadFile(filepath.Join(dir, "srv.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"torn": string(good[:len(good)/2]), "empty": "", "other version": `{"version":2}`,
		"unknown field": `{"version":1,"more":1}`, "two": string(good) + string(good), "too long": strings.Repeat(" ", maxJobState) + string(good)} {
		if err := os.WriteFile(filepath.Join(dir, "srv.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := loadJob(dir, "srv"); err == nil || !reflect.DeepEqual(got, empty) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzJobState(f *testing.F) {
	f.Add([]byte(`{"version":1,"began":"2026-11-21T02:00:00Z","code":0,"seconds":1.5,"check":{"parts":30,"next":3,"bad":[1]}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, "a.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := loadJob(dir, "a")
		if err != nil {
			return
		}
		for _, p := range s.Check.due(time.Now(), 30) {
			if p < 0 || p >= 30 {
				t.Errorf("part %d is due", p)
			}
		}
		if one, err := json.Marshal(s); err != nil {
			t.Error(err)
		} else if err := s.save(dir, "b"); err != nil {
			t.Error(err)
		} else if again, err := loadJob(dir, "b"); err != nil {
			t.Error(err)
		} else if two, _ := json.Marshal(again); len(s.Check.Bad) > 0 && !bytes.Equal(one, two) {
			t.Errorf("%s is %s the second time", one, two)
		}
	})
}

func TestJobLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "srv.lock")
	unlock, err := lockFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFile(path, false); !errors.Is(err, errRunning) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	unlock, err = lockFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestJobMetrics(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	jobs := []rememberedJob{
		{"mail", &jobState{Began: at}},
		{"srv", &jobState{Began: at, Ended: at.Add(90 * time.Second), Success: at.AddDate(0, 0, -1), Code: 3, Seconds: 90.5, Check: checkState{Bad: []int{1, 2}},
			Kept: &keptSnapshot{Time: at, Store: "folder", Host: `b"ox`, Paths: []string{"/srv", "/a\\b\n\xff"}, Files: 7, Bytes: 1 << 40, Added: 12, Read: 13, Unreadable: 2}}},
		{"srv-old", &jobState{Kept: &keptSnapshot{Time: at.Add(-time.Hour), Store: "folder", Host: `b"ox`, Paths: []string{"/srv"}}}},
	}
	const want = "testdata/jobs.prom"
	expect, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := jobMetrics(jobs); !bytes.Equal(got, expect) {
		t.Errorf("not as in %s:\n%s", want, got)
	}
}
