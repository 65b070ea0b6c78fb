package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
)

func newMembers(a *app) *cobra.Command {
	var long bool
	cmd := &cobra.Command{
		Use:   "members",
		Short: "list the members of the swarm",
		Long: `Lists the members as the node of this machine knows them, or, where none runs, as whoever answers
does. CAPACITY is what a member lends, FREE what is left of it, SEEN when it was last heard. The
member of this machine has a * behind its id.

With --json, one line of "type":"member" each with id, name, domain, state, version, capacity, free,
last_seen, addrs and self.`,
		Example: "  vdh swarm members\n  vdh swarm members --json | jq -r 'select(.state != \"alive\").name'",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.members(cmd.Context(), long) },
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "print the ids whole")
	return cmd
}

// memberLine is the JSON line of a member.
type memberLine struct {
	Type string `json:"type"` // "member"
	node.MemberInfo
}

func (a *app) members(ctx context.Context, long bool) error {
	f, err := a.member()
	if err != nil {
		return err
	}
	list, err := a.roster(ctx, f)
	if err != nil {
		return err
	}
	if a.json {
		for _, m := range list {
			if err := a.print(memberLine{"member", m}); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tDOMAIN\tSTATE\tCAPACITY\tFREE\tSEEN\tVERSION")
	for _, m := range list {
		id := m.ID
		if !long {
			id = shortID(id)
		}
		if m.Self {
			id += "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", id, printable(m.Name), printable(m.Domain), m.State, size(m.Capacity),
			size(m.Free), seen(m, time.Now()), printable(m.Version))
	}
	return w.Flush()
}

// roster returns the members, sorted by name.
func (a *app) roster(ctx context.Context, f *node.Folder) ([]node.MemberInfo, error) {
	v, _, err := a.view(ctx, f)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	list, err := v.Members(ctx)
	slices.SortFunc(list, func(x, y node.MemberInfo) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	return list, err
}

// shortID returns the end of a member's id: the beginning is the same for all.
func shortID(id string) string { return id[max(0, len(id)-8):] }

// seen says for people when a member was last heard.
func seen(m node.MemberInfo, now time.Time) string {
	switch {
	case m.Self:
		return "here"
	case m.Seen.IsZero():
		return "never"
	}
	return humanize.RelTime(m.Seen, now, "ago", "from now")
}
