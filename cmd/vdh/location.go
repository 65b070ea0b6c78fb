package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ventidhash/snapshot/catalog"
)

// swarmWord is the value of --store that means the swarm. A folder of that name is ./swarm.
const swarmWord = "swarm"

// A location says which store is meant.
type location struct {
	swarm bool
	dir   string // of the store; for a swarm, of what this machine keeps beside the members: the catalogs' heads
}

// where returns which store is meant.
func (a *app) where() (location, error) {
	if a.storePath == swarmWord {
		dir, err := dataDir()
		return location{swarm: true, dir: filepath.Join(dir, "swarm")}, err
	}
	if strings.Contains(a.storePath, "://") {
		return location{}, usage{fmt.Errorf("--store %q: a store is a folder of this machine, or the word swarm "+
			"for the swarm that this machine has joined", a.storePath)}
	}
	if a.storePath != "" {
		dir, err := filepath.Abs(a.storePath)
		return location{dir: dir}, err
	}
	dir, err := dataDir()
	return location{dir: filepath.Join(dir, "store")}, err
}

// String names the store as --store does.
func (l location) String() string {
	if l.swarm {
		return swarmWord
	}
	return l.dir
}

// there returns an error that says what to do if there is no store in the folder. Of a swarm it says nothing.
func (l location) there() error {
	if l.swarm {
		return nil
	}
	_, err := os.Stat(filepath.Join(l.dir, "FORMAT"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store at %s: the first vdh backup makes one, --store names another; "+
			"if it was there before, is its disk mounted?", l.dir)
	}
	return err
}

// owners returns the folder that the owners' catalogs lie in.
func (l location) owners() string { return filepath.Join(l.dir, "owners") }

// catalog returns the folder of an owner's catalog.
func (l location) catalog(o *catalog.Owner) string {
	return filepath.Join(l.owners(), hex.EncodeToString(o.PublicKey()))
}

// listed reports whether there is a catalog of an owner, or of one that it has followed.
func (l location) listed(o *catalog.Owner) bool {
	return slices.ContainsFunc(append(o.Former(), o), func(o *catalog.Owner) bool {
		_, err := os.Stat(l.catalog(o))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// notes returns the folder of what this machine notes on an owner's lenders, and on what is to be let go of a swarm.
func (l location) notes(o *catalog.Owner) string {
	return filepath.Join(l.dir, "lenders", hex.EncodeToString(o.PublicKey()))
}

// strangers returns the public keys of the other owners who have a catalog there, but for former identities of o whose
// catalogs hold nothing that o's own does not.
func (l location) strangers(o *catalog.Owner, cat *catalog.Catalog) ([]string, error) {
	own := map[string]bool{hex.EncodeToString(o.PublicKey()): true}
	for _, f := range o.Former() {
		if todo, err := cat.Inherits(l.catalog(f), f); err == nil && !todo {
			own[hex.EncodeToString(f.PublicKey())] = true
		}
	}
	entries, err := os.ReadDir(l.owners())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		if e.IsDir() && !own[e.Name()] {
			keys = append(keys, e.Name())
		}
	}
	return keys, nil
}

// knownDir returns the folder of the cache of contents that an owner has in a store. The store is named by its folder,
// or by the swarm's id with swarmWord and a colon in front, which no absolute path has.
func knownDir(store string, owner []byte) (string, error) {
	dir, err := xdg("XDG_CACHE_HOME", ".cache")
	id := sha256.Sum256(append([]byte(store+"\x00"), owner...))
	return filepath.Join(dir, "known-"+hex.EncodeToString(id[:8])), err
}
