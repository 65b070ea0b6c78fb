package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot/archive"
)

func newJoin(a *app) *cobra.Command {
	var label string
	cmd := &cobra.Command{
		Use:   "join TOKEN",
		Short: "join the swarm that this machine was invited to",
		Long: `Makes this machine a member of the swarm that the token is for (vdh swarm invite). Nobody is asked,
so this works while nobody answers; the node, once it is started, finds the others.

With - in place of the token it is read from standard input, so that other users of this machine do
not see it in the list of processes, nor later in the shell's history. On a terminal it is not
shown.

A machine is a member of one swarm.

With --json, one line of "type":"joined" with swarm_id, id and folder.`,
		Example: "  vdh swarm join -\n  vdh swarm join vdh1Q3… && vdh node",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, words []string) error { return a.joinSwarm(cmd.Context(), words[0], label) },
	}
	cmd.Flags().StringVar(&label, "label", "", "who joins, for people (default the machine's name)")
	return cmd
}

func (a *app) joinSwarm(ctx context.Context, token, label string) (err error) {
	if token == "-" {
		if token, err = a.readSecret(ctx, "the token of the invitation, which is not shown: "); err != nil {
			return err
		}
	}
	v, err := member.ParseInvitation(token)
	if err != nil {
		return err
	}
	dir, err := swarmDir()
	if err != nil {
		return err
	}
	if label == "" {
		label = archive.Hostname()
	}
	f, err := node.Join(dir, v, label, time.Now())
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"type": "joined", "swarm_id": swarmID(f), "id": f.ID().String(), "folder": rawName(dir)})
	}
	fmt.Fprintf(a.out, "joined as %s\n", f.ID())
	a.note("Next: vdh node, and let it run. Then: vdh backup --store swarm PATH")
	return nil
}
