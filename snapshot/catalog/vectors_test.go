package catalog_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// cases reads a file of testdata: cases parted by empty lines, of lines "key: value".
func cases(t testing.TB, name string) (list []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		c := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			k, v, _ := strings.Cut(line, ": ")
			c[strings.TrimSuffix(k, ":")] = v
		}
		list = append(list, c)
	}
	if len(list) < 4 {
		t.Fatalf("%s has %d cases", name, len(list))
	}
	return list
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ownerOf returns the owner with the given entropy.
func ownerOf(t testing.TB, entropy []byte) *catalog.Owner {
	t.Helper()
	o, err := catalog.NewOwner(bytes.NewReader(entropy))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestBIP39Vectors(t *testing.T) {
	for _, c := range cases(t, "bip39.txt") {
		o := ownerOf(t, unhex(t, c["entropy"]))
		if got := o.Phrase(); got != c["phrase"] {
			t.Errorf("%s: phrase %q", c["entropy"], got)
		}
		back, err := catalog.OwnerFromPhrase(c["phrase"])
		if err != nil || !reflect.DeepEqual(back, o) {
			t.Errorf("%s: the phrase gives %v, %v", c["entropy"], back, err)
		}
	}
}

func TestOwnerVectors(t *testing.T) {
	for _, c := range cases(t, "owner.txt") {
		o := ownerOf(t, unhex(t, c["entropy"]))
		root, secret, mark := o.RootKey(), o.Secret(), o.MarkKey()
		for what, pair := range map[string][2][]byte{
			"public": {o.PublicKey(), unhex(t, c["public"])},
			"root":   {root[:], unhex(t, c["root"])},
			"secret": {secret[:], unhex(t, c["secret"])},
			"mark":   {mark[:], unhex(t, c["mark"])},
		} {
			if !bytes.Equal(pair[0], pair[1]) {
				t.Errorf("%s: %s is %x, want %x", c["entropy"], what, pair[0], pair[1])
			}
		}
	}
}

func TestIdentityVectors(t *testing.T) {
	for _, c := range cases(t, "identity.txt") {
		var text string
		if err := json.Unmarshal([]byte(c["text"]), &text); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "identity"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := catalog.LoadOwner(dir)
		if c["expect"] != "ok" {
			if !errors.Is(err, venti.ErrCorrupt) || !strings.Contains(err.Error(), "recovery phrase") {
				t.Errorf("%s: got %v", c["case"], err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c["case"], err)
			continue
		}
		fresh := t.TempDir()
		if _, err := catalog.SaveOwner(fresh, o); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(fresh, "identity")); err != nil || string(got) != text {
			t.Errorf("%s: saved as %q, %v", c["case"], got, err)
		}
	}
}

func TestHeadVectors(t *testing.T) {
	for _, c := range cases(t, "head.txt") {
		b := unhex(t, c["head"])
		h, err := venti.ParseHead(b)
		if c["expect"] != "ok" {
			if !errors.Is(err, venti.ErrCorrupt) || h != (venti.Head{}) {
				t.Errorf("%s: got %+v, %v", c["case"], h, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c["case"], err)
			continue
		}
		seq, _ := strconv.ParseUint(c["sequence"], 10, 64)
		sec, _ := strconv.ParseInt(c["time"], 10, 64)
		made := ownerOf(t, unhex(t, c["entropy"])).SignHead(seq, venti.Score(unhex(t, c["score"])), time.Unix(sec, 999))
		if made != h || !bytes.Equal(made.Append(nil), b) {
			t.Errorf("%s: made %+v, read %+v", c["case"], made, h)
		}
	}
}

// A row of the vectors of the stream.
type row struct {
	Stamp                     uint64
	Score, Parent             venti.Score
	Sec, Nsec                 int64
	Host, User                string
	Paths, Tags               []string // hexadecimal
	Files, Dirs, Bytes, Added uint64
	Duration                  time.Duration
	Share                     bool
	Incomplete                uint64
}

func (r row) listed(t *testing.T) catalog.Listed {
	s := catalog.Listed{Stamp: r.Stamp, Snapshot: snapshot.Snapshot{Score: r.Score, Time: time.Unix(r.Sec, r.Nsec).UTC(), Host: r.Host, User: r.User,
		Files: r.Files, Dirs: r.Dirs, Bytes: r.Bytes, Added: r.Added, Duration: r.Duration, Parent: r.Parent,
		Share: r.Share, Incomplete: r.Incomplete}}
	for _, p := range r.Paths {
		s.Paths = append(s.Paths, string(unhex(t, p)))
	}
	for _, p := range r.Tags {
		s.Tags = append(s.Tags, string(unhex(t, p)))
	}
	return s
}

// rows are a list in the vectors of the stream.
type rows struct {
	Machines []struct {
		Stamp uint64
		Host  string
		Sec   int64
		Files []struct{ Name, Content string } // hexadecimal
	}
	Forgotten []struct {
		Stamp uint64
		Score venti.Score
		Sec   int64
	}
	Snapshots []row
}

func (r rows) list(t *testing.T) (l catalog.List) {
	for _, m := range r.Machines {
		s := catalog.Setup{Stamp: m.Stamp, Machine: snapshot.Machine{Host: m.Host}}
		if m.Sec != 0 {
			s.Time = time.Unix(m.Sec, 0).UTC()
		}
		for _, f := range m.Files {
			s.Files = append(s.Files, snapshot.File{Name: string(unhex(t, f.Name)), Content: unhex(t, f.Content)})
		}
		l.Machines = append(l.Machines, s)
	}
	for _, f := range r.Forgotten {
		l.Forgotten = append(l.Forgotten, catalog.Forgotten{Stamp: f.Stamp, Score: f.Score, Time: time.Unix(f.Sec, 0).UTC()})
	}
	for _, s := range r.Snapshots {
		l.Snapshots = append(l.Snapshots, s.listed(t))
	}
	return l
}

func TestStreamVectors(t *testing.T) {
	for _, c := range cases(t, "stream.txt") {
		b := unhex(t, c["stream"])
		got, err := catalog.Decode(b)
		if c["expect"] != "ok" {
			if !errors.Is(err, venti.ErrCorrupt) || !reflect.DeepEqual(got, catalog.List{}) {
				t.Errorf("%s: got %d snapshots, %v", c["case"], len(got.Snapshots), err)
			}
			continue
		}
		var r rows
		if err := json.Unmarshal([]byte(c["list"]), &r); err != nil {
			t.Fatal(err)
		}
		want := r.list(t)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", c["case"], got, err, want)
		}
		slices.Reverse(want.Machines) // any order gives the same bytes
		slices.Reverse(want.Forgotten)
		slices.Reverse(want.Snapshots)
		if made := catalog.Encode(want); !bytes.Equal(made, b) {
			t.Errorf("%s: encoded as %x", c["case"], made)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range cases(f, "stream.txt") {
		if b := unhex(f, c["stream"]); len(b) < 1000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := catalog.Decode(b)
		if err != nil {
			return
		}
		if again := catalog.Encode(list); !bytes.Equal(again, b) {
			t.Fatalf("%x was accepted, and is encoded as %x", b, again)
		}
	})
}

// FuzzHead signs what it is given too, so that fields of any value come past the signature.
func FuzzHead(f *testing.F) {
	for _, c := range cases(f, "head.txt") {
		f.Add(unhex(f, c["head"]))
	}
	o := ownerOf(f, make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := venti.ParseHead(b); err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Fatalf("%x was accepted, and is encoded as %x", b, h.Append(nil))
		}
		if len(b) < 48 {
			return
		}
		sec := int64(number(b[40:48]) >> 1)
		made := o.SignHead(number(b), venti.Score(b[8:40]), time.Unix(sec, 0))
		h, err := venti.ParseHead(made.Append(nil))
		if made.Sequence == 0 || made.Score.IsZero() {
			if err == nil {
				t.Fatalf("accepted %+v", made)
			}
		} else if err != nil || h != made {
			t.Fatalf("made %+v, got %+v, %v", made, h, err)
		}
	})
}

