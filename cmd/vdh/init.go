package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ventidhash/snapshot/catalog"
)

const phraseAdvice = `Write these 24 words on paper and keep them safe. With them and the store, everything can be
brought back on a new machine; without them and without this machine, nothing can.`

func newInit(a *app) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "make the identity, and show its recovery phrase",
		Long: `Makes the identity that owns the snapshots, and prints its recovery phrase of 24 words once, on
the terminal. The first backup makes one by itself if there is none.

The phrase is shown again with --show-phrase, on a terminal only, so that it does not end up in a
file or a log by accident.`,
		Example: "  vdh init\n  vdh init --show-phrase",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			dir, err := dataDir()
			if err != nil {
				return err
			}
			o, err := catalog.LoadOwner(dir)
			if show {
				if err != nil {
					return err
				}
				return a.showPhrase(o)
			}
			if err == nil {
				return fmt.Errorf("there is an identity in %s already; vdh init --show-phrase shows its phrase", dir)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if o, err = makeIdentity(dir); err != nil {
				return err
			}
			if !isTerminal(a.stdout) {
				a.note("made an identity in %s; see its recovery phrase on a terminal: vdh init --show-phrase", dir)
				return nil
			}
			return a.showPhrase(o)
		},
	}
	cmd.Flags().BoolVar(&show, "show-phrase", false, "show the recovery phrase of the identity that is there")
	return cmd
}

func makeIdentity(dir string) (*catalog.Owner, error) {
	o, err := catalog.NewOwner(rand.Reader)
	if err != nil {
		return nil, err
	}
	return catalog.SaveOwner(dir, o)
}

// newIdentity makes an identity on first use.
func (a *app) newIdentity(dir string) (*catalog.Owner, error) {
	o, err := makeIdentity(dir)
	if err == nil {
		fmt.Fprintf(a.errs, "vdh: made an identity in %s; see its recovery phrase and write it down: vdh init --show-phrase\n", dir)
	}
	return o, err
}

// showPhrase prints the recovery phrase on a terminal, and nowhere else.
func (a *app) showPhrase(o *catalog.Owner) error {
	if !isTerminal(a.stdout) {
		return errors.New("the recovery phrase is shown on a terminal only")
	}
	_, err := fmt.Fprintf(a.out, "%s\n\n    %s\n\n", phraseAdvice, o.Phrase())
	return err
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
