package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"

	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
	"ventidhash/venti"
)

const (
	askedBlocks = 200
	askedSize   = 64 << 10
)

// asked counts what a client asks of the swarm beside fragments, while it puts and gets blocks.
func (b *bench) asked(ctx context.Context, p *place) (err error) {
	f, err := node.OpenFolder(procs.FolderIn(p.client()))
	if err != nil {
		return err
	}
	owner := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c, err := node.Dial(ctx, node.ClientConfig{Folder: f, Owner: owner})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	before := c.Status().Requests
	random := rand.NewChaCha8([32]byte{1})
	scores := make([]venti.Score, askedBlocks)
	for i := range scores {
		block := make([]byte, askedSize)
		random.Read(block) // never fails
		if scores[i], err = c.Put(ctx, block); err != nil {
			return err
		}
	}
	if err := c.Sync(ctx); err != nil {
		return err
	}
	for _, s := range scores {
		if _, err := c.Get(ctx, s); err != nil {
			return err
		}
	}
	note := func(name string, v float64) {
		b.results.note("–", fmt.Sprintf("%s for %d blocks", name, askedBlocks), "", v)
	}
	note("DHT lookups", float64(c.Counts().Lookups))
	note("requests of the DHT", float64(c.Status().Requests-before))
	return nil
}
