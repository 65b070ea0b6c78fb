package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// resumeTrees are what backups that are killed had to keep: each makes its tree, and returns its bytes.
var resumeTrees = map[string]func(t *testing.T, dir string) int64{
	"large": func(t *testing.T, dir string) int64 {
		for i := range 5 {
			writeFile(t, filepath.Join(dir, fmt.Sprint(i)), ventitest.Random(uint64(i), 9_000_000))
		}
		return 45_000_000
	},
	"small": func(t *testing.T, dir string) int64 {
		for i := range 9000 {
			writeFile(t, filepath.Join(dir, fmt.Sprint("d", i/100), fmt.Sprint(i)), ventitest.Random(uint64(i), 5000))
		}
		return 45_000_000
	},
	"tiny": func(t *testing.T, dir string) int64 { // more of them wait for a shared block than the archiver holds at once
		for i := range 25_000 {
			writeFile(t, filepath.Join(dir, fmt.Sprint("d", i/500), fmt.Sprint(i)), ventitest.Random(uint64(i), 400))
		}
		return 10_000_000
	},
}

// inFlight is how much a backup may have been about to store when it was killed: a few blocks, and directories.
const inFlight = 3*venti.MaxBlock + 1<<20

// TestResume kills backups when they have stored nine tenths. The next run sends none of that again.
func TestResume(t *testing.T) {
	for name, fill := range resumeTrees {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			if err := os.Mkdir(filepath.Join(m.dir, "empty"), 0o700); err != nil {
				t.Fatal(err)
			}
			m.must("backup", "empty")
			all := fill(t, filepath.Join(m.dir, "tree"))
			before := segmentBytes(t, m.store)
			kill(t, m, func(_ time.Duration, n int64) bool { return n >= all*9/10 })
			stored := segmentBytes(t, m.store) - before
			added := backupAdded(t, m)
			t.Logf("killed with %d KiB of %d KiB stored, then %d KiB added", stored>>10, all>>10, added>>10)
			if stored < all*9/10 || added > all-stored+inFlight {
				t.Errorf("%d of %d bytes were stored, and then %d added", stored, all, added)
			}
		})
	}
}

// TestResumeSwarm does the same with a swarm.
func TestResumeSwarm(t *testing.T) {
	withoutRace(t)
	code := dhash.Code{Need: 2, Total: 4}
	for name, fill := range resumeTrees {
		t.Run(name, func(t *testing.T) {
			r := newTrial(t, code.Total, code, nil)
			all := fill(t, filepath.Join(r.dir, "src"))
			cmd := r.command("backup", "-q", "src")
			r.do(cmd.Start())
			held := func() (n int64) {
				for i := range code.Total {
					st, err := r.swarm.Status(t.Context(), i)
					r.do(err)
					n += st.Used
				}
				return n * int64(code.Need) / int64(code.Total)
			}
			due := time.Now().Add(time.Minute)
			for held() < all/2 { // it goes on while the members are asked
				if time.Now().After(due) {
					t.Fatal("the backup has not come far in a minute")
				}
			}
			r.do(cmd.Process.Kill())
			_ = cmd.Wait() // killed
			if list := r.must("snapshots", "--json"); list != "" {
				t.Skipf("the backup was done before it was killed: %s", list)
			}
			stored := held()
			var line struct {
				Put   int64 `json:"blocks_put"`
				New   int64 `json:"blocks_new"`
				Added int64 `json:"bytes_added"`
			}
			begin := time.Now()
			r.do(json.Unmarshal([]byte(r.must("backup", "--json", "src")), &line))
			grown := held() - stored
			t.Logf("killed with %d KiB of %d KiB stored, then in %v %d of %d blocks with %d KiB added, the members hold %d KiB more",
				stored>>10, all>>10, time.Since(begin).Round(time.Millisecond), line.New, line.Put, line.Added>>10, grown>>10)
			if most := all - stored + inFlight; line.Added > most || grown > most {
				t.Errorf("%d of %d bytes were stored, and then %d added; the members have %d more", stored, all, line.Added, grown)
			}
		})
	}
}

// TestCopyProcesses copies from a folder into a swarm of processes, is killed meanwhile, goes on, and copies back into
// another folder.
func TestCopyProcesses(t *testing.T) {
	r := newTrial(t, 4, dhash.Code{Need: 2, Total: 4}, nil)
	here, there := filepath.Join(r.dir, "here"), filepath.Join(r.dir, "there")
	dir := r.source(5, 40<<20)
	first := r.must("backup", "-q", "--store", here, dir)
	fillTree(t, filepath.Join(dir, "more"), 6, 5<<20)
	second := r.must("backup", "-q", "--store", here, dir)

	cmd := r.command("copy", "-q", "--from", here, "--to", "swarm")
	r.do(cmd.Start())
	held := func() (n int64) {
		sum, err := r.swarm.Bytes()
		r.do(err)
		return sum
	}
	for due := time.Now().Add(time.Minute); held() < 20<<20; {
		if time.Now().After(due) {
			t.Fatal("the copy has not come far in a minute")
		}
	}
	r.do(cmd.Process.Kill())
	_ = cmd.Wait() // killed
	if list := r.must("snapshots", "--json"); list != "" {
		t.Errorf("the first snapshot is listed before all of it is there: %s", list)
	}
	line := copySummary{redundancy: &redundancy{}}
	copied := func(args ...string) {
		t.Helper()
		out := r.must(append([]string{"copy", "--json"}, args...)...)
		r.do(json.Unmarshal([]byte(out[strings.LastIndex(out, "\n")+1:]), &line))
	}
	copied("--from", here, "--to", "swarm")
	if line.Complete != 2 || line.Sent == 0 || line.Sent >= line.Blocks {
		t.Errorf("after a copy that was killed: %+v", line)
	}
	t.Logf("then %d of %d blocks were sent", line.Sent, line.Blocks)
	r.kill(1) // blocks have three fragments at least
	copied("--from", "swarm", "--to", there)
	if line.Complete != 2 || line.Sent != line.Blocks {
		t.Errorf("back: %+v", line)
	}
	r.must("check", "--read-data", "--store", there)
	for _, score := range []string{first, second} {
		r.must("restore", "-q", score+dir, "--target", score[4:12], "--store", there)
	}
	sameTree(t, dir, filepath.Join(r.dir, second[4:12]))
	copied("--from", there, "--to", here)
	if line.Already != 2 || line.Sent != 0 {
		t.Errorf("where all of it was: %+v", line)
	}
}
