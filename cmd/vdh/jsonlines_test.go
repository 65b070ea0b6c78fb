package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// withoutLines are verbs whose standard output has no lines of JSON, and why.
var withoutLines = map[string]string{
	"init": "it shows words to a person", "cat": "bytes of a file", "dump": "an archive",
	"run": "TestRunLines sees its lines", "schedule": "as run",
	"man": "pages; TestMan sees its lines", "demo": "TestDemo sees its line", "mount": "it shows files", "node": "its log is on standard error",
	"completion": "for a shell", "bash": "for a shell", "zsh": "for a shell", "fish": "for a shell", "powershell": "for a shell",
}

// A lineDoc is what the help of the verbs says of their lines, by type: the words in it.
type lineDoc struct {
	t    *testing.T
	root *cobra.Command
	seen map[string]map[string]bool // verb → fields that came, each with its type in front
}

func newLineDoc(t *testing.T) *lineDoc {
	return &lineDoc{t, newRoot(newApp(strings.NewReader(""), io.Discard, io.Discard)), map[string]map[string]bool{}}
}

var (
	typeInHelp  = regexp.MustCompile(`"type":"([a-z_]+)"`)
	verbInHelp  = regexp.MustCompile(`(?:as|fields of|those of)\s+vdh\s+([a-z]+)`)
	fieldInHelp = regexp.MustCompile(`[a-z]+(?:_[a-z]+)+`)
)

// text returns what the help of a verb says of its lines.
func (d *lineDoc) text(verb string) string {
	d.t.Helper()
	cmd, rest, err := d.root.Find(strings.Fields(verb))
	if err != nil || len(rest) > 0 {
		d.t.Fatalf("vdh %s: %v", verb, err)
	}
	_, text, _ := strings.Cut(cmd.Long, "With --json")
	return text
}

// sections returns what the help of a verb says of each type of line, and what those verbs say to which it refers.
func (d *lineDoc) sections(verb string) map[string]string {
	text := d.text(verb)
	refers := ""
	out := map[string]string{}
	for _, m := range verbInHelp.FindAllStringSubmatch(text, -1) {
		other := d.text(m[1])
		refers += other
		for _, at := range typeInHelp.FindAllStringSubmatch(other, -1) {
			out[at[1]] += text + other
		}
	}
	at := typeInHelp.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out[text[m[2]:m[3]]] += text[m[1]:end] + refers
	}
	return out
}

// check holds lines that a verb has printed against its help.
func (d *lineDoc) check(verb, lines string) {
	d.t.Helper()
	sections := d.sections(verb)
	if d.seen[verb] == nil {
		d.seen[verb] = map[string]bool{}
	}
	for line := range strings.Lines(lines) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			d.t.Errorf("vdh %s: %v: %s", verb, err, line)
			continue
		}
		kind, _ := m["type"].(string)
		text, ok := sections[kind]
		if !ok {
			d.t.Errorf("the help of vdh %s says nothing of \"type\":%q: %s", verb, kind, line)
			continue
		}
		delete(m, "type")
		for _, f := range fieldsOf(m) {
			before := d.seen[verb][kind+"."+f]
			d.seen[verb][kind+"."+f] = true
			if before {
				continue
			}
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(f) + `\b`).MatchString(text) {
				d.t.Errorf("the help of vdh %s says nothing of %q in \"type\":%q", verb, f, kind)
			}
		}
	}
}

// unseen reports fields that the help has and that did not come. Those with an underscore are told from prose; seldom are
// those that are there only when something is wrong, or of another kind of store.
func (d *lineDoc) unseen(seldom map[string]string) {
	for verb, fields := range d.seen {
		text := d.text(verb)
		at := typeInHelp.FindAllStringSubmatchIndex(text, -1)
		for i, m := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			kind := text[m[2]:m[3]]
			for _, f := range fieldInHelp.FindAllString(text[m[1]:end], -1) {
				if !fields[kind+"."+f] && !slices.Contains(strings.Fields(seldom[verb]), f) {
					d.t.Errorf("the help of vdh %s has %q in \"type\":%q, which did not come", verb, f, kind)
				}
			}
		}
	}
}

