package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
)

// recoverFlags say what is to come back, and by whom.
type recoverFlags struct {
	head        string
	via, as     string
	hosts       []string
	all, latest bool
	target      string
	first       []string
}

func newRecover(a *app) *cobra.Command {
	var f recoverFlags
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "bring everything back from the recovery phrase",
		Long: `Makes a machine that has nothing what the lost one was: the identity, and with it the list of
snapshots, the config file, the place in the swarm, and, if asked, the files.

It asks for the 24 words of the recovery phrase, and then for the address of any member of the
swarm (HOST, HOST:PORT, or one as vdh status prints it) or for a token (vdh swarm invite). Neither
is shown on the terminal. Where standard input is no terminal, the words are read from it, and what
stands behind them is the address or token; --via says it instead. The words are never an argument.
A slip in them is found, and words that may be meant are offered.

With an address, this machine takes the place of the lost one, as its last backup has noted it: of
the one of this name, or the only one, or the one that --as says. A member that still answers keeps
its place. The fragments that it held were lost with its disk, so vdh node --refill has the others
make them again. With a token, this machine becomes a new member. A config file and an identity
that are there stay; flags that vdh node was given are noted only if they stand in the config file.

Several members are asked which list of snapshots is the newest, and it says how many agree; none of
them can make one up. Then it shows what there is: NOW says whether all of a snapshot can be had
from the members that answer now, or which members it waits for, by name.

--restore-all brings back the newest snapshot of each set of paths of one host, --latest only the
newest one, into --target, under the paths that they were taken from; --target / is in place. The
host is that of this machine, or what --host says; of several, each goes into a folder of its own.
Where the newest one lacks files that could not be read, it is said which older one has all.
--first brings back what matches a pattern, as in .gitignore, before the rest, in the order given;
it can stand in the config file that comes back. Ctrl-C stops it, and the same command goes on from
there; files that are there already, of the same size and time, are left as they are.

For a store in a folder say --store DIR. The list lies beside it. Without any store only the identity
comes back.

--head FILE is for when the identity is there, and the head of its catalog in the store's folder was
damaged or lost: it makes FILE, a copy of the head, the head. Errors about the head name such a file.

With --json, one line of "type":"recovered" with owner, store, swarm_id, sequence and time of the
list, snapshots, asked, answered and agree (members), lists (more than one had to be merged), as
(the machine whose place this one takes), machines (that are noted), config and membership
(restored, kept, or why not); then, without --restore-all and --latest, one line of
"type":"snapshot" for each as vdh snapshots has it, in a swarm, if that can be found out, with
whole, missing_blocks, waiting_blocks (those of them that are not lost, but members do not answer)
and waits_for (names of members, as far as known); with them, one line of "type":"summary" for each
snapshot as vdh restore has it.`,
		Example: `  vdh recover
  vdh recover --via backup.example.org --restore-all --target /
  vdh recover --store /mnt/archive
  vdh recover --head /mnt/archive/owners/7d…/head.1`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.head != "" {
				return a.recoverHead(cmd.Context(), f.head)
			}
			r := &recovery{app: a, cmd: cmd, f: &f}
			return r.run(cmd.Context())
		},
	}
	l := cmd.Flags()
	l.StringVar(&f.head, "head", "", "file of a head to go on from")
	l.StringVar(&f.via, "via", "", "address of a member of the swarm, or a token; - reads it from standard input")
	l.StringVar(&f.as, "as", "", "machine whose place this one takes (default the one of this name, or the only one)")
	l.BoolVar(&f.all, "restore-all", false, "bring back the newest snapshot of each set of paths")
	l.BoolVar(&f.latest, "latest", false, "bring back the newest snapshot")
	l.StringArrayVar(&f.hosts, "host", nil, "bring back what is of this host (default this machine's)")
	l.StringVarP(&f.target, "target", "t", "", "directory to restore into")
	l.StringArrayVar(&f.first, "first", nil, "bring back what matches this pattern before the rest")
	return a.patiently(cmd)
}

// validate returns the first error in the flags.
func (f *recoverFlags) validate() error {
	switch {
	case (f.all || f.latest) && f.target == "":
		return usage{errors.New("say where to restore to with --target DIR (--target / is in place)")}
	case f.all && f.latest:
		return usage{errors.New("give --restore-all or --latest, not both")}
	case !f.all && !f.latest && (f.target != "" || len(f.hosts) > 0):
		return usage{errors.New("--target and --host are for --restore-all and --latest: give one of them")}
	}
	return nil
}

// A recovery is one run of vdh recover.
type recovery struct {
	*app
	cmd  *cobra.Command
	f    *recoverFlags
	line recoveredLine
}

