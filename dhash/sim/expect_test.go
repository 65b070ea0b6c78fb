package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ventidhash/dhash/codec"
	"ventidhash/dhash/node"
)

// expect checks what a script expects; with wait, until it is so, for as long as the last word says.
func (k *keeping) expect(wait bool, words []string) string {
	k.t.Helper()
	var patience time.Duration
	if wait {
		patience = k.span(words[len(words)-1])
		words = words[:len(words)-1]
	}
	began := time.Now()
	for {
		said := k.holds(words)
		took := time.Since(began)
		switch {
		case said == "" && wait:
			return fmt.Sprintf("  after %v", took)
		case said == "":
			return ""
		case took >= patience:
			k.t.Errorf("%s: %s", strings.Join(words, " "), said)
			return "  FAILS"
		}
		time.Sleep(30 * time.Second)
	}
}

// holds returns what contradicts the words; nothing if they hold.
func (k *keeping) holds(words []string) string {
	k.t.Helper()
	switch what, rest := words[0], words[1:]; what {
	case "full":
		return k.atLeast(k.code.Total, rest)
	case "kept":
		return k.atLeast(k.code.Threshold()+1, rest)
	case "same":
		if now := k.picture(); now != k.before {
			return "before:\n" + k.before + "now:\n" + now
		}
	case "none": // claimed
		for _, i := range k.which(rest[0]) {
			if n := len(k.claimed(i)); n > 0 {
				return fmt.Sprintf("%d fragments of block %d are claimed", n, i+1)
			}
		}
	case "spread": // each member holds one fragment of a block at most
		for i := range k.scores {
			for at, list := range k.claimedAt(i) {
				if len(list) > 1 {
					return fmt.Sprintf("member %d holds fragments %v of block %d", at, list, i+1)
				}
			}
		}
	default:
		return k.compare(what, rest)
	}
	return ""
}

// compare compares a figure with a number: made 0, or made some.
func (k *keeping) compare(what string, rest []string) string {
	k.t.Helper()
	of := k.up()
	if what == "left" {
		of, rest = []int{k.number(rest[0])}, rest[1:]
	}
	var got int64
	for _, i := range of {
		got += k.figure(what, k.s.Node(i).Status().Care)
	}
	if rest[0] == "some" && got > 0 || rest[0] != "some" && got == int64(k.number(rest[0])) {
		return ""
	}
	return fmt.Sprintf("%s is %d", what, got)
}

func (k *keeping) figure(what string, c *node.Care) int64 {
	k.t.Helper()
	switch what {
	case "made":
		return c.Repair.Made
	case "trimmed":
		return c.Repair.Trimmed
	case "trash":
		return c.Trash
	case "left":
		return c.Left
	case "damaged":
		return c.Scrubbed.Damaged
	case "irreparable":
		return int64(c.Repair.Irreparable)
	case "braked":
		if c.Repair.Braked {
			return 1
		}
		return 0
	}
	k.t.Fatalf("nobody knows what %q is", what)
	return 0
}

// atLeast says of which block fewer than want fragments are claimed.
func (k *keeping) atLeast(want int, words []string) string {
	which := upTo(len(k.scores))
	if len(words) > 0 {
		which = k.which(words[0])
	}
	for _, i := range which {
		if n := len(k.claimed(i)); n < want {
			return fmt.Sprintf("block %d has %d fragments, want %d", i+1, n, want)
		}
	}
	return ""
}

// claimedAt returns which fragments of a block the members that are up have and somebody claims.
func (k *keeping) claimedAt(block int) map[int][]int {
	k.t.Helper()
	found := map[int][]int{}
	for _, i := range k.up() {
		held, err := k.s.Node(i).Held(k.t.Context(), k.scores[block])
		if err != nil {
			k.t.Fatal(err)
		}
		for _, h := range held {
			if !h.Trash() {
				found[i] = append(found[i], h.Index)
			}
		}
	}
	return found
}

// claimed returns the different fragments of a block that there are.
func (k *keeping) claimed(block int) map[int]bool {
	set := map[int]bool{}
	for _, list := range k.claimedAt(block) {
		for _, i := range list {
			set[i] = true
		}
	}
	return set
}

// picture says who holds what.
func (k *keeping) picture() string {
	var b strings.Builder
	for i := range k.scores {
		fmt.Fprintf(&b, "block %d: %v\n", i+1, k.claimedAt(i))
	}
	return b.String()
}

// flip flips a bit in so many fragments of a block, where they lie on the disks of members that are up.
func (k *keeping) flip(block, count int) {
	k.t.Helper()
	score := k.scores[block]
	enc, err := new(codec.Encoder).Encode(score, k.blocks[block], k.code)
	if err != nil {
		k.t.Fatal(err)
	}
	at := k.claimedAt(block)
	for _, i := range k.up() {
		for _, index := range at[i] {
			if count > 0 && flipAt(k, k.s.Dir(i), enc.Fragment(index).Payload) {
				count--
			}
		}
	}
	if count > 0 {
		k.t.Errorf("%d fragments of block %d were not found on any disk", count, block+1)
	}
}

// flipAt flips a bit in the middle of a payload wherever it is among the segments of a member.
func flipAt(k *keeping, dir string, payload []byte) (done bool) {
	k.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "fragments", "arenas", "*.seg"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			k.t.Fatal(err)
		}
		at := bytes.Index(b, payload)
		if at < 0 {
			continue
		}
		at += len(payload) / 2
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			k.t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[at] ^ 4}, int64(at)); err != nil {
			k.t.Error(err)
		}
		if err := f.Close(); err != nil {
			k.t.Error(err)
		}
		done = true
	}
	return done
}

// explain logs how things stand.
func (k *keeping) explain() {
	counts := map[int]int{}
	for i := range k.scores {
		counts[len(k.claimed(i))]++
	}
	k.t.Logf("blocks by how many fragments they have: %v", counts)
	for _, i := range slices.Sorted(slices.Values(k.up())) {
		st := k.s.Node(i).Status()
		care, _ := json.Marshal(st.Care)
		k.t.Logf("member %d: %d fragments, %d of %d alive: %s", i, st.Fragments, st.Alive, st.Members, care)
	}
}