// free are fields whose value is an object with keys of any kind.
var free = []string{"failures", "above", "margin", "mttdl_years"}

// fieldsOf returns the names of the fields in a value, also of those inside.
func fieldsOf(v any) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			out = append(out, fieldsOf(e)...)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if _, err := strconv.Atoi(k); err == nil || k == "base64" {
				continue
			}
			out = append(out, k)
			if !slices.Contains(free, k) {
				out = append(out, fieldsOf(v[k])...)
			}
		}
	}
	return out
}

// A lineRun runs verbs on a machine, and holds what they print with --json against their help.
type lineRun struct {
	*pondClient
	doc *lineDoc
}

// anyCode is the exit code of a run of which only the lines matter.
const anyCode = -1

// run runs a verb of one or two words with --json. It returns what came.
func (r *lineRun) run(want int, verb string, args ...string) string {
	r.t.Helper()
	a, out, errs := r.begin()
	if code := a.execute(r.t.Context(), append(append(strings.Fields(verb), "--json"), args...)); code != want && want != anyCode {
		r.t.Fatalf("vdh %s %v: exit code %d, not %d\n%s%s", verb, args, code, want, out, errs)
	}
	if out.Len() == 0 {
		r.t.Errorf("vdh %s %v prints nothing", verb, args)
	}
	r.doc.check(verb, out.String())
	for line := range strings.Lines(errs.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && (m["type"] != "error" || m["error"] == nil || m["path"] == nil && m["code"] == nil) {
			r.t.Errorf("vdh %s %v: not as vdh help formats says: %s", verb, args, line)
		}
	}
	return out.String()
}

// TestJSONLines runs every verb with --json and holds what it prints against its help: each line is an object whose type
// the help names, with no field that the help does not name.
func TestJSONLines(t *testing.T) {
	p := newPond(t, 3)
	r := &lineRun{p.on(0), newLineDoc(t)}
	folder := []string{"--store", filepath.Join(r.home, "store")}
	in := func(args ...string) []string { return append(args, folder...) }
	src := r.fill(1, 300_000)

	for _, store := range [][]string{nil, folder} {
		with := func(args ...string) []string { return append(args, store...) }
		r.run(exitOK, "backup", with(src)...)
		src = r.fill(2, 300_000)
		r.run(exitOK, "backup", with(src, "--tag", "t")...)
		r.run(exitOK, "check", with()...)
		r.run(exitOK, "snapshots", with()...)
		r.run(exitOK, "status", with()...)
		r.run(exitOK, "status", with("latest")...)
		r.run(exitOK, "stats", with()...)
		r.run(exitOK, "share", with("latest")...)
	}
	r.run(exitOK, "ls", in("latest"+src)...)
	r.run(exitOK, "find", in("latest", "small")...)
	list := strings.Split(strings.TrimSpace(r.run(exitOK, "snapshots", in()...)), "\n")
	var first struct{ Score string }
	r.do(json.Unmarshal([]byte(list[0]), &first))
	r.run(exitOK, "diff", in(first.Score, "latest")...)
	r.run(exitOK, "restore", in("latest"+src, "--target", filepath.Join(r.home, "out"))...)
	r.run(exitOK, "restore", in("latest"+src, "--target", filepath.Join(r.home, "out"), "--dry-run")...)
	r.run(exitOK, "forget", in(first.Score)...)
	r.run(exitOK, "snapshots", in("--all")...)
	r.run(exitOK, "adopt", in(first.Score)...)
	r.run(exitOK, "forget", in(first.Score)...)
	r.run(exitOK, "prune", in("--dry-run")...)
	r.run(exitOK, "prune", in()...)
	for _, name := range r.segments() {
		b, err := os.ReadFile(name)
		r.do(err)
		b[len(b)/2] ^= 0xff
		writeFile(t, name, b)
	}
	r.run(exitFailed, "check", in("--read-data")...)

	r.run(exitOK, "copy", "--from", swarmWord, "--to", filepath.Join(r.home, "copy"), "--dry-run")
	r.run(exitOK, "copy", "--from", swarmWord, "--to", filepath.Join(r.home, "copy"))
	r.run(exitOK, "forget", "latest")
	r.run(exitOK, "snapshots", "--all")
	r.run(anyCode, "prune", "--dry-run")
	r.run(anyCode, "prune") // members that have just started may wait
	for _, verb := range []string{"sweep", "repair", "node scrub", "version", "swarm members", "swarm plan", "swarm invite"} {
		r.run(exitOK, verb)
	}
	r.run(exitOK, "swarm simulate", "--members", "20", "--blocks", "50", "--years", "0.1")
	r.recovering(p)
	r.elsewhere(p)
	r.run(exitOK, "swarm ban", p.folders[2].ID().String())
	r.run(exitOK, "swarm unban")
	r.run(exitOK, "swarm unban", p.folders[2].ID().String())
	r.run(exitOK, "key rotate")
	r.serving(folder)

	r.doc.unseen(map[string]string{
		"check": "read_part store_records store_damaged", "recover": "missing_blocks waiting_blocks waits_for",
		"repair": "last_error", "sweep": "last_error", "node scrub": "last_error",
		"prune": "paused_until confirm_from", "swarm simulate": "oracle_bytes oracle_ratio oracle_ratio_all",
		"key rotate": "away conflicts",
	})
	r.all()
}

