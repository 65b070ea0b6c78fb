package main

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ventidhash/bench/dataset"
)

// copier is a backup program of shell commands: its store is a plain copy.
func copier(restore string) *tool {
	return &tool{
		name: "copier",
		env:  func(p place) []string { return []string{"STORE=" + p.store(), "SOURCE=" + p.source} },
		args: func(p place, s step) [][]string {
			switch s {
			case stepInit:
				return [][]string{{"-c", `mkdir "$STORE"`}}
			case stepList, stepCheck:
				return [][]string{{"-c", `ls "$STORE"`}}
			case stepRestore:
				return [][]string{{"-c", `cp -a "$STORE/latest" tree`}, {"-c", restore}}
			default:
				return [][]string{{"-c", `rm -rf "$STORE/latest"`}, {"-c", `cp -a "$SOURCE" "$STORE/latest"`}}
			}
		},
		tree: func(p place) string { return filepath.Join(p.target, "tree") },
		full: true,
	}
}

func TestCycle(t *testing.T) {
	for name, test := range map[string]struct {
		restore  string
		want     []string
		failures int
	}{
		"faithful": {restore: "true"},
		"failing":  {restore: "exit 9", failures: 1},
		"careless": {
			`cd tree && rm noise0.bin && touch noise1.bin && chmod 600 noise2.bin && printf x | dd of=noise3.bin conv=notrunc status=none && : >more`,
			[]string{".: modified", "noise0.bin: missing", "noise1.bin: modified", "noise2.bin: mode", "noise3.bin: modified",
				"noise3.bin: content", "more: not in the source"},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := &bench{dir: dir, programs: map[string]string{"copier": "/bin/sh"}}
			set := dataset.Set{Kind: dataset.Noise, Seed: 1, Shrink: 1000}
			c, err := b.cycle(context.Background(), set, copier(test.restore))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Failures) != test.failures || len(c.Figures) != len(steps)-test.failures {
				t.Errorf("%d steps done, failed: %q", len(c.Figures), c.Failures)
			}
			first, _ := c.at(stepFirst)
			if first.Store.Apparent != 8*(128<<20/1000) || first.Added != first.Store.Allocated || first.Added == 0 {
				t.Errorf("first backup: %+v", first)
			}
			if first.Peak == 0 || first.Wall == 0 {
				t.Errorf("not measured: %+v", first)
			}
			if got := strings.Join(c.Differences, "\n"); len(c.Differences) != len(test.want) {
				t.Errorf("differences:\n%s\nwant %q", got, test.want)
			}
			for i, prefix := range test.want {
				if i < len(c.Differences) && !strings.HasPrefix(c.Differences[i], prefix) {
					t.Errorf("difference %q, want %q", c.Differences[i], prefix)
				}
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestRunReportsFailure(t *testing.T) {
	_, _, err := command{path: "/bin/sh", args: []string{"-c", "echo reason >&2; exit 7"}}.run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "reason") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	// The child's child holds the pipe; only a signal to the whole group ends it.
	_, _, err := command{path: "/bin/sh", args: []string{"-c", "sleep 1000 & wait"}}.run(ctx)
	if err == nil {
		t.Error("no error from a killed command")
	}
}

func TestRunCountsDescendants(t *testing.T) {
	script := `dd if=/dev/zero of=/dev/null bs=64M count=1 status=none`
	c, _, err := command{path: "/bin/sh", args: []string{"-c", script + "; :"}}.run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if c.Peak < 64<<20 {
		t.Errorf("peak %d bytes of a shell whose child holds 64 MiB", c.Peak)
	}
}

func TestCommandsCoverEveryStep(t *testing.T) {
	p := place{program: "/bin/x", home: "/h", source: "/s", target: "/t"}
	for _, tool := range append([]*tool{&vdh}, others...) {
		for _, s := range steps {
			for _, args := range tool.args(p, s) {
				if len(args) == 0 {
					t.Errorf("%s %s: no command", tool.name, s)
				}
			}
		}
		if !strings.HasPrefix(tool.storeOf(p), p.home) || !strings.HasPrefix(tool.tree(p), p.target) {
			t.Errorf("%s works outside its folders", tool.name)
		}
	}
}

// result makes two pairs with restic and one with borg from wall times of the first backup.
func result(ours, theirs []float64, names []string) *setResult {
	r := &setResult{Set: "small"}
	one := func(name string, wall float64) *cycle {
		f := figures{Step: stepFirst}
		f.Wall = wall
		return &cycle{Tool: name, Figures: []figures{f}}
	}
	for i := range ours {
		r.Pairs = append(r.Pairs, pair{Ours: one("vdh", ours[i]), Other: one(names[i], theirs[i])})
	}
	return r
}

func TestStatistics(t *testing.T) {
	r := result([]float64{1, 3, 8}, []float64{2, 4, 2}, []string{"restic", "restic", "borg"})
	for name, test := range map[string]struct{ got, want float64 }{
		"ours":   {r.median("vdh", stepFirst, wall), 3},
		"restic": {r.median("restic", stepFirst, wall), 3},
		"ratio":  {r.ratio("restic", stepFirst, wall), 0.625},
		"borg":   {r.ratio("borg", stepFirst, wall), 4},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	if name, value := r.best(stepFirst, wall); name != "borg" || value != 2 {
		t.Errorf("best: %s %v", name, value)
	}
	if !math.IsNaN(r.median("kopia", stepFirst, wall)) || !math.IsNaN(r.ratio("kopia", stepFirst, wall)) {
		t.Error("figures of a tool that did not run")
	}
}

func TestJudge(t *testing.T) {
	r := result([]float64{1, 3}, []float64{2, 2}, []string{"restic", "borg"})
	for name, test := range map[string]struct {
		aim  aim
		want string
	}{
		"reached":        {aim{stepFirst, wall, "restic", 0.5, nil}, "PASS"},
		"missed":         {aim{stepFirst, wall, "borg", 1.4, nil}, "FAIL"},
		"absolute":       {aim{stepFirst, wall, "", 1.9, nil}, "FAIL"},
		"fastest":        {aim{stepFirst, wall, fastest, 0.5, nil}, "PASS"},
		"not measured":   {aim{stepFirst, wall, "kopia", 1, nil}, "SKIP"},
		"divided by nil": {aim{stepFirst, added, "restic", 1, nil}, "SKIP"},
	} {
		if v := test.aim.judge(r); v.Status != test.want {
			t.Errorf("%s: %+v, want %s", name, v, test.want)
		}
	}
	slow := verdicts(result([]float64{3}, []float64{2}, []string{"restic"}))
	missed, err := judgement(io.Discard, slow)
	if err != nil || missed != 1 {
		t.Errorf("%d of %d missed, %v", missed, len(slow), err)
	}
	if v := verdicts(r); v[len(v)-2].Status != "SKIP" {
		t.Errorf("nothing was restored: %+v", v[len(v)-2])
	}
	r.Pairs[0].Ours.Differences = []string{"x: missing"}
	r.Pairs[0].Ours.Figures = append(r.Pairs[0].Ours.Figures, figures{Step: stepRestore})
	r.Pairs[1].Ours.Failures = []string{"check: exit status 1"}
	v := verdicts(r)
	if v[len(v)-2].Status != "FAIL" || v[len(v)-1].Status != "FAIL" {
		t.Errorf("a failure and a restore with differences passed: %+v", v[len(v)-2:])
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	r := result([]float64{1, 3}, []float64{2, 2}, []string{"restic", "borg"})
	r.Pairs[1].Other.Differences = []string{"x: missing"}
	r.Pairs[0].Ours.Failures = []string{"check: exit status 1"}
	if err := table(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"vdh/restic", "vdh/borg", "best other", "vdh failed: check: exit status 1",
		"borg: the restored tree differs in 1 places"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-sets", "small,go", "-tools", "restic,vdh", "-runs", "2"})
	if err != nil || len(o.sets) != 2 || o.sets[0].Kind != dataset.Small || len(o.tools) != 2 || o.runs != 2 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-sets", "mail"}, {"-runs", "0"}, {"-tools", "tar"}, {"stray"}, {"-shrink", "-1"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
}

func TestScoreLine(t *testing.T) {
	score := "vac:" + strings.Repeat("0a", 32)
	for text, want := range map[string]bool{
		score + "\n": true, score: false, "saved\n" + score + "\n": false, score + "\n" + score + "\n": false,
		strings.ToUpper(score) + "\n": false,
	} {
		if scoreLine.MatchString(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
