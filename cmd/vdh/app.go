package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ventidhash/snapshot/catalog"
	"ventidhash/venti/disk"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// An app is one run of the program: the global flags, and what has been opened. Parts are opened when a verb first asks
// for them, so that a verb pays only for what it uses.
type app struct {
	in     io.Reader
	stdout io.Writer     // as it was given
	out    *bufio.Writer // in front of stdout
	stderr io.Writer     // as it was given
	errs   io.Writer     // stderr, or what writes above the bar while there is one

	storePath            string
	json, quiet, verbose bool

	owner   *catalog.Owner
	sealer  *seal.Sealer
	store   *disk.Store
	lease   *disk.Session
	source  *tree.Source
	catalog *catalog.Catalog
}

func newApp(in io.Reader, out, errs io.Writer) *app {
	return &app{in: in, stdout: out, out: bufio.NewWriterSize(out, 64<<10), stderr: errs, errs: errs}
}

// close ends the session, closes what was opened and writes out what was printed.
func (a *app) close() error {
	errs := []error{a.out.Flush()}
	if a.lease != nil {
		errs = append(errs, a.lease.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	a.lease, a.store = nil, nil
	return errors.Join(errs...)
}

func dataDir() (string, error) { return xdg("XDG_DATA_HOME", ".local/share") }

// identity returns the owner. Where there is none yet, it makes one if create is set.
func (a *app) identity(create bool) (*catalog.Owner, error) {
	if a.owner != nil {
		return a.owner, nil
	}
	dir, err := dataDir()
	if err != nil {
		return nil, err
	}
	o, err := catalog.LoadOwner(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return nil, fmt.Errorf("there is no identity in %s yet: vdh init or the first vdh backup makes one, "+
				"vdh recover brings one back from its 24 words; only vac:SCORE#KEY needs none", dir)
		}
		o, err = a.newIdentity(dir)
	}
	if err != nil {
		return nil, err
	}
	a.owner, a.sealer, a.source = o, nil, nil
	return o, nil
}

// seals returns the sealer of the owner; without an identity it can only open.
func (a *app) seals() (*seal.Sealer, error) {
	if a.sealer != nil {
		return a.sealer, nil
	}
	var secret seal.Secret
	if a.owner != nil {
		secret = a.owner.Secret()
	}
	s, err := seal.New(secret)
	a.sealer = s
	return s, err
}

// snapshots returns the owner's catalog. It lies in the store's folder, under the owner's public key, so that a store
// carried elsewhere brings its list along.
func (a *app) snapshots() (*catalog.Catalog, error) {
	if a.catalog != nil {
		return a.catalog, nil
	}
	owner, err := a.identity(false)
	if err != nil {
		return nil, err
	}
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	if err := storeThere(dir); err != nil {
		return nil, err
	}
	a.catalog, err = catalog.Open(catalog.Config{Dir: catalogDir(dir, owner), Store: late{a}, Owner: owner})
	return a.catalog, err
}

func ownersDir(store string) string { return filepath.Join(store, "owners") }

// catalogDir returns the folder of an owner's catalog in a store.
func catalogDir(store string, o *catalog.Owner) string {
	return filepath.Join(ownersDir(store), hex.EncodeToString(o.PublicKey()))
}

// strangers returns the public keys of the other owners who have a catalog in the store.
func strangers(store string, o *catalog.Owner) ([]string, error) {
	entries, err := os.ReadDir(ownersDir(store))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != hex.EncodeToString(o.PublicKey()) {
			keys = append(keys, e.Name())
		}
	}
	return keys, nil
}

// print writes v as one JSON line.
func (a *app) print(v any) error { return json.NewEncoder(a.out).Encode(v) }

// note prints a line for people on standard error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.errs, format+"\n", args...)
	}
}
