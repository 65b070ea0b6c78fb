package catalog_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"ventidhash/snapshot/catalog"
)

const legal = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful " +
	"legal winner thank year wave sausage worth title"

func TestOwnerFromPhraseTolerates(t *testing.T) {
	want, err := catalog.OwnerFromPhrase(legal)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{strings.ToUpper(legal), "\n " + strings.ReplaceAll(legal, " ", "\r\n\t ") + " ", strings.ReplaceAll(legal, " ", "\u00a0")} {
		if o, err := catalog.OwnerFromPhrase(p); err != nil || !reflect.DeepEqual(o, want) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestOwnerFromPhraseNamesTheSlip(t *testing.T) {
	words := strings.Fields(legal)
	with := func(i int, w string) string {
		changed := append([]string{}, words...)
		changed[i-1] = w
		return strings.Join(changed, " ")
	}
	swapped := append([]string{}, words...)
	swapped[4], swapped[5] = swapped[5], swapped[4]
	for name, c := range map[string]struct {
		phrase string
		hints  []string
	}{
		"a letter":           {with(6, "sausege"), []string{"word 6", `"sausege"`, `"sausage"`}},
		"two letters":        {with(2, "wniners"), []string{"word 2", `"winner"`}},
		"cut short":          {with(8, "usef"), []string{"word 8", `"useful"`}},
		"no word at all":     {with(3, "xylophonist"), []string{"word 3", `"xylophonist"`, "not in the list"}},
		"long":               {with(3, strings.Repeat("x", 1000)), []string{"word 3", "not in the list"}},
		"no English":         {with(3, "größe"), []string{"word 3"}},
		"another word":       {with(5, "wage"), []string{"word 5", `"wage"`, `"wave"`}},
		"places":             {strings.Join(swapped, " "), []string{"words 5 and 6", "change places"}},
		"quite another word": {with(9, "zoo"), []string{"checksum"}},
		"one missing":        {strings.Join(words[1:], " "), []string{"24 words, not 23"}},
		"one too many":       {legal + " title", []string{"24 words, not 25"}},
		"nothing":            {"", []string{"24 words, not 0"}},
		"twelve":             {strings.Repeat("abandon ", 11) + "about", []string{"24 words, not 12"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := catalog.OwnerFromPhrase(c.phrase)
			if err == nil || o != nil {
				t.Fatalf("accepted: %v", o)
			}
			for _, h := range c.hints {
				if !strings.Contains(err.Error(), h) {
					t.Errorf("%q is missing in: %v", h, err)
				}
			}
			if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestNewOwner(t *testing.T) {
	a, err := catalog.NewOwner(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := catalog.OwnerFromPhrase(a.Phrase())
	if err != nil || !reflect.DeepEqual(a, b) {
		t.Fatalf("the phrase gives another owner: %v", err)
	}
	if _, err := catalog.NewOwner(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too little randomness: %v", err)
	}
}

func TestOwnerPrintsNoSecrets(t *testing.T) {
	entropy := bytes.Repeat([]byte{0xa7}, 32)
	o := ownerOf(t, entropy)
	root, secret := o.RootKey(), o.Secret()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		text := fmt.Sprintf(format, o)
		for _, s := range [][]byte{entropy, root[:], secret[:], o.SigningKey()[:32]} {
			if strings.Contains(text, hex.EncodeToString(s[:8])) || strings.Contains(text, fmt.Sprint(s[:8])) {
				t.Errorf("%s shows a secret: %s", format, text)
			}
		}
	}
}

func TestSaveOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if _, err := catalog.LoadOwner(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no identity: %v", err)
	}
	o := ownerOf(t, make([]byte, 32))
	if got, err := catalog.SaveOwner(dir, o); err != nil || !reflect.DeepEqual(got, o) {
		t.Fatalf("save: %v, %v", got, err)
	}
	if got, err := catalog.LoadOwner(dir); err != nil || !reflect.DeepEqual(got, o) {
		t.Fatalf("load: %v, %v", got, err)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "identity"): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %o", name, info.Mode(), err, want)
		}
	}
	other := ownerOf(t, bytes.Repeat([]byte{1}, 32))
	if got, err := catalog.SaveOwner(dir, other); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("a second identity replaced the first: %v, %v", got, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("litter: %v", names)
	}
}

func TestLoadOwnerRefusesOpenFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := catalog.SaveOwner(dir, ownerOf(t, make([]byte, 32))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "identity")
	for _, perm := range []fs.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(name, perm); err != nil {
			t.Fatal(err)
		}
		_, err := catalog.LoadOwner(dir)
		if err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%o: %v", perm, err)
		}
		if _, err := catalog.SaveOwner(dir, ownerOf(t, make([]byte, 32))); err == nil {
			t.Errorf("%o: SaveOwner used it", perm)
		}
	}
	if err := os.Chmod(name, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.LoadOwner(dir); err != nil {
		t.Errorf("0400: %v", err)
	}
}

func TestSaveOwnerDoesNotReplaceDamage(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "identity")
	if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.SaveOwner(dir, ownerOf(t, make([]byte, 32))); err == nil {
		t.Error("saved over a damaged identity")
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "damaged" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

func TestSaveOwnerRace(t *testing.T) {
	for round := range 20 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(round))
		var got [8]*catalog.Owner
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], err = catalog.SaveOwner(dir, ownerOf(t, bytes.Repeat([]byte{byte(i)}, 32))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, o := range got {
			if !reflect.DeepEqual(o, got[0]) {
				t.Fatalf("%v and %v", o, got[0])
			}
		}
	}
}
