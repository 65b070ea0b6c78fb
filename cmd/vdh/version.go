package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Long:  "Prints the version, the commit it was built from, and Go's.\n\nWith --json, one line of \"type\":\"version\" with version, commit, go, os and arch.",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			version, commit := buildVersion()
			if a.json {
				return a.print(map[string]string{"type": "version", "version": version, "commit": commit, "go": runtime.Version(),
					"os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			if commit != "" {
				version += " (" + commit + ")"
			}
			_, err := fmt.Fprintf(a.out, "vdh %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// buildVersion returns what the Go tool has recorded of the build.
func buildVersion() (version, commit string) {
	version = "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value[:min(12, len(s.Value))]
		}
	}
	return version, commit
}
