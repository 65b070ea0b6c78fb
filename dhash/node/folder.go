package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	libpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
)

// The files of a node's folder. FORMAT.md describes them.
const (
	keyFile      = "key"       // of this member: the seed of its Ed25519 key
	swarmKeyFile = "swarm-key" // of the swarm, where it was founded: likewise
	chainFile    = "chain"     // what makes this node a member
	manifestFile = "manifest"
	seedsFile    = "seeds" // where others were to be found when this node joined, and where it itself is now
	rosterFile   = "roster"
	cursorFile   = "sweep"
	headsFile    = "heads"
	storeDir     = "fragments"
	placeFile    = "place" // the folder of the fragments, once there is one
	socketFile   = "node.sock"
)

const (
	keyLabel   = "vdh key 1 "
	chainLabel = "vdh chain 1 "
	placeLabel = "vdh place 1 "
)

// ErrNoSwarm says that a folder belongs to no swarm.
var ErrNoSwarm = errors.New("this machine has joined no swarm: vdh swarm init founds one, vdh swarm join TOKEN joins one")

// A Folder is where a member keeps who it is.
type Folder struct {
	Dir      string
	Key      ed25519.PrivateKey // of this member
	Founder  ed25519.PrivateKey // the swarm's key; nil but where the swarm was founded
	Swarm    member.PublicKey
	Chain    member.Chain
	Manifest *member.Manifest
	Seeds    []ma.Multiaddr
}

// ID returns the member's id.
func (f *Folder) ID() dhash.ID { return member.PublicOf(f.Key).ID() }

// Found makes a new swarm, and this machine its first member. m says what the swarm is to agree on; it is signed here.
// A folder that belongs to a swarm already is refused.
func Found(dir string, m *member.Manifest, now time.Time) (*Folder, error) {
	_, founder, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	f, err := newFolder(dir)
	if err != nil {
		return nil, err
	}
	f.Founder, f.Swarm, f.Manifest = founder, member.PublicOf(founder), m
	m.Revision = 1
	if err := m.Sign(founder, now); err != nil {
		return nil, err
	}
	f.Chain, err = member.Chain(nil).Issue(founder, f.Swarm, now, member.Certificate{Role: member.RoleMember,
		Subject: member.PublicOf(f.Key), Label: "founder"})
	if err != nil {
		return nil, err
	}
	return f, f.Save()
}

// Join makes this machine a member of the swarm that it was invited to. It asks nobody; a node that is started finds the
// others. A folder that belongs to a swarm already is refused. label tells people who joined.
func Join(dir string, v *member.Invitation, label string, now time.Time) (*Folder, error) {
	f, err := newFolder(dir)
	if err != nil {
		return nil, err
	}
	f.Swarm, f.Seeds = v.Swarm, v.Addrs
	if f.Chain, err = v.Accept(member.PublicOf(f.Key), now, label); err != nil {
		return nil, err
	}
	return f, f.Save()
}

