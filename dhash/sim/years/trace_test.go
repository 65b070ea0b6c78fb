package years_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash/sim/years"
)

// A tape is a trace in the making.
type tape struct{ strings.Builder }

func newTape(members int) *tape {
	t := &tape{}
	t.WriteString("time,member,event\n")
	for m := range members {
		t.add(0, m, "up")
	}
	return t
}

func (t *tape) add(at time.Duration, member int, event string) {
	fmt.Fprintf(t, "%d,m%d,%s\n", at/time.Second, member, event)
}

func (t *tape) parse(test *testing.T) []years.Event {
	test.Helper()
	events, err := years.ParseTrace(strings.NewReader(t.String()))
	if err != nil {
		test.Fatal(err)
	}
	return events
}

func TestParseTrace(t *testing.T) {
	const first = "time,member,event\n0,a,up\n0,b,down\n"
	got, err := years.ParseTrace(strings.NewReader(first + "7,b,up\n7,a,dead\n9,c-_.9,up\n9,b,down"))
	want := []years.Event{{0, 0, years.Join}, {0, 1, years.Join}, {0, 1, years.Down}, {7 * time.Second, 1, years.Up},
		{7 * time.Second, 0, years.Dead}, {9 * time.Second, 2, years.Join}, {9 * time.Second, 1, years.Down}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for name, v := range map[string]struct{ text, want string }{
		"empty":       {"", "it is empty"},
		"no header":   {"0,a,up\n", "line 1: want \"time,member,event\""},
		"nobody":      {"time,member,event\n5,a,up\n", "no member is there at time 0"},
		"fields":      {first + "1,a\n", "line 4: 2 fields"},
		"empty line":  {first + "\n", "line 4: 1 fields"},
		"space":       {first + "1, a,down\n", `line 4: member " a"`},
		"fraction":    {first + "1.5,a,down\n", `line 4: time "1.5"`},
		"zeros":       {first + "01,a,down\n", `line 4: time "01"`},
		"sign":        {first + "-1,a,down\n", `line 4: time "-1"`},
		"too late":    {first + "99999999999,a,down\n", `line 4: time "99999999999"`},
		"backwards":   {first + "5,a,down\n4,a,up\n", "line 5: time 4 is before"},
		"event":       {first + "1,a,gone\n", `line 4: event "gone", want up, down or dead`},
		"twice":       {first + "1,a,up\n", "line 4: member a was so before"},
		"twice down":  {first + "1,b,down\n", "line 4: member b was so before"},
		"dead":        {first + "1,a,dead\n2,a,up\n", "line 5: member a is dead"},
		"not joined":  {first + "1,c,down\n", "line 4: member c has not joined"},
		"stillborn":   {first + "0,c,dead\n", "line 4: member c has not joined"},
		"long line":   {first + strings.Repeat("x", 300) + "\n", "line 4: longer than 256 bytes"},
		"long name":   {first + "1," + strings.Repeat("x", 65) + ",up\n", "line 4: member"},
		"empty name":  {first + "1,,up\n", `line 4: member ""`},
		"three words": {first + "1,a,down,x\n", "line 4: 4 fields"},
	} {
		_, err := years.ParseTrace(strings.NewReader(v.text))
		if err == nil || !strings.Contains(err.Error(), v.want) || !errors.Is(err, years.ErrTrace) {
			t.Errorf("%s: %v, want %q", name, err, v.want)
		}
	}
	broken := errors.New("broken")
	if _, err := years.ParseTrace(failing{broken}); !errors.Is(err, broken) || errors.Is(err, years.ErrTrace) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// What is accepted can be simulated.
func FuzzParseTrace(f *testing.F) {
	f.Add("time,member,event\n0,a,up\n0,b,down\n7,b,up\n7,a,dead\n9,c,up\n9,b,down")
	f.Add("time,member,event\n0,a,up\n0,a,dead\n0,b,up\n5000,b,down\n90000,b,up\n")
	f.Fuzz(func(t *testing.T, text string) {
		events, err := years.ParseTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		_, err = years.CheckRun(years.Config{Trace: events, Blocks: 20, Duration: 3 * years.Day, Reads: 20}, 1)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

// Who is silent for less than the grace period costs nothing; nor does who is gone for a while, as long as the block
// stays above the threshold; and what those had who return counts again.
func TestReturning(t *testing.T) {
	for name, v := range map[string]struct {
		silent  int
		days    int
		counted int // the fewest fragments that count
		repair  bool
	}{
		"4 within grace": {4, 0, 20, false},
		"3 for a week":   {3, 7, 17, false},
		"4 for a week":   {4, 7, 16, true},
	} {
		tape := newTape(20)
		silence := 20*time.Hour + time.Duration(v.days)*years.Day
		for m := range v.silent {
			tape.add(time.Hour, m, "down")
		}
		for m := 20; m < 30; m++ {
			tape.add(2*time.Hour, m, "up") // from whom the new holders are taken
		}
		for m := range v.silent {
			tape.add(time.Hour+silence, m, "up")
		}
		cfg := years.Config{Trace: tape.parse(t), Blocks: 200, Duration: 20 * years.Day, Code: code(t, "8/20"), Stray: 64, Reads: 10}
		res, err := years.CheckRun(cfg, 13)
		if err != nil {
			t.Fatal(name, err)
		}
		fewest := 0
		for res.Counted[fewest] == 0 {
			fewest++
		}
		if fewest != v.counted || (res.Bytes.Repair() > 0) != v.repair || res.Urgent > 0 || res.Lost+res.Spells > 0 {
			t.Errorf("%s: %d counted at the fewest, %+v", name, fewest, res)
		}
		if v.repair {
			const payload = 1 << 20 / 8
			want := years.Traffic{MendRead: 200 * 7 * payload, MendWritten: 200 * 4 * payload}
			if res.Bytes != want || res.Mended != 200 || res.Trimmed != 800 {
				t.Errorf("%s: %+v, %d mended, %d trimmed", name, res.Bytes, res.Mended, res.Trimmed)
			}
		}
	}
}

// Of blocks on exactly 20 members, twelve deaths within the grace period lose nothing, thirteen everything.
func TestLoss(t *testing.T) {
	for deaths, lost := range map[int]int{12: 0, 13: 400} {
		tape := newTape(20)
		for m := range deaths {
			tape.add(time.Hour, m, "dead")
		}
		cfg := years.Config{Trace: tape.parse(t), Blocks: 400, Duration: 10 * years.Day, Code: code(t, "8/20"), Reads: 1000}
		res := run(t, cfg)
		if res.Lost != lost || res.Spells != lost || res.Deaths != deaths {
			t.Errorf("%d deaths: %+v", deaths, res)
		}
		part := float64(lost) / 400 * (10*24 - 1) / (10 * 24)
		if diff := res.Unavailability - part; diff > 1e-9 || diff < -1e-9 {
			t.Errorf("%d deaths: unavailability %g, want %g", deaths, res.Unavailability, part)
		}
	}
}
