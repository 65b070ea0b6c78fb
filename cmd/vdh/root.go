package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3   // done, but some files could not be read or written
	exitRedundancy  = 4   // stored, but below the target redundancy
	exitWindow      = 5   // a job stopped at the end of its window
	exitRunning     = 6   // a job is running already
	exitNoSnapshot  = 10  // no such snapshot
	exitUnavailable = 11  // blocks are unavailable now
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// What the garbage collector aims to stay under, in bytes: with a store on this machine, and as a client of a swarm, which
// holds blocks and their fragments until the slowest member has them. Under a tighter limit a client spends more time in
// the collector than on its work.
const (
	memoryLimit = 128 << 20
	swarmMemory = 240 << 20
)

// A partial error says that the work was done except for what was reported.
type partial struct{ text string }

func (p partial) Error() string { return p.text }

// A usage error is one in the words of the command.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	limitMemory(memoryLimit)
	return newApp(in, out, errs).execute(ctx, args)
}

// limitMemory sets what the garbage collector aims to stay under, unless the user has.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

func (a *app) execute(ctx context.Context, args []string) int {
	cmd := newRoot(a)
	cmd.SetArgs(args)
	cmd.SetIn(a.in)
	cmd.SetOut(a.out)
	cmd.SetErr(a.stderr)
	err := cmd.ExecuteContext(ctx)
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	code := exitCode(ctx, err)
	if err != nil {
		a.failure(code, err)
	}
	return code
}

// failure says why the program ends with an exit code that is not 0.
func (a *app) failure(code int, err error) {
	text := err.Error()
	if code == exitInterrupted {
		text = "interrupted; nothing is damaged, and the same command can be run again"
	}
	if a.json {
		json.NewEncoder(a.stderr).Encode(map[string]any{"type": "error", "code": code, "error": text})
		return
	}
	fmt.Fprintln(a.stderr, "vdh:", text)
}

func exitCode(ctx context.Context, err error) int {
	var (
		p partial
		t thin
		u usage
		e ended
	)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &p):
		return exitPartial
	case errors.As(err, &t):
		return exitRedundancy
	case errors.As(err, &u):
		return exitUsage
	case errors.Is(err, snapshot.ErrNoSnapshot), errors.Is(err, snapshot.ErrAmbiguous):
		return exitNoSnapshot
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT): // also where a store calls it unavailable
		return exitFailed
	case errors.Is(err, venti.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}

const rootHelp = `vdh keeps snapshots of file systems. A snapshot is named by one score, and that score brings
everything back: list it, restore it, read a file of it.

Nothing needs to be set up. The first backup makes an identity and a store under
$XDG_DATA_HOME/vdh; write the identity's recovery phrase down (vdh init --show-phrase).

A snapshot is named by vac:SCORE, by 8 or more digits of its score, by latest, by latest@HOST, or
by latest@HOST:/PATH, the newest one that holds that path; /PATH behind it names a part of it.
What somebody else has shared is named by vac:SCORE#KEY. In a swarm the members are asked first, for
five seconds at most, what other machines of this identity have kept and forgotten; a whole score
waits for nobody.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "vdh",
		Short: "archive file systems into content-addressed blocks",
		Long:  rootHelp,
		Example: `  vdh backup /srv                       keep a snapshot; prints vac:SCORE
  vdh snapshots                         list what is kept
  vdh restore latest --target /tmp/out  bring it back`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.configure(cmd) },
		RunE: func(cmd *cobra.Command, argv []string) error {
			if len(argv) == 0 {
				return cmd.Help()
			}
			return noVerb(cmd, argv[0])
		},
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.storePath, "store", "", "folder of the store, or the word swarm (default $XDG_DATA_HOME/vdh/store)")
	f.BoolVar(&a.json, "json", false, "print JSON lines")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print no progress")
	f.Var((*bytesFlag)(&a.limit), "limit", "how many bytes a backup may write, or a swarm send and fetch, in a second")
	f.Lookup("limit").DefValue = "" // which stands for any number
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print each file")
	root.Version, _ = buildVersion()
	root.SetVersionTemplate("vdh {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if argv := cmd.Flags().Args(); !cmd.HasParent() && len(argv) > 0 {
			return noVerb(cmd, argv[0])
		}
		return usage{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
	})
	for _, verb := range []func(*app) *cobra.Command{
		newInit, newBackup, newSnapshots, newLs, newFind, newCat, newDiff, newDump, newRestore, newCheck, newStats, newShare, newForget, newAdopt, newPrune, newRecover, newSwarm, newNode, newSweep, newRepair, newServe, newStatus, newDemo, newMan, newVersion, newCopy, newMount,
		newRun, newSchedule, newKey,
	} {
		root.AddCommand(verb(a))
	}
	root.AddCommand(topics()...)
	_ = root.RegisterFlagCompletionFunc("store", completeStore) // an error says that there is no such flag
	return root
}

// noVerb returns the error of a word that is no verb.
func noVerb(root *cobra.Command, word string) error {
	hint := "see: vdh help"
	if root.HasParent() {
		hint = "see: " + root.CommandPath() + " --help"
	}
	if near := root.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage{fmt.Errorf("there is no verb %q; %s", word, hint)}
}

// args wraps a cobra argument check so that its failure is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, argv []string) error {
		if err := check(cmd, argv); err != nil {
			return usage{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}