func newFolder(dir string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, chainFile)); err == nil {
		return nil, fmt.Errorf("%s belongs to a swarm already: a machine is a member of one swarm", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return &Folder{Dir: dir, Key: key}, err
}

// Save writes a folder that is new, as Found and Join do. Its directory must be there. The chain comes last: without it the
// folder belongs to no swarm.
func (f *Folder) Save() error {
	err := f.write(keyFile, keyLabel+hex.EncodeToString(f.Key.Seed())+"\n")
	if err == nil && f.Founder != nil {
		err = f.write(swarmKeyFile, keyLabel+hex.EncodeToString(f.Founder.Seed())+"\n")
	}
	if err == nil && f.Manifest != nil {
		err = f.SaveManifest(f.Manifest)
	}
	if err == nil {
		err = f.SaveSeeds(f.Seeds)
	}
	if err == nil {
		err = f.write(chainFile, chainLabel+hex.EncodeToString(f.Swarm[:])+" "+hex.EncodeToString(f.Chain.Encode())+"\n")
	}
	return err
}

// SaveManifest writes the manifest that now holds, for the next OpenFolder.
func (f *Folder) SaveManifest(m *member.Manifest) error {
	return f.write(manifestFile, string(m.Encode()))
}

// SaveSeeds writes where members are to be found, for the next OpenFolder.
func (f *Folder) SaveSeeds(addrs []ma.Multiaddr) error {
	var text strings.Builder
	for _, a := range addrs {
		text.WriteString(a.String() + "\n")
	}
	return f.write(seedsFile, text.String())
}

// write replaces a file in one step, durably.
func (f *Folder) write(name, content string) error {
	tmp, err := os.CreateTemp(f.Dir, name+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(f.Dir, name)); err != nil {
		return err
	}
	d, err := os.Open(f.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// OpenFolder reads a member's folder. ErrNoSwarm says that it belongs to no swarm.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{Dir: dir}
	chain, err := f.read(chainFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoSwarm
	}
	if err == nil {
		err = f.parseChain(chain)
	}
	if err == nil {
		f.Key, err = f.readKey(keyFile)
	}
	if err == nil {
		f.Founder, err = f.readKey(swarmKeyFile)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = f.readManifest()
	}
	if err == nil {
		err = f.readSeeds()
	}
	if err != nil {
		return nil, fmt.Errorf("reading who this member is: %w", err)
	}
	return f, nil
}

// maxFile bounds what is read of any file of the folder.
const maxFile = 1 << 20

func (f *Folder) read(name string) (string, error) {
	st, err := os.Stat(filepath.Join(f.Dir, name))
	if err != nil {
		return "", err
	}
	if st.Size() > maxFile {
		return "", fmt.Errorf("%s: %d bytes are too many", st.Name(), st.Size())
	}
	b, err := os.ReadFile(filepath.Join(f.Dir, name))
	return string(b), err
}

func (f *Folder) readKey(name string) (ed25519.PrivateKey, error) {
	text, err := f.read(name)
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
func (f *Folder) readManifest() error {
	text, err := f.read(manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.Manifest, err = member.ParseManifest([]byte(text), f.Swarm)
	}
	return err
}

func (f *Folder) readSeeds() error {
	text, err := f.read(seedsFile)
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

// seeds returns whom to ask first, and where.
func (f *Folder) seeds() []libpeer.AddrInfo {
	list, err := libpeer.AddrInfosFromP2pAddrs(f.Seeds...)
	if err != nil {
		return nil // an address without an id: of no use
	}
	return slices.DeleteFunc(list, func(i libpeer.AddrInfo) bool { return dhash.ID(i.ID) == f.ID() })
}

// keepsAt reports whether this member has kept fragments in dir before. One that has kept them elsewhere is an error:
// they would be missing without a word.
func (f *Folder) keepsAt(dir string) (bool, error) {
	text, err := f.read(placeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), placeLabel)
	if !ok {
		return false, fmt.Errorf("%s is damaged", filepath.Join(f.Dir, placeFile))
	}
	if abs, err := filepath.Abs(dir); err != nil || abs != was {
		return false, fmt.Errorf("this member keeps its fragments in %s, not in %s; move them there, and write the new place into %s, "+
			"or go on with --data %s", was, dir, filepath.Join(f.Dir, placeFile), was)
	}
	return true, nil
}

func (f *Folder) setKeepsAt(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return f.write(placeFile, placeLabel+abs+"\n")
}

// grantTerm is how long an owner's word is good; a node is given a new one by every program that uses it.
const grantTerm = 30 * 24 * time.Hour

// Grant returns the owner's word that a peer, a node or a client of the folder's swarm, may act for the owner.
func (f *Folder) Grant(owner ed25519.PrivateKey, peer member.PublicKey, now time.Time) ([]byte, error) {
	g, err := member.NewGrant(owner, f.Swarm.Swarm(), peer, now.Add(grantTerm))
	if err != nil {
		return nil, err
	}
	return g.Encode(), nil
}
