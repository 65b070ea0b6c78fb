package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"ventidhash/dhash/node"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/prune"
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
	errs   *outlet       // stderr, or what writes above the bar while there is one

	storePath            string
	json, quiet, verbose bool
	patience             time.Duration // with a swarm that is out of reach
	told                 bool          // what is done is a step of a job: JSON is for vdh run, standard error for people
	limit                int64         // bytes in a second, 0 for as many as there can be

	// mu makes whoever needs the store first open it (blocks): swarm and disk are set under it, and then stay until close.
	mu sync.Mutex

	owner   *catalog.Owner
	sealer  *seal.Sealer
	dial    func(ctx context.Context, create bool) (swarmStore, error) // openSwarm
	swarm   swarmStore                                                 // the store, if it is one
	rescued *node.Folder                                               // of a machine in no swarm whose owner was let in
	quiets  func()                                                     // ends what tells of the swarm's outages
	disk    *disk.Store                                                // the store, if it is a folder
	lease   *disk.Session                                              // of a store in a folder
	writing *prune.Writing                                             // the same of a swarm
	source  *tree.Source
	catalog *catalog.Catalog
	shared  bool                      // other machines of the owner may change the catalog: it is that of a swarm
	apart   *catalog.UnpublishedError // the list was changed, and is not the one that others find

	asked      bool // what other machines have done to the list was asked for (refresh, look)
	onlyReads  bool // nothing is claimed for what is to be published (vet)
	completing bool // for a shell that waits: nobody is asked for anything but blocks
}

func newApp(in io.Reader, out, errs io.Writer) *app {
	a := &app{in: in, stdout: out, out: bufio.NewWriterSize(out, 64<<10), stderr: errs, errs: &outlet{w: errs}}
	a.dial = a.openSwarm
	return a
}

// close ends the session, closes what was opened and writes out what was printed.
func (a *app) close() error {
	errs := []error{a.out.Flush()}
	if a.lease != nil {
		errs = append(errs, a.lease.Close())
	}
	if a.writing != nil {
		errs = append(errs, a.writing.Close())
	}
	if a.disk != nil {
		errs = append(errs, a.disk.Close())
	}
	if a.quiets != nil {
		a.quiets()
	}
	if a.swarm != nil {
		errs = append(errs, a.swarm.Close())
	}
	a.lease, a.writing, a.disk, a.swarm, a.quiets = nil, nil, nil, nil, nil
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
	takeNotes(dir, o)
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
// carried elsewhere brings its list along. Of a swarm, its head and copies of its blocks lie on this machine.
func (a *app) snapshots(ctx context.Context) (*catalog.Catalog, error) {
	if a.catalog != nil {
		return a.catalog, nil
	}
	owner, err := a.identity(false)
	if err != nil {
		return nil, err
	}
	at, err := a.where()
	if err != nil {
		return nil, err
	}
	if err := at.there(); err != nil {
		return nil, err
	}
	dir := at.catalog(owner)
	if at.swarm && !at.listed(owner) { // an empty list only where there is a swarm
		if _, err := a.blocks(ctx, false); err != nil {
			return nil, err
		}
	}
	cfg := catalog.Config{Dir: dir, Store: late{a}, Owner: owner}
	if at.swarm {
		cfg.Heads, cfg.Vet, a.shared = swarmHeads{a}, a.vet, true
	}
	if a.catalog, err = catalog.Open(cfg); err != nil {
		return a.catalog, err
	}
	if err := a.inherit(ctx, at); err != nil {
		return nil, err
	}
	a.regain(ctx)
	return a.catalog, nil
}

// print writes v as one JSON line.
func (a *app) print(v any) error { return json.NewEncoder(a.out).Encode(v) }

// note prints a line for people on standard error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.errs, format+"\n", args...)
	}
}
