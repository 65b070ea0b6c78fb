package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/vac"
)

// maxCompletions bounds how many names are offered to a shell.
const maxCompletions = 1000

// completeWithin bounds how long a shell waits for them.
const completeWithin = 5 * time.Second

// completeStore completes the value of --store: the word swarm, or a folder.
func completeStore(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	if !strings.HasPrefix(swarmWord, begun) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	out := []string{swarmWord + "\tthe swarm that this machine has joined"}
	entries, err := os.ReadDir(".")
	if err != nil {
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), begun) && printable(e.Name()) == e.Name() && len(out) < maxCompletions {
			out = append(out, e.Name()+"/")
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeNames makes the shell complete names of snapshots for a verb, and with paths set, what is in them.
func completeNames(a *app, paths bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		if a.configure(cmd) != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		a.completing = true
		var out []string
		how := cobra.ShellCompDirectiveNoFileComp
		if i := strings.LastIndexByte(begun, '/'); i >= 0 && paths {
			out = a.completePath(ctx, begun[:i])
			how |= cobra.ShellCompDirectiveNoSpace
		} else if list, err := a.list(ctx); err == nil {
			out = append(out, "latest\tthe newest")
			for _, s := range list[max(0, len(list)-maxCompletions):] {
				out = append(out, s.Score.Short()+"\t"+localTime(s.Time)+" "+printable(s.Host)+" "+showPaths(s.Paths))
			}
		}
		return out, how
	}
}

// completePath returns the names of what lies in the directory that a name means.
func (a *app) completePath(ctx context.Context, name string) (out []string) {
	n, err := a.open(ctx, name)
	if err != nil {
		return nil
	}
	d, err := n.lookup(ctx)
	if err != nil || d.Type != vac.Directory {
		return nil
	}
	es, err := n.tree.Entries(ctx, d)
	if err != nil {
		return nil
	}
	defer es.Close()
	for len(out) < maxCompletions {
		e, err := es.Next()
		if err == io.EOF || err != nil {
			break
		}
		if printable(e.Name) != e.Name {
			continue // a shell's completion is no place for it
		}
		if e.Type == vac.Directory {
			e.Name += "/"
		}
		out = append(out, name+"/"+e.Name)
	}
	return out
}
