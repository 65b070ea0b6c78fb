package peer

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// A vector is one record of testdata/vectors.txt, which testdata/vectors.py made from PROTOCOL.md.
type vector struct {
	name   string
	data   []byte
	asked  int
	expect string
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 175) {
		v := vector{name: r.Value("name"), data: r.Bytes(t, "message"), expect: r.Value("expect")}
		if asked := r.Value("asked"); asked != "" {
			var err error
			if v.asked, err = strconv.Atoi(asked); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, v)
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got, again, err := decode(v.data, v.asked)
			switch {
			case errors.Is(err, errMalformed):
				got = "malformed"
			case errors.Is(err, dhash.ErrFragment):
				got = "bad fragment"
			case err != nil:
				t.Errorf("error %v is neither %v nor %v", err, errMalformed, dhash.ErrFragment)
			case !bytes.Equal(again, v.data):
				t.Errorf("encodes to %x, want %x", again, v.data)
			}
			if got != v.expect {
				t.Errorf("means %q, want %q: %v", got, v.expect, err)
			}
		})
	}
}

// decode reads one whole message, as client and server do, says what it means in the words of vectors.py, and encodes it
// again. asked is how many scores or marks it answers.
func decode(b []byte, asked int) (meaning string, again []byte, err error) {
	h, err := parseHeader(b)
	if err != nil {
		return "", nil, err
	}
	if h.size != len(b)-headerSize {
		return "", nil, fmt.Errorf("the vector has %d bytes, its header says %d", len(b), headerSize+h.size)
	}
	shown, body, err := decodeBody(h.kind, b[headerSize:], asked)
	if err != nil {
		return "", nil, err
	}
	meaning = fmt.Sprintf("%v id %d", h.kind, h.id)
	if shown != "" {
		meaning += " " + shown
	}
	return meaning, append(appendHeader(nil, h.kind, h.id, len(body)), body...), nil
}