// number reads eight bytes as a number.
func number(b []byte) (n uint64) {
	for _, c := range b[:8] {
		n = n<<8 | uint64(c)
	}
	return n
}

func FuzzIdentity(f *testing.F) {
	for _, c := range cases(f, "identity.txt") {
		var text string
		json.Unmarshal([]byte(c["text"]), &text)
		f.Add([]byte(text))
	}
	dir, fresh := f.TempDir(), f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(dir, "identity")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := catalog.LoadOwner(dir)
		if err != nil {
			return
		}
		os.Remove(filepath.Join(fresh, "identity"))
		if _, err := catalog.SaveOwner(fresh, o); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(filepath.Join(fresh, "identity")); !bytes.Equal(again, text) {
			t.Fatalf("%q was accepted, and is saved as %q", text, again)
		}
	})
}

func FuzzOwnerFromPhrase(f *testing.F) {
	for _, c := range cases(f, "bip39.txt") {
		f.Add(c["phrase"])
	}
	f.Fuzz(func(t *testing.T, phrase string) {
		o, err := catalog.OwnerFromPhrase(phrase)
		if err == nil && o.Phrase() != strings.Join(strings.Fields(strings.ToLower(phrase)), " ") {
			t.Fatalf("%q became %q", phrase, o.Phrase())
		}
	})
}
