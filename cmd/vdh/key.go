package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ventidhash/dhash"
	"ventidhash/snapshot/catalog"
)

func newKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "what to do when a recovery phrase was seen by others",
		Long: `The identity is made from the recovery phrase, and whoever has the phrase is the identity. vdh key
rotate has another identity follow it; vdh help security says what the old phrase can do then.

With --json, rotate prints a line as its help says.`,
		Example: "  vdh key rotate",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, argv []string) error {
			if len(argv) == 0 {
				return cmd.Help()
			}
			return noVerb(cmd, argv[0])
		},
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newRotate(a))
	return cmd
}

func newRotate(a *app) *cobra.Command {
	var given, goOn bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "a new identity and phrase that follow the old ones",
		Long: `Makes a new identity and shows its recovery phrase once, on the terminal. It is for when the phrase,
or the file identity, was seen by others.

What is stored from now on is sealed under new keys, which the old phrase does not open. The old
snapshots stay as they are: the new identity keeps what it takes to read them, and so does anybody
who has the old phrase and reaches the store. Backups go on from them; nothing is sent again.

In a swarm each member is told, in a statement that both identities sign, that what it holds for the
old one is the new one's. From then on it refuses whatever the old one says: its phrase can release
nothing and store nothing any more. Members that are away hear of it from the next vdh backup or vdh
prune. Whoever has the old phrase may do the same to the advantage of another identity; at each
member the first that it hears of holds, and this says at how many somebody was quicker.

The old list holds the config file and the member key of each machine that backs up into the swarm,
and its swarm-key if one of them founded it; rotate changes none of these (vdh help security).

Other stores follow when they are next used. On the other machines of the identity run vdh key
rotate --given, and type the new words.

If it is interrupted, the same command, vdh key rotate --continue, goes on, and so does any verb.

With --json, one line of "type":"rotated" with owner and former (public keys), store, and in a swarm
members, told, away (members that are still to be told), and conflicts (members where somebody else
was quicker).`,
		Example: `  vdh key rotate
  vdh key rotate --given       on the other machines of the same identity`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if given && goOn {
				return usage{errors.New("give --given or --continue, not both")}
			}
			return (&rotation{app: a, given: given, goOn: goOn}).run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&given, "given", false, "ask for the words of an identity that was made by rotate elsewhere")
	cmd.Flags().BoolVar(&goOn, "continue", false, "go on with a rotation that was interrupted")
	return a.patiently(cmd)
}

// A rotation is one run of vdh key rotate.
type rotation struct {
	*app
	given, goOn bool
	line        rotatedLine
}

// rotatedLine is the JSON line of a rotation.
type rotatedLine struct {
	Type      string `json:"type"` // "rotated"
	Owner     string `json:"owner"`
	Former    string `json:"former"`
	Store     string `json:"store"`
	Members   int    `json:"members,omitempty"`
	Told      int    `json:"told,omitempty"`
	Away      int    `json:"away,omitempty"`
	Conflicts int    `json:"conflicts,omitempty"`
}

// run goes through the steps in the only order that is safe: what other machines have listed is taken in; the new identity
// is put in the place of the old one, with all that it takes to go on; its list, which names the old one, is written and
// published, so that its words alone bring everything back; and only then the members are told, to whom the old one is
// worth nothing from then on.
func (r *rotation) run(ctx context.Context) error {
	was, err := r.identity(false)
	if err != nil {
		return err
	}
	at, err := r.where()
	if err != nil {
		return err
	}
	if r.goOn {
		if len(was.Former()) == 0 {
			return usage{errors.New("no rotation was begun here; vdh key rotate begins one")}
		}
		was = was.Former()[0]
	} else if err := r.follow(ctx, at, was); err != nil {
		return err
	}
	r.line = rotatedLine{Type: "rotated", Owner: fmt.Sprintf("%x", []byte(r.owner.PublicKey())),
		Former: fmt.Sprintf("%x", []byte(was.PublicKey())), Store: at.String()}
	if at.there() == nil {
		if err := r.takeOver(ctx, at); err != nil {
			return fmt.Errorf("%w; the new identity is in place; vdh key rotate --continue goes on, and so does any other verb", err)
		}
	}
	return r.report(at)
}