func decodeBody(k kind, b []byte, asked int) (shown string, again []byte, err error) {
	switch k {
	case kPut:
		c, f, err := parsePut(b)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("%x %x %x", c.Owner, c.Mark, f.Append(nil)), f.Append(appendClaim(nil, c)), nil
	case kCopy:
		claims, f, err := parseCopy(b)
		if err != nil {
			return "", nil, err
		}
		for _, c := range claims {
			shown += fmt.Sprintf("%x %x ", c.Owner, c.Mark)
		}
		return shown + fmt.Sprintf("%x", f.Append(nil)), f.Append(appendCopy(nil, claims)), nil
	case kChallenge:
		all, err := parseChallenges(b)
		for _, c := range all {
			shown += fmt.Sprintf(" %v %x %d", c.Score, c.Coding, c.Nonce)
		}
		return strings.TrimPrefix(shown, " "), appendChallenges(nil, all), err
	case kChallenge | answer:
		leaves, err := parseLeaves(b, asked)
		for _, l := range leaves {
			if again = appendLeaf(again, l); len(l) == 0 {
				shown += " -"
			} else {
				shown += fmt.Sprintf(" %x", l)
			}
		}
		return strings.TrimPrefix(shown, " "), again, err
	case kGet | answer:
		f, err := dhash.ParseFragment(b)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("%x", f.Append(nil)), f.Append(nil), nil
	case kPut | answer, kCopy | answer:
		r, err := parseReceipt(b)
		return fmt.Sprintf("%d %x", r.Free, r.Coding), r.append(nil), err
	case kGet:
		w, err := parseWant(b)
		shown := fmt.Sprintf("%v %x", w.Score, w.Coding)
		for _, c := range w.Avoid {
			shown += fmt.Sprintf(" %x", c)
		}
		return shown, w.append(nil), err
	case kHave:
		owner, scores, err := parseHave(b)
		return strings.TrimSuffix(fmt.Sprintf("%x ", owner)+strings.Trim(fmt.Sprint(scores), "[]"), " "),
			appendHave(nil, owner, scores), err
	case kHave | answer:
		held, err := parseHeld(b, asked)
		return describeHeld(held), appendHeld(nil, held), err
	case kClaim:
		owner, marks, err := parseMarks(b)
		shown := fmt.Sprintf("%x", owner)
		for _, m := range marks {
			shown += fmt.Sprintf(" %v %x %d %x", m.Score, m.Coding, m.Index, m.Mark)
		}
		return shown, appendMarks(nil, owner, marks), err
	case kClaim | answer:
		held, err := parseBools(b, asked)
		return strings.NewReplacer("true", "1", "false", "0", "[", "", "]", "", " ", "").Replace(fmt.Sprint(held)),
			appendBools(nil, held), err
	case kDivert:
		v, err := parseDiversion(b)
		return fmt.Sprintf("%v %x %d %x", v.Score, v.Coding, v.Index, string(v.To)), v.append(nil), err
	case kHeads:
		heads, err := parseHeads(b)
		return describeHeads(heads), appendHeads(nil, heads), err
	case kHeads | answer:
		verdicts, newer, err := parseVerdicts(b, slices.Repeat([]venti.Head{{Owner: vectorOwner()}}, asked))
		return strings.TrimSpace(fmt.Sprintf("%d ", verdicts) + describeHeads(newer)), appendVerdicts(nil, verdicts, newer), err
	case kFindHeads:
		owners, err := parseOwners(b)
		return fmt.Sprintf("%x", owners), appendOwners(nil, owners), err
	case kFindHeads | answer:
		lists, err := parseHeadsOf(b, slices.Repeat([]dhash.Owner{vectorOwner()}, asked))
		for _, of := range lists {
			shown += " [" + describeHeads(of) + "]"
		}
		return strings.TrimPrefix(shown, " "), appendHeadsOf(nil, lists), err
	case kRoots:
		owner, from, err := parseRootsOf(b)
		return fmt.Sprintf("%x %x", owner, from), appendRootsOf(nil, owner, from), err
	case kRoots | answer:
		scores, next, err := parseRoots(b, dhash.Key{})
		return strings.TrimSpace(fmt.Sprintf("%x ", next) + strings.Trim(fmt.Sprint(scores), "[]")), appendRoots(nil, scores, next), err
	case rRefusal:
		r, err := parseRefusal(b)
		if err != nil {
			return "", nil, err
		}
		names := []string{"", "no fragment", "full", "quota", "not mine", "busy", "bad fragment", "not granted", "corrupt",
			"other", "handed over"}
		return fmt.Sprintf("%s to \"%x\" %q", names[reasonOf(r)], string(r.Diverted), r.Text), appendRefusal(nil, r), nil
	}
	if len(b) == 0 {
		return "", nil, nil
	}
	return fmt.Sprintf("%x", b), b, nil // opaque
}

// vectorOwner is the owner in vectors.py.
func vectorOwner() (o dhash.Owner) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	copy(o[:], ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	return o
}

func describeHeads(heads []venti.Head) string {
	var all []string
	for _, h := range heads {
		all = append(all, fmt.Sprintf("%x %d %v %d", h.Owner, h.Sequence, h.Score, h.Time.Unix()))
	}
	return strings.Join(all, " ")
}

func describeHeld(held [][]dhash.Held) string {
	var all []string
	for _, of := range held {
		var one []string
		for _, h := range of {
			one = append(one, fmt.Sprintf("%x %v %d %d %x", h.Coding, h.Code, h.Index, h.Length, h.Mark))
		}
		all = append(all, "["+strings.Join(one, " ")+"]")
	}
	return strings.Join(all, " ")
}

// FuzzDecode decodes a message of any kind: no panic, and what is accepted has one encoding only.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.data, uint16(v.asked))
	}
	f.Fuzz(func(t *testing.T, b []byte, asked uint16) {
		if len(b) < headerSize {
			return
		}
		_, again, err := decode(b, int(asked%(MaxHave+1)))
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x", b, again)
		}
	})
}