// recovering brings the machine back elsewhere.
func (r *lineRun) recovering(p *pond) {
	r.t.Helper()
	in := r.phrase() + " " + p.addr(1)
	other := &pondClient{p, filepath.Join(r.dir, "recover")}
	for _, args := range [][]string{nil, {"--latest", "--target", filepath.Join(other.home, "out")}, {"--store", filepath.Join(r.home, "store")}} {
		a, out, errs := other.begin()
		a.in = strings.NewReader(in)
		if code := a.execute(r.t.Context(), append([]string{"recover", "--json"}, args...)); code != exitOK {
			r.t.Fatalf("vdh recover %v: exit code %d\n%s%s", args, code, out, errs)
		}
		r.doc.check("recover", out.String())
	}
}

// elsewhere founds a swarm, and joins one, on machines that are in none.
func (r *lineRun) elsewhere(p *pond) {
	var v struct{ Token string }
	r.do(json.Unmarshal([]byte(r.run(exitOK, "swarm invite")), &v))
	for _, verb := range []string{"init", "join"} {
		other := &lineRun{&pondClient{p, filepath.Join(r.dir, verb)}, r.doc}
		if verb == "init" {
			other.run(exitOK, "swarm init", "--name", "other")
		} else {
			other.run(exitOK, "swarm join", v.Token)
		}
	}
}

// serving runs vdh serve until it has said where.
func (r *lineRun) serving(store []string) {
	r.t.Helper()
	a, out, errs := r.begin()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	said, pipe := io.Pipe()
	a.out.Reset(io.MultiWriter(out, pipe))
	done := make(chan int, 1)
	go func() { done <- a.execute(ctx, append([]string{"serve", "--json", "--listen", ":0"}, store...)) }()
	line := make([]byte, 1000)
	n, err := said.Read(line)
	cancel()
	if code := <-done; err != nil || code != exitOK && code != exitInterrupted {
		r.t.Errorf("serve: %v, exit code %d\n%s", err, code, errs)
	}
	r.doc.check("serve", string(line[:n]))
}

// all reports verbs that were not run.
func (r *lineRun) all() {
	verbs := r.doc.root.Commands()
	for _, verb := range verbs {
		verbs = append(verbs, verb.Commands()...)
	}
	for _, verb := range verbs {
		path := strings.TrimPrefix(verb.CommandPath(), "vdh ")
		switch {
		case !verb.Runnable() || withoutLines[verb.Name()] != "" || path == "help" || path == "swarm" || path == "key":
		case r.doc.seen[path] == nil:
			r.t.Errorf("nothing holds what vdh %s prints with --json against its help: run it in TestJSONLines, "+
				"or say in withoutLines why not", path)
		}
	}
}

// segments returns the files that hold the blocks of the store in a folder.
func (r *lineRun) segments() []string {
	list, err := filepath.Glob(filepath.Join(r.home, "store/arenas/*.seg"))
	r.do(err)
	return list
}
