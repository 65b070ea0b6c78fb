package node

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash/member"
)

// A File is one of the files that make a member who it is: FORMAT.md. Some are secret.
type File struct{ Name, Content string }

// Pack returns the files of a folder, so that it can be made again elsewhere: all but the roster, and what the member
// holds. The chain is the last.
func (f *Folder) Pack() []File {
	files := []File{{keyFile, keyText(f.Key)}}
	if f.Founder != nil {
		files = append(files, File{swarmKeyFile, keyText(f.Founder)})
	}
	if f.Manifest != nil {
		files = append(files, File{manifestFile, string(f.Manifest.Encode())})
	}
	return append(files, File{seedsFile, seedsText(f.Seeds)},
		File{chainFile, chainLabel + hex.EncodeToString(f.Swarm[:]) + " " + hex.EncodeToString(f.Chain.Encode()) + "\n"})
}

// Unpack returns the folder that Pack was called on, which is in no directory yet. Files of other names are passed over.
func Unpack(files []File) (*Folder, error) {
	f := &Folder{}
	err := f.parse(func(name string) (string, error) {
		for _, file := range files {
			if file.Name == name {
				return file.Content, nil
			}
		}
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	})
	if err != nil {
		return nil, fmt.Errorf("reading who a member was: %w", err)
	}
	return f, nil
}

// SaveIn makes dir the folder, with an empty store. One that belongs to a swarm already is refused.
func (f *Folder) SaveIn(dir string) error {
	fresh, err := newFolder(dir)
	if err != nil {
		return err
	}
	f.Dir = fresh.Dir
	return f.Save()
}

func keyText(k ed25519.PrivateKey) string { return keyLabel + hex.EncodeToString(k.Seed()) + "\n" }

func seedsText(addrs []ma.Multiaddr) string {
	var text strings.Builder
	for _, a := range addrs {
		text.WriteString(a.String() + "\n")
	}
	return text.String()
}

// A reader returns the content of a file of a folder, or fs.ErrNotExist.
type reader func(name string) (string, error)

// parse reads the files of a folder. Without a chain the error is fs.ErrNotExist, and f.Chain is nil.
func (f *Folder) parse(read reader) error {
	chain, err := read(chainFile)
	if err == nil {
		err = f.parseChain(chain)
	}
	if err == nil {
		f.Key, err = f.readKey(read, keyFile)
	}
	if err == nil {
		f.Founder, err = f.readKey(read, swarmKeyFile)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = f.readManifest(read)
	}
	if err == nil {
		err = f.readSeeds(read)
	}
	return err
}

func (f *Folder) readKey(read reader, name string) (ed25519.PrivateKey, error) {
	text, err := read(name)
	if err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), keyLabel)
	seed, err := hex.DecodeString(rest)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is damaged: it does not hold a key", filepath.Join(f.Dir, name))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (f *Folder) parseChain(text string) error {
	damaged := fmt.Errorf("%s is damaged", filepath.Join(f.Dir, chainFile))
	rest, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), chainLabel)
	swarm, chain, ok2 := strings.Cut(rest, " ")
	key, err := hex.DecodeString(swarm)
	if !ok || !ok2 || err != nil || len(key) != len(f.Swarm) {
		return damaged
	}
	f.Swarm = member.PublicKey(key)
	b, err := hex.DecodeString(chain)
	if err == nil {
		f.Chain, err = member.ParseChain(b)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", damaged, err)
	}
	return nil
}

// readManifest reads the manifest, which a member that has never met another does not have.
func (f *Folder) readManifest(read reader) error {
	text, err := read(manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.Manifest, err = member.ParseManifest([]byte(text), f.Swarm)
	}
	return err
}

func (f *Folder) readSeeds(read reader) error {
	text, err := read(seedsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range strings.Lines(text) {
		a, e := ma.NewMultiaddr(strings.TrimSuffix(line, "\n"))
		if e != nil {
			return fmt.Errorf("%s: %w", filepath.Join(f.Dir, seedsFile), e)
		}
		f.Seeds = append(f.Seeds, a)
	}
	return err
}