// recoveredLine is the JSON line of a recovery.
type recoveredLine struct {
	Type       string    `json:"type"` // "recovered"
	Owner      string    `json:"owner"`
	Store      rawName   `json:"store,omitempty"`
	SwarmID    string    `json:"swarm_id,omitempty"`
	Sequence   uint64    `json:"sequence,omitempty"`
	Time       string    `json:"time,omitempty"`
	Snapshots  int       `json:"snapshots"`
	Asked      int       `json:"asked,omitempty"`
	Answered   int       `json:"answered,omitempty"`
	Agree      int       `json:"agree,omitempty"`
	Lists      int       `json:"lists,omitempty"`
	As         rawName   `json:"as,omitempty"`
	Machines   []rawName `json:"machines,omitempty"`
	Config     string    `json:"config,omitempty"`
	Membership string    `json:"membership,omitempty"`
}

func (r *recovery) run(ctx context.Context) error {
	if err := r.f.validate(); err != nil {
		return err
	}
	if err := r.words(ctx); err != nil {
		return err
	}
	at, err := r.where()
	if err != nil {
		return err
	}
	r.line.Type, r.line.Owner = "recovered", fmt.Sprintf("%x", []byte(r.owner.PublicKey()))
	if at.swarm {
		return r.swarmBack(ctx, at)
	}
	err = r.recoverFolder(ctx, at)
	if errors.Is(err, snapshot.ErrNoSnapshot) { // the words may be those of another owner
		return err
	}
	if err = errors.Join(r.saveIdentity(), err); err != nil {
		return err
	}
	if !r.f.all && !r.f.latest {
		return r.printFolder(ctx, at)
	}
	return r.files(ctx)
}

// words reads the phrase, and what follows it. It sets the owner, which is not saved yet, and f.via. If there is a way
// into a swarm, the store is the swarm.
func (r *recovery) words(ctx context.Context) error {
	dir, err := dataDir()
	if err != nil {
		return err
	}
	here, err := catalog.LoadOwner(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	prompt := "the 24 words of the recovery phrase, which are not shown: "
	if here != nil {
		prompt = "the 24 words of the recovery phrase, which are not shown (Enter goes on as the identity that is here): "
	}
	text, err := r.readSecret(ctx, prompt)
	if err != nil {
		return err
	}
	words := strings.Fields(text)
	phrase := words[:min(len(words), phraseWords)]
	if rest := words[len(phrase):]; len(rest) > 1 {
		return fmt.Errorf("behind the %d words of the phrase there is more than an address or a token", phraseWords)
	} else if len(rest) == 1 && (r.f.via == "" || r.f.via == "-") {
		r.f.via = rest[0]
	}
	if r.owner = here; len(phrase) > 0 || here == nil {
		if r.owner, err = catalog.OwnerFromPhrase(strings.Join(phrase, " ")); err != nil {
			return err
		}
	}
	if here != nil && !here.PublicKey().Equal(r.owner.PublicKey()) {
		return fmt.Errorf("there is another identity in %s already, and it stays; to be another one, set XDG_DATA_HOME", dir)
	}
	return r.askWay(ctx)
}

// phraseWords is how many words a phrase has.
const phraseWords = 24

// askWay asks for the way into the swarm, unless a folder is named or this machine is in a swarm.
func (r *recovery) askWay(ctx context.Context) error {
	if r.storePath != "" && r.storePath != swarmWord {
		return nil
	}
	if _, err := r.member(); err == nil {
		return r.useSwarm()
	} else if !errors.Is(err, node.ErrNoSwarm) {
		return err
	}
	if r.f.via == "-" {
		r.f.via = ""
	}
	in, isFile := r.in.(*os.File)
	if r.f.via == "" && isFile && isTerminal(in) {
		ask := "the address of a member, or a token, which is not shown: "
		if r.storePath == "" {
			ask = "the address of a member, or a token, which is not shown (Enter if the store is in a folder): "
		}
		text, err := r.readSecret(ctx, ask)
		if err != nil {
			return err
		}
		r.f.via = strings.TrimSpace(text)
	}
	switch {
	case r.f.via != "":
		return r.useSwarm()
	case r.storePath == swarmWord:
		return usage{errors.New("this machine is in no swarm: say --via and the address of any member, " +
			"or a token (vdh swarm invite), or put it behind the words on standard input")}
	}
	return nil
}

// useSwarm makes the swarm the store, whatever a config file says that comes back.
func (r *recovery) useSwarm() error { return r.cmd.Flags().Set("store", swarmWord) }

// saveIdentity makes the owner the identity of this machine, or finds that it is.
func (r *recovery) saveIdentity() error {
	dir, err := dataDir()
	if err != nil {
		return err
	}
	_, before := catalog.LoadOwner(dir)
	saved, err := catalog.SaveOwner(dir, r.owner)
	if err != nil {
		return err
	}
	if !saved.PublicKey().Equal(r.owner.PublicKey()) {
		return fmt.Errorf("another identity was made in %s meanwhile, and it stays", dir)
	}
	if errors.Is(before, fs.ErrNotExist) {
		r.note("vdh: the identity is back, in %s", dir)
	} else {
		r.note("vdh: the identity is there already, in %s", dir)
	}
	return nil
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
	b, err := os.ReadFile(filepath.Clean(name))
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
