package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man [DIR]",
		Short: "write the manual pages",
		Long: `Writes a manual page for each verb into DIR/man1 and for each help topic into DIR/man7, and prints
the names of the files. Without DIR it prints all of them on standard output, one after the other.

The pages are made of the very help that vdh prints, so they are those of this version; the same
version writes the same bytes.

With --json, one line of "type":"page" each with name, section and file, and nothing else is printed.`,
		Example: `  vdh man ~/.local/share/man && man vdh-backup
  vdh man | man -l -`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			if len(argv) == 0 {
				if a.json {
					return usage{fmt.Errorf("vdh man --json wants a folder to write to")}
				}
				for _, p := range pages(cmd.Root()) {
					if _, err := a.out.WriteString(p.roff()); err != nil {
						return err
					}
				}
				return nil
			}
			return a.writeManual(argv[0], pages(cmd.Root()))
		},
	}
}

func (a *app) writeManual(dir string, list []page) error {
	for _, p := range list {
		file := filepath.Join(dir, fmt.Sprint("man", p.section), p.file())
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(p.roff()), 0o644); err != nil {
			return err
		}
		var err error
		if a.json {
			err = a.print(map[string]any{"type": "page", "name": p.name(), "section": p.section, "file": file})
		} else {
			_, err = fmt.Fprintln(a.out, printable(file))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
