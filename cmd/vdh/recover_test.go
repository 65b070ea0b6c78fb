package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/dhash/node"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/equal"
)

// phrase returns the words of the identity of the machine.
func (c *pondClient) phrase() string {
	c.t.Helper()
	o, err := catalog.LoadOwner(filepath.Join(c.home, "data/vdh"))
	c.do(err)
	return o.Phrase()
}

// bare returns a machine that has nothing.
func (p *pond) bare(name string) *pondClient { return &pondClient{p, filepath.Join(p.dir, name)} }

// told runs the program with words on standard input, and without a store that the environment names.
func (c *pondClient) told(want int, in string, args ...string) (out, errs string) {
	c.t.Helper()
	_, o, e := c.begin()
	c.t.Setenv("VDH_STORE", "")
	c.do(os.Unsetenv("VDH_STORE"))
	if code := newApp(strings.NewReader(in), o, e).execute(c.t.Context(), args); code != want {
		c.t.Fatalf("vdh %v: exit code %d, not %d\n%s%s", args, code, want, o, e)
	}
	return o.String(), e.String()
}

// addr returns where member i is.
func (p *pond) addr(i int) string { return p.nodes[i].Status().Addrs[0] }

// lines reads lines of JSON.
func linesOf(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err, line)
		}
		all = append(all, m)
	}
	return all
}

// same compares two folders.
func (c *pondClient) same(source, copied string) {
	c.t.Helper()
	_, err := equal.Trees(c.t.Context(), equal.Config{Source: source, Copy: copied, Differs: func(path, what string) {
		c.t.Errorf("brought back %s: %s", path, what)
	}})
	c.do(err)
}

// TestRecoverBare: a machine that has nothing gets all back by the words and an address, and goes on as the lost one.
func TestRecoverBare(t *testing.T) {
	p := newPond(t, 5)
	old := p.client("old")
	writeFile(t, filepath.Join(old.home, "config/vdh/config.toml"), []byte("store = \"swarm\"\n[recover]\nfirst = [\"small\"]\n"))
	src := old.fill(1, 300_000)
	old.backup(src)
	src = old.fill(2, 300_000)
	score := old.backup(src)
	was, err := node.OpenFolder(filepath.Join(old.home, "data/vdh/swarm"))
	p.do(err)
	phrase := old.phrase()
	p.do(os.RemoveAll(filepath.Join(old.home, "data")), os.RemoveAll(filepath.Join(old.home, "cache")))

	c := p.bare("new")
	out, errs := c.told(exitOK, phrase+"\n"+p.addr(2)+"\n", "recover", "--json")
	all := linesOf(t, out)
	r := all[0]
	if r["type"] != "recovered" || r["snapshots"] != 2.0 || r["agree"] != 5.0 || r["answered"] != 5.0 || r["lists"] != 1.0 ||
		r["as"] != archive.Hostname() || r["config"] != "restored" || r["membership"] != "restored" {
		t.Errorf("%v\n%s", r, errs)
	}
	if len(all) != 3 || all[2]["score"] != score || all[2]["whole"] != true || all[1]["whole"] != true {
		t.Errorf("%s", out)
	}
	now, err := node.OpenFolder(filepath.Join(c.home, "data/vdh/swarm"))
	if err != nil || now.ID() != was.ID() || c.phrase() != phrase {
		t.Errorf("member %v, %v", now, err)
	}
	target := filepath.Join(c.home, "out")
	out, errs = c.told(exitOK, "", "recover", "--restore-all", "--target", target)
	if !strings.Contains(errs, "small of") || !strings.Contains(errs, "1 file came back") {
		t.Errorf("the pattern of the config file that came back: %s%s", out, errs)
	}
	c.same(src, filepath.Join(target, src))
	if s := summaryOf(t, c, "backup", src); s["bytes_added"].(float64) > 20_000 || s["unchanged"] == 0.0 && s["bytes_read"] == 0.0 {
		t.Errorf("the next backup: %v", s)
	}
	if out := c.vdh(exitOK, "snapshots", "-q"); strings.Count(out, "\n") < 3 {
		t.Errorf("%s", out)
	}
}

func summaryOf(t *testing.T, c *pondClient, args ...string) map[string]any {
	t.Helper()
	a, out, errs := c.begin()
	if code := a.execute(t.Context(), append(args, "--json")); code != exitOK {
		t.Fatalf("vdh %v: exit code %d\n%s%s", args, code, out, errs)
	}
	all := linesOf(t, out.String())
	return all[len(all)-1]
}

