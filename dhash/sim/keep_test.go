package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// TestKeep runs the scripts of testdata/keep: what a swarm does, by itself, about what happens to it. testdata/keep/README
// says what the words mean. A script whose name begins with long- is for VDH_SIM_LONG.
func TestKeep(t *testing.T) {
	files, err := filepath.Glob("testdata/keep/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "long-") {
				long(t)
			}
			if testing.Short() || raced && name != "gone" && name != "retire" {
				t.Skip("takes many seconds, and with the race detector minutes")
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, name, string(b))
		})
	}
}

// A keeping is a swarm that a script plays with.
type keeping struct {
	t      *testing.T
	s      *sim.Swarm
	code   dhash.Code
	dice   *rand.Rand
	n      int // members so far
	down   []int
	scores []venti.Score
	blocks [][]byte
	before string // who held what, when the script said note
}

// play runs a script.
func play(t *testing.T, name, script string) {
	var lines [][]string
	for line := range strings.Lines(script) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, words)
		}
	}
	k := &keeping{t: t}
	cfg := k.setting(lines[0])
	run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		k.t, k.s, k.n, k.dice = t, s, cfg.Members, rand.New(rand.NewPCG(cfg.Seed, 2))
		began := time.Now()
		for _, words := range lines[1:] {
			said := k.do(words)
			t.Logf("%s %8s  %s%s", name, time.Since(began).Round(time.Second), strings.Join(words, " "), said)
			if t.Failed() {
				k.explain()
				t.FailNow()
			}
		}
	})
}

// setting reads the first line of a script.
func (k *keeping) setting(words []string) sim.Config {
	k.t.Helper()
	m := &member.Manifest{Name: "keep", MilliNines: 5000, Availability: 900_000}
	cfg := sim.Config{Manifest: m, Upkeep: node.Upkeep{Limits: claim.Limits{StartPause: time.Minute}}}
	for pair := range slices.Chunk(words, 2) {
		if len(pair) < 2 {
			k.t.Fatalf("%q has no value", pair[0])
		}
		value := pair[1]
		switch pair[0] {
		case "members":
			cfg.Members = k.number(value)
		case "seed":
			cfg.Seed = uint64(k.number(value))
		case "code":
			if _, err := fmt.Sscanf(value, "%d/%d", &k.code.Need, &k.code.Total); err != nil {
				k.t.Fatalf("code %q: %v", value, err)
			}
			m.Code = k.code
		case "grace":
			m.Grace = k.span(value)
		case "sweep":
			cfg.Upkeep.Sweep = k.span(value)
		case "scrub":
			cfg.Upkeep.Scrub = k.span(value)
		default:
			k.t.Fatalf("nobody knows what %q is", pair[0])
		}
	}
	if k.code == (dhash.Code{}) {
		k.t.Fatal("the first line gives no code")
	}
	return cfg
}

// do does what a line says, and returns what there is to say of it.
func (k *keeping) do(words []string) string {
	k.t.Helper()
	s, rest := k.s, words[1:]
	switch words[0] {
	case "put":
		list := blocks(s, k.number(rest[0]), 4<<10)
		k.blocks = append(k.blocks, list...)
		k.scores = append(k.scores, s.Put(k.up()[0], list...)...)
	case "read":
		which := k.which(rest[0])
		list := k.up()
		g := s.Client(list[k.dice.IntN(len(list))])
		var scores []venti.Score
		var want [][]byte
		for _, i := range which {
			scores, want = append(scores, k.scores[i]), append(want, k.blocks[i])
		}
		return fmt.Sprintf("  took %v", read(k.t, g, scores, want))
	case "advance":
		time.Sleep(k.span(rest[0]))
	case "note":
		k.before = k.picture()
	case "expect", "await":
		return k.expect(words[0] == "await", rest)
	case "flip":
		for _, i := range k.which(rest[2]) {
			k.flip(i, k.number(rest[0]))
		}
	case "release":
		k.release(k.which(rest[0]))
	case "join":
		k.n += len(s.Join(k.number(rest[0])))
	case "heal":
		s.Heal()
	default:
		return k.happens(words[0], k.members(words[0], rest))
	}
	return ""
}

// happens lets something happen to members.
func (k *keeping) happens(what string, list []int) string {
	s := k.s
	switch what {
	case "kill":
		s.Kill(list...)
		k.down = append(k.down, list...)
	case "leave":
		s.Leave(list...)
		k.down = append(k.down, list...)
	case "restart":
		s.Restart(list...)
		k.down = slices.DeleteFunc(k.down, func(i int) bool { return slices.Contains(list, i) })
	case "retire":
		s.Retire(list...)
	case "wipe", "refill":
		for _, i := range list {
			s.Wipe(i, what == "refill")
		}
	case "partition":
		s.Partition(list)
	default:
		k.t.Fatalf("nobody knows how to %q", what)
	}
	return fmt.Sprintf("  %v", list)
}

func (k *keeping) up() []int {
	return slices.DeleteFunc(upTo(k.n), func(i int) bool { return slices.Contains(k.down, i) })
}

// members reads which members are meant: their numbers, a part of those that are up, or all that are down.
func (k *keeping) members(what string, words []string) (list []int) {
	k.t.Helper()
	pool := k.up()
	if what == "restart" {
		pool = slices.Clone(k.down)
	}
	if len(words) == 1 && words[0] == "all" {
		return pool
	}
	if len(words) == 1 && strings.HasSuffix(words[0], "%") {
		part := k.number(strings.TrimSuffix(words[0], "%"))
		k.dice.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		list = pool[:len(pool)*part/100]
		slices.Sort(list)
		return list
	}
	for _, w := range words {
		list = append(list, k.number(w))
	}
	return list
}

// which reads which blocks are meant: all, one as 3, or several as 1-10. They are counted from 1.
func (k *keeping) which(text string) (list []int) {
	k.t.Helper()
	if text == "all" {
		return upTo(len(k.scores))
	}
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	for i := k.number(first); i <= k.number(last); i++ {
		list = append(list, i-1)
	}
	return list
}

func (k *keeping) number(text string) int {
	k.t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		k.t.Fatalf("%q is no number", text)
	}
	return n
}

func (k *keeping) span(text string) time.Duration {
	k.t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		k.t.Fatalf("%q is no time", text)
	}
	return d
}
