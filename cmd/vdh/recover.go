package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/catalog"
)

func newRecover(a *app) *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "bring the identity back from its recovery phrase",
		Long: `Reads the 24 words of the recovery phrase, from the terminal without showing them, or from standard
input, and makes the identity again. With it, every snapshot in the store can be listed and restored.
The list lies in the store's folder. An identity that is there already is never replaced.

--head FILE is for when the identity is there, and the head of its catalog in the store's folder was
damaged or lost: it makes FILE, a copy of the head, the head. Errors about the head name such a file.`,
		Example: `  vdh recover && vdh snapshots --store /mnt/archive
  vdh recover --head /mnt/archive/owners/7d…/head.1`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if head != "" {
				return a.recoverHead(cmd.Context(), head)
			}
			return a.recoverIdentity(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&head, "head", "", "file of a head to go on from")
	return cmd
}

func (a *app) recoverIdentity(ctx context.Context) error {
	dir, err := dataDir()
	if err != nil {
		return err
	}
	if _, err := catalog.LoadOwner(dir); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("there is an identity in %s already, and it stays; to be another one, set XDG_DATA_HOME", dir), err)
	}
	phrase, err := a.readSecret(ctx, "the 24 words of the recovery phrase, which are not shown: ")
	if err != nil {
		return err
	}
	o, err := catalog.OwnerFromPhrase(phrase)
	if err != nil {
		return err
	}
	saved, err := catalog.SaveOwner(dir, o)
	if err != nil {
		return err
	}
	if !saved.PublicKey().Equal(o.PublicKey()) {
		return fmt.Errorf("another identity was made in %s meanwhile, and it stays", dir)
	}
	a.note("vdh: the identity is back, in %s", dir)
	a.owner = saved
	at, err := a.where()
	if err != nil {
		return err
	}
	if _, err := os.Stat(at.catalog(saved)); err != nil {
		if at.swarm {
			a.note("vdh: the head of its list of snapshots is not on this machine; a copy of it is taken by: " +
				"vdh recover --store swarm --head FILE")
		} else {
			a.note("vdh: its snapshots are listed by: vdh snapshots --store DIR")
		}
		return nil
	}
	list, err := a.list(ctx)
	if err == nil {
		a.note("vdh: %s has %s of it; see: vdh snapshots", at.dir, count(int64(len(list)), "snapshot", "snapshots"))
	}
	return err
}

// recoverHead makes a copy of a head the head of the catalog.
func (a *app) recoverHead(ctx context.Context, name string) error {
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	at, err := a.where()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	store, err := a.session(ctx)
	if err != nil {
		return err
	}
	cfg := catalog.Config{Dir: at.catalog(owner), Store: store, Owner: owner}
	h, err := catalog.Recover(ctx, cfg, b)
	if err != nil {
		return err
	}
	a.note("vdh: the catalog goes on from %s, its list number %d", printable(name), h.Sequence)
	return a.thinly(ctx)
}
