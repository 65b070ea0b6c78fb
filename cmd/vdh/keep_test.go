package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
)

// brisk has members do in seconds what they do in hours.
func brisk() []string {
	return []string{"--sweep", "2s", "--repair-rate", "1GB"}
}

// safety is what vdh status says of a snapshot.
type safety struct {
	Blocks     int            `json:"blocks"`
	Below      int            `json:"below_threshold"`
	Unreadable int            `json:"unreadable"`
	Above      map[string]int `json:"above"`
}

// safety asks the swarm how a snapshot is.
func (r *trial) safety(score string) (s safety) {
	r.t.Helper()
	_, out, errs := r.run("status", score, "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatalf("status: %v: %s%s", err, out, errs)
	}
	return s
}

// becomes waits until ok holds of a snapshot's safety.
func (r *trial) becomes(score, what string, patience time.Duration, ok func(safety) bool) {
	r.t.Helper()
	var s safety
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if s = r.safety(score); ok(s) {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-r.t.Context().Done():
		}
	}
	for i := range r.swarm.Len() {
		if st, err := r.swarm.Status(r.t.Context(), i); err == nil {
			care, _ := json.Marshal(st.Care)
			r.t.Logf("member %d: %d fragments, %d of %d alive, %s", i, st.Fragments, st.Alive, st.Members, care)
		}
	}
	r.t.Fatalf("%s: not so after %v: %+v", what, patience, s)
}

// store keeps dir, again until every block has all its fragments: so many more than it needs, which are those of usual and of
// pointer blocks. A backup does not wait for members that lag; they get what they lack when the blocks come again.
func (r *trial) store(dir, usual, pointer string) (score string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		score = r.must("backup", "-q", "--force", dir)
		s := r.safety(score)
		if s.Above[usual]+s.Above[pointer] == s.Blocks {
			return score
		}
		if time.Now().After(end) {
			r.t.Fatalf("not all fragments are stored: %+v", s)
		}
	}
}

// TestReplaced ends one member after the other without warning, and has a new one, that has nothing, join in its place, until
// nobody is left who was there when the snapshot was stored. It is readable all the time, and in the end all of it is there.
func TestReplaced(t *testing.T) {
	members, pause := 12, 4*time.Second
	if testing.Short() || raced {
		t.Skip("takes most of a minute, and with the race detector minutes")
	}
	r := newTrial(t, members, dhash.Code{Need: 4, Total: 10}, nil, brisk()...)
	dir := r.source(1, 2<<20)
	score := r.must("backup", "-q", dir)
	for i := range members {
		r.kill(i)
		if _, err := r.swarm.Add(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := time.After(pause)
		if s := r.safety(score); s.Unreadable > 0 {
			t.Errorf("with %d replaced: %+v", i+1, s)
		}
		<-next
	}
	r.becomes(score, "no block is below its threshold", time.Minute, func(s safety) bool { return s.Below == 0 && s.Unreadable == 0 })
	r.brings(score, dir)
}

// settled waits until a snapshot's blocks have all their fragments (of 3/8, and of pointer blocks, 1/8), and no member holds
// any that is another one's, as its newest sweep says. It returns how many a member holds.
func (r *trial) settled(score string, member int) (fragments int64) {
	r.t.Helper()
	since := time.Now()
	r.becomes(score, "every fragment is in its place", time.Minute, func(s safety) bool {
		for i := range r.swarm.Len() {
			st, err := r.swarm.Status(r.t.Context(), i)
			r.do(err)
			if swept := st.Care.Swept; swept == nil || swept.Ended.Before(since) || swept.Strays > 0 {
				return false
			}
			if i == member {
				fragments = st.Fragments
			}
		}
		return s.Above["5"]+s.Above["7"] == s.Blocks
	})
	return fragments
}

// TestRefill has a member lose its disk: it gets back what it should hold, from its first sweep on.
func TestRefill(t *testing.T) {
	r := newTrial(t, 9, dhash.Code{Need: 3, Total: 8}, nil, brisk()...)
	dir := r.source(1, 2<<20)
	score := r.store(dir, "5", "7")
	const lost = 3
	before := r.settled(score, lost) // it may have stood in for one that lagged
	r.do(r.swarm.Stop(lost), os.RemoveAll(filepath.Join(procs.FolderIn(r.swarm.Dir(lost)), "fragments")))
	r.do(r.swarm.Run(lost, "--refill"), r.swarm.Settle(t.Context(), r.swarm.Len()))
	if after := r.settled(score, lost); after < before || before == 0 {
		t.Errorf("it held %d fragments and holds %d", before, after)
	}
	r.brings(score, dir)
}

// TestScrubbed damages what lies on a member's disk: the scrub finds it, and makes it again of what others have.
func TestScrubbed(t *testing.T) {
	r := newTrial(t, 6, dhash.Code{Need: 2, Total: 6}, nil)
	dir := r.source(1, 1<<20)
	score := r.store(dir, "4", "5")
	const rotten = 2
	before, err := r.swarm.Status(t.Context(), rotten)
	r.do(err)
	segments, err := filepath.Glob(filepath.Join(procs.FolderIn(r.swarm.Dir(rotten)), "fragments", "arenas", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	f, err := os.OpenFile(segments[0], os.O_RDWR, 0)
	r.do(err)
	defer f.Close()
	info, err := f.Stat()
	r.do(err)
	_, err = f.WriteAt([]byte("rot"), info.Size()/2)
	r.do(err)
	care, err := r.swarm.Work(t.Context(), rotten, node.WorkScrub)
	if err != nil || care.Scrubbed.Damaged == 0 || care.Bad != 0 || care.Repair.Made == 0 {
		t.Fatalf("%+v %v", care, err)
	}
	if after, err := r.swarm.Status(t.Context(), rotten); err != nil || after.Fragments != before.Fragments {
		t.Errorf("it held %d fragments and holds %d: %v", before.Fragments, after.Fragments, err)
	}
	r.kill(0, 1, 3, 4) // only what was made again, and one more, is left
	r.brings(score, dir)
}
