package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/dhash"
	"ventidhash/dhash/sim/procs"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/equal"
)

// A house is a machine whose folders are those of a member of a trial's swarm, so that its node may run.
type house struct {
	*trial
	home string
}

// command returns the program as a process on the machine. No store is named but by its config file.
func (h *house) command(in string, args ...string) *exec.Cmd {
	cmd := h.machine.command(args...)
	cmd.Env = append(procs.Environ(h.home), asProgram+"=1", "GORACE="+noSleep, "TZ=UTC", "HOME="+h.home)
	cmd.Stdin = strings.NewReader(in)
	return cmd
}

// vdh runs the program, which is to end so.
func (h *house) vdh(want int, in string, args ...string) (out, errs string) {
	h.t.Helper()
	cmd := h.command(in, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	code := exitOf(h.t, cmd.Run())
	if code != want && !(want == exitOK && code == exitRedundancy) { // with a third of the members away all is a little thin
		h.t.Fatalf("vdh %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), code, want, o.String(), e.String())
	}
	return strings.TrimSpace(o.String()), e.String()
}

// lastOf returns the last line of JSON that a verb prints.
func (h *house) lastOf(args ...string) map[string]any {
	h.t.Helper()
	out, _ := h.vdh(exitOK, "", append(args, "--json")...)
	all := linesOf(h.t, out)
	return all[len(all)-1]
}

// night changes a tree, keeps it, and keeps a copy of what it was.
func (h *house) night(n int, dir string) (score, kept string) {
	h.t.Helper()
	fillTree(h.t, filepath.Join(dir, fmt.Sprint("night", n)), uint64(n), 1<<20)
	h.do(os.RemoveAll(filepath.Join(dir, fmt.Sprint("night", n-1), "d1")))
	writeFile(h.t, filepath.Join(dir, "diary"), fmt.Appendf(nil, "night %d", n))
	score, _ = h.vdh(exitOK, "", "backup", "-q", dir)
	kept = filepath.Join(h.dir, fmt.Sprint("kept", filepath.Base(h.home), n))
	h.do(exec.Command("cp", "-a", dir, kept).Run())
	return score, kept
}

// odd puts into a tree what is no plain file.
func (h *house) odd(dir string) {
	name := func(n string) string { return filepath.Join(dir, "odd", n) }
	writeFile(h.t, name("plain"), []byte("plain"))
	h.do(os.Link(name("plain"), name("link")), os.Symlink("nowhere", name("symlink")), os.Chmod(name("plain"), 0o4751),
		os.Mkdir(name("empty"), 0o1777), unix.Mkfifo(name("fifo"), 0o600))
	if err := unix.Setxattr(name("plain"), "user.note", []byte("kept\x00"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		h.do(err)
	}
	f, err := os.Create(name("sparse"))
	h.do(err)
	_, err = f.WriteAt([]byte("end"), 5<<20)
	h.do(err, f.Close(), os.Chtimes(name("sparse"), time.Time{}, time.Unix(1e9, 123456789)))
}

func (h *house) equal(source, copied string) {
	h.t.Helper()
	n, err := equal.Trees(h.t.Context(), equal.Config{Source: source, Copy: copied, Differs: func(path, what string) {
		h.t.Errorf("brought back %s: %s", path, what)
	}})
	h.do(err)
	if n.Files < 10 {
		h.t.Errorf("%+v were compared", n)
	}
}

// phrase returns the words of the identity of the machine.
func (h *house) phrase() string {
	h.t.Helper()
	o, err := catalog.LoadOwner(filepath.Join(h.home, "vdh"))
	h.do(err)
	return o.Phrase()
}

// TestBurntDown tells the story: 24 members, two owners, three nights of a changing tree with a prune in between. Then
// one owner's machine burns down, which was a member itself, and of the others a third is away. What there is of it on
// paper is 24 words, and the address of one member.
func TestBurntDown(t *testing.T) {
	withoutRace(t)
	const members, burnt, via = 24, 5, 9
	r := newTrial(t, members, dhash.Code{Need: 8, Total: 20}, nil)
	a, b := &house{r, r.swarm.Dir(burnt)}, &house{r, filepath.Join(r.dir, "data")}
	mine, theirs := filepath.Join(r.dir, "mine"), filepath.Join(r.dir, "theirs")
	for _, h := range []*house{a, b} {
		writeFile(t, filepath.Join(h.home, "config/vdh/config.toml"), []byte("store = \"swarm\"\n[recover]\nfirst = [\"diary\"]\n"))
	}
	a.odd(mine)
	first, _ := a.night(1, mine)
	b.night(1, theirs)
	second, kept2 := a.night(2, mine)
	a.vdh(exitOK, "", "forget", first)
	if code := exitOf(t, a.command("", "prune", "-q").Run()); code != exitOK && code != exitUnavailable && code != exitRedundancy {
		t.Errorf("prune: exit code %d", code) // members that have just started may let nothing go yet
	}
	stale, hung := []int{7, 8}, []int{13, 14, 15}
	for _, i := range stale {
		r.do(r.swarm.Stop(i))
	}
	third, kept3 := a.night(3, mine)
	b.night(2, theirs)
	for _, i := range stale {
		r.do(r.swarm.Run(i))
	}
	r.do(r.swarm.Settle(t.Context(), members))
	phrase, others, id := a.phrase(), b.phrase(), r.swarm.ID(burnt)
	st, err := r.swarm.Status(t.Context(), via)
	r.do(err)
	addr := strings.Split(st.Addrs[0], "/p2p/")[0] // who keeps an address on paper keeps no id

	r.kill(burnt)
	r.do(os.RemoveAll(a.home), os.RemoveAll(mine))
	r.kill(0, 1, 2, 3)
	a.wrongWords(phrase, others, addr)
	for _, i := range hung {
		r.do(r.swarm.Signal(i, syscall.SIGSTOP))
	}

	begin := time.Now()
	lines := a.streamed(phrase+"\n"+addr, "recover", "--json")
	if took := lines[0].at.Sub(begin); took > 5*time.Second && !raced {
		t.Errorf("from the phrase to the catalog: %v", took)
	}
	t.Logf("from the phrase to the catalog: %v; until it is known what can be had: %v", lines[0].at.Sub(begin), time.Since(begin))
	got := lines[0].fields
	if got["snapshots"] != 2.0 || got["membership"] != cameBack || got["config"] != cameBack || got["agree"].(float64) < 6 {
		t.Errorf("%v", got)
	}
	for i, want := range []string{second, third} {
		if l := lines[1+i].fields; l["score"] != want || l["whole"] != true {
			t.Errorf("%v", l)
		}
	}
	a.interrupted(mine)
	r.kill(hung...)
	a.vdh(exitOK, "", "recover", "-q", "--restore-all", "--target", "/")
	a.equal(kept3, mine)
	for score, kept := range map[string]string{second: kept2, third: kept3} {
		target := filepath.Join(r.dir, "out", score[4:12])
		a.vdh(exitOK, "", "restore", "-q", score+mine, "--target", target)
		a.equal(kept, target)
	}

	r.do(r.swarm.Run(burnt, "--refill"))
	r.do(r.swarm.Settle(t.Context(), members-7))
	if st, err := r.swarm.Status(t.Context(), burnt); err != nil || st.ID != id.String() {
		t.Errorf("the node is %s, %v; it was %s", st.ID, err, id)
	}
	s := a.lastOf("backup", mine)
	t.Logf("the next backup adds %.0f bytes of %.0f", s["bytes_added"], s["bytes"])
	if s["bytes_added"].(float64) > 0.02*s["bytes"].(float64) || s["parent"] != third {
		t.Errorf("the next backup: %v", s)
	}
	again, _ := a.vdh(exitOK, phrase, "recover", "--json") // by the node that runs now
	if l := linesOf(t, again)[0]; l["membership"] != stays || l["config"] != stays || l["snapshots"] != 3.0 {
		t.Errorf("once more: %v", l)
	}
	if out, _ := a.vdh(exitOK, "", "snapshots", "--json"); strings.Count(out, "\n") != 2 {
		t.Errorf("%s", out)
	}
}

// wrongWords: with a word wrong nothing happens, and with the words of another owner that one's list comes back.
func (h *house) wrongWords(phrase, others, addr string) {
	h.t.Helper()
	bare := &house{h.trial, filepath.Join(h.dir, "bare")}
	words := strings.Fields(phrase)
	words[11] = words[11][:len(words[11])-1] + "q"
	if _, errs := bare.vdh(exitFailed, strings.Join(words, " ")+" "+addr, "recover"); !strings.Contains(errs, "word 12") &&
		!strings.Contains(errs, "checksum") {
		h.t.Errorf("a word that is wrong: %s", errs)
	}
	if _, err := os.Stat(filepath.Join(bare.home, "vdh/identity")); !errors.Is(err, fs.ErrNotExist) {
		h.t.Error("it became somebody with a word wrong")
	}
	out, _ := bare.vdh(exitOK, others+" "+addr, "recover", "--json")
	if all := linesOf(h.t, out); len(all) != 3 || all[0]["snapshots"] != 2.0 {
		h.t.Errorf("the other owner's: %s", out)
	}
	if _, errs := bare.vdh(exitFailed, phrase+" "+addr, "recover"); !strings.Contains(errs, "another identity") {
		h.t.Errorf("two owners on one machine: %s", errs)
	}
	h.do(os.RemoveAll(bare.home))
}

// A streamedLine is a line of JSON, and when it came.
type streamedLine struct {
	at     time.Time
	fields map[string]any
}

// streamed runs a verb and returns what it prints, and when.
func (h *house) streamed(in string, args ...string) (all []streamedLine) {
	h.t.Helper()
	cmd := h.command(in, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	h.do(err, cmd.Start())
	for s := bufio.NewScanner(out); s.Scan(); {
		l := streamedLine{at: time.Now()}
		h.do(json.Unmarshal(s.Bytes(), &l.fields))
		all = append(all, l)
	}
	if code := exitOf(h.t, cmd.Wait()); code != exitOK || len(all) < 3 {
		h.t.Fatalf("vdh %v: exit code %d, %d lines\n%s", args, code, len(all), errs.String())
	}
	return all
}

// interrupted brings a tree back, and stops in the middle.
func (h *house) interrupted(dir string) {
	h.t.Helper()
	cmd := h.command("", "recover", "--restore-all", "--target", "/", "--limit", "1MB")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	h.do(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	deadline := time.After(30 * time.Second)
	for {
		if files, err := filepath.Glob(filepath.Join(dir, "night*/*/*")); err == nil && len(files) > 0 {
			break
		}
		select {
		case err := <-done:
			h.t.Fatalf("it is over before it was stopped: %v\n%s", err, errs.String())
		case <-deadline:
			cmd.Process.Kill()
			h.t.Fatalf("nothing comes back: %v\n%s", <-done, errs.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "diary")); err != nil || string(b) != "night 3" {
		h.t.Errorf("what was to come first is not there: %q, %v", b, err)
	}
	h.do(cmd.Process.Signal(os.Interrupt))
	if code := exitOf(h.t, <-done); code != exitInterrupted {
		h.t.Errorf("exit code %d\n%s", code, errs.String())
	}
}