// TestRecoverWrong has words, addresses and machines that are not right.
func TestRecoverWrong(t *testing.T) {
	p := newPond(t, 3)
	old := p.client("old")
	old.backup(old.fill(1, 100_000))
	phrase := old.phrase()
	other, err := catalog.NewOwner(bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	p.do(err)
	words := strings.Fields(phrase)
	swapped := strings.Join(append([]string{words[1], words[0]}, words[2:]...), " ")
	short := strings.Join(words[:23], " ")
	for _, c := range []struct {
		name, in string
		args     []string
		want     int
		say      string
	}{
		{"no words", "", nil, exitFailed, "24 words, not 0"},
		{"a word is missing", short, nil, exitFailed, "24 words"},
		{"two words swapped", swapped, nil, exitFailed, "checksum"},
		{"no way in", phrase, []string{"--store", "swarm"}, exitUsage, "--via"},
		{"an owner nobody knows", other.Phrase() + " " + p.addr(1), nil, exitFailed, "is it the right phrase"},
		{"too much", phrase + " a b", nil, exitFailed, "more than an address"},
		{"no address", phrase + " /nonsense", nil, exitUsage, "address of a member"},
		{"nobody there", phrase + " 127.0.0.1:1", nil, exitUnavailable, "nobody answers at 127.0.0.1:1"},
		{"no such name", phrase + " nowhere.invalid", nil, exitUnavailable, "nobody answers at nowhere.invalid"},
		{"no such member", phrase + " /ip4/127.0.0.1/tcp/1/p2p/" + p.nodes[1].Status().ID, nil, exitUnavailable, "nobody answers at /ip4"},
		{"no such machine", phrase + " " + p.addr(1), []string{"--as", "nobody"}, exitUsage, archive.Hostname()},
		{"no target", phrase, []string{"--restore-all"}, exitUsage, "--target"},
		{"no such host", phrase + " " + p.addr(1), []string{"--latest", "--target", "/nowhere", "--host", "x"}, exitNoSnapshot, "of host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := p.bare("bare " + c.name)
			defer func(outer *testing.T) { p.t = outer }(p.t)
			p.t = t
			_, errs := m.told(c.want, c.in, append([]string{"recover"}, c.args...)...)
			if !strings.Contains(errs, c.say) || strings.Contains(errs, "block") || c.want == exitUnavailable && strings.Count(errs, "\n") != 1 {
				t.Errorf("said %q", errs)
			}
			_, err := os.Stat(filepath.Join(m.home, "data/vdh/identity"))
			if good := c.name == "no such machine" || c.name == "no such host"; good != (err == nil) {
				t.Errorf("an identity is there: %v", err == nil)
			}
		})
	}
	// On a machine that is in the swarm, an owner whom nobody knows has no list.
	joined := p.client("joined")
	if _, errs := joined.told(exitFailed, other.Phrase(), "recover"); !strings.Contains(errs, "known to the 3 members that answered") {
		t.Errorf("%s", errs)
	}
	// The identity of another owner is never replaced.
	m := p.bare("another")
	m.told(exitOK, "", "init")
	if _, errs := m.told(exitFailed, phrase+" "+p.addr(1), "recover"); !strings.Contains(errs, "another identity") {
		t.Errorf("%s", errs)
	}
}

// TestRecoverAlive: the place of a member that still answers is not taken; with a token the machine gets one of its own.
func TestRecoverAlive(t *testing.T) {
	p := newPond(t, 4)
	m := p.on(2)
	src := m.fill(1, 100_000)
	m.backup(src)
	phrase := m.phrase()
	c := p.bare("new")
	_, errs := c.told(exitOK, phrase, "recover", "--via", p.addr(0))
	if !strings.Contains(errs, "still answers") {
		t.Errorf("%s", errs)
	}
	if _, err := node.OpenFolder(filepath.Join(c.home, "data/vdh/swarm")); err == nil {
		t.Error("two machines are one member")
	}
	target := filepath.Join(c.home, "out")
	c.told(exitOK, phrase, "recover", "--via", p.addr(0), "--latest", "--target", target)
	c.same(src, filepath.Join(target, src))

	token, _ := summaryOf(t, p.on(0), "swarm", "invite")["token"].(string)
	d := p.bare("newer")
	out, errs := d.told(exitOK, phrase+" "+token, "recover", "--json")
	if all := linesOf(t, out); all[0]["membership"] != "new" {
		t.Errorf("%s%s", out, errs)
	}
	f, err := node.OpenFolder(filepath.Join(d.home, "data/vdh/swarm"))
	if err != nil || f.ID() == p.folders[2].ID() {
		t.Error(err)
	}
}