// follow makes the new identity that of this machine.
func (r *rotation) follow(ctx context.Context, at location, was *catalog.Owner) error {
	var next *catalog.Owner
	var err error
	if r.given {
		var phrase string
		if phrase, err = r.readSecret(ctx, "the 24 words of the new identity, which are not shown: "); err == nil {
			next, err = catalog.OwnerFromPhrase(phrase)
		}
		if err == nil && next.PublicKey().Equal(was.PublicKey()) {
			return errors.New("these are the words of the identity that is here")
		}
		if err == nil {
			next, err = next.Follow(was)
		}
	} else {
		next, err = was.Next(rand.Reader)
	}
	if err != nil {
		return err
	}
	if err := r.ready(ctx, at); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	dir, err := dataDir()
	if err != nil {
		return err
	}
	if next, err = catalog.ReplaceOwner(ctx, dir, was, next); err != nil {
		return err
	}
	if err := r.become(next); err != nil {
		return err
	}
	switch {
	case r.given:
		return nil
	case isTerminal(r.stdout):
		return r.showPhrase(next)
	}
	r.note("vdh: a new identity is in %s; see its recovery phrase on a terminal, and write it down: vdh init --show-phrase", dir)
	return nil
}

// ready makes sure that what comes after the point of no return can be done: the store is there, and the list is that of
// all machines.
func (r *rotation) ready(ctx context.Context, at location) error {
	if at.there() != nil {
		r.note("vdh: there is no store at %s now; what is in it is taken over when it is next used", at.dir)
		return nil
	}
	if _, err := r.blocks(ctx, false); err != nil {
		return err
	}
	cat, err := r.snapshots(ctx)
	if err != nil {
		return err
	}
	if _, err = cat.List(ctx); err == nil {
		err = cat.Refresh(ctx)
	}
	if r.given && err != nil && ctx.Err() == nil {
		r.note("vdh: %v", err) // the members may know already that this identity was followed by another one
		return nil
	}
	return err
}

// become goes on as another identity.
func (a *app) become(o *catalog.Owner) error {
	err := a.close()
	a.owner, a.sealer, a.source, a.catalog = o, nil, nil, nil
	dir, dirErr := dataDir()
	if err == nil && dirErr == nil {
		takeNotes(dir, o)
	}
	return errors.Join(err, dirErr)
}

// takeOver takes over the list, publishes it, and tells the members.
func (r *rotation) takeOver(ctx context.Context, at location) error {
	if _, err := r.blocks(ctx, false); err != nil {
		return err
	}
	cat, err := r.snapshots(ctx)
	if err != nil {
		return err
	}
	if err := r.inherited(at, cat); err != nil {
		return err
	}
	if err := cat.Refresh(ctx); err != nil {
		return err
	}
	if !at.swarm {
		return nil
	}
	l, members, err := r.ledger(ctx, true)
	if err != nil {
		return err
	}
	told, missed, err := l.HandOver(ctx, members)
	r.line.Members, r.line.Told, r.line.Away, r.line.Conflicts = len(members), told, len(missed), conflicts(l.Handed())
	for id, why := range missed {
		if r.verbose {
			r.note("vdh: member %s was not told: %v", dhash.ID(id).Short(), why)
		}
	}
	return errors.Join(err, l.Close())
}

func (r *rotation) report(at location) error {
	if r.json {
		return r.print(r.line)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "identity %.8s… is followed by %.8s…\n", r.line.Former, r.line.Owner)
	if at.swarm {
		fmt.Fprintf(&text, "%d of %s told; ", r.line.Told, count(int64(r.line.Members), "member was", "members were"))
		if r.line.Away > 0 {
			fmt.Fprintf(&text, "%d did not answer, and will be told by the next vdh backup or vdh prune\n", r.line.Away)
		} else {
			text.WriteString("the old phrase can store and release nothing there any more\n")
		}
		if n := r.line.Conflicts; n > 0 {
			fmt.Fprintf(&text, "at %s somebody who has the old phrase was quicker: what they hold for the old identity is his; "+
				"run vdh backup --force, which stores it again as the new one\n", count(int64(n), "member", "members"))
		}
		text.WriteString("the old phrase still opens the member keys and config files in the old list: have those members banned " +
			"and joined anew\n")
	}
	text.WriteString("the old phrase still opens the old snapshots for whoever reaches the store (vdh help security)\n")
	_, err := r.out.WriteString(text.String())
	return err
}
