package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
)

func newBan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ban ID",
		Short: "shut a member out of the swarm",
		Long: `Shuts a member out: the others do not talk to it any more, and count what it held as lost. ID is as
vdh swarm members prints it, or a part of 4 letters or more that only one member's id begins or ends
with. The id of an invitation shuts out everybody who joined with it.

The word goes out signed with the swarm's key, so this is done where the swarm was founded. The node
that runs there tells the others, or else this program does; if it reaches nobody, the node does so
when it is next started.

With --json, one line of "type":"ban" with id, banned and revision, the number of what the members
now agree on.`,
		Example: "  vdh swarm ban 7RkqZ2vu\n  vdh swarm unban 7RkqZ2vu",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, words []string) error { return a.ban(cmd.Context(), words[0]) },
	}
}

func newUnban(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "unban ID",
		Short: "let a member that was banned in again",
		Long: `Takes a ban back (vdh swarm ban). Without an ID it lists the bans.

With --json, one line of "type":"ban" with id, banned and revision; for a list, one each.`,
		Example: "  vdh swarm unban\n  vdh swarm unban 7RkqZ2vu",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 0 {
				return a.bans()
			}
			return a.unban(cmd.Context(), words[0])
		},
	}
}

// banLine is the JSON line of a ban.
type banLine struct {
	Type     string `json:"type"` // "ban"
	ID       string `json:"id"`
	Banned   bool   `json:"banned"`
	Revision uint64 `json:"revision"`
}

func (a *app) ban(ctx context.Context, text string) error {
	f, err := a.founder()
	if err != nil {
		return err
	}
	var ids []string
	list, cannotSee := a.roster(ctx, f)
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	id, err := matchID(ids, text)
	if err != nil {
		if cannotSee != nil {
			err = fmt.Errorf("%w; and the members cannot be listed: %w", err, cannotSee)
		}
		return err
	}
	if id == f.ID() {
		return errors.New("that is this machine, which holds the swarm's key: it cannot ban itself")
	}
	return a.revise(ctx, f, id, true, func(m *member.Manifest) error { return m.Ban(id) })
}

func (a *app) unban(ctx context.Context, text string) error {
	f, err := a.founder()
	if err != nil {
		return err
	}
	var ids []string
	for _, id := range f.Manifest.Bans {
		ids = append(ids, id.String())
	}
	id, err := matchID(ids, text)
	if err != nil {
		return err
	}
	if !slices.Contains(f.Manifest.Bans, id) {
		return fmt.Errorf("%s is not banned", id)
	}
	return a.revise(ctx, f, id, false, func(m *member.Manifest) error {
		m.Bans = slices.DeleteFunc(m.Bans, func(b dhash.ID) bool { return b == id })
		m.Revision++
		return nil
	})
}

// bans lists who is shut out, as this machine knows it.
func (a *app) bans() error {
	f, err := a.member()
	if err != nil || f.Manifest == nil {
		return err
	}
	for _, id := range f.Manifest.Bans {
		if a.json {
			err = a.print(banLine{"ban", id.String(), true, f.Manifest.Revision})
		} else {
			_, err = fmt.Fprintln(a.out, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// founder returns this machine's member, which has the swarm's key.
func (a *app) founder() (*node.Folder, error) {
	f, err := a.member()
	switch {
	case err != nil:
		return nil, err
	case f.Founder == nil || f.Manifest == nil:
		return nil, errNoKey(f)
	}
	return f, nil
}

// matchID returns the id that text means: one of ids by its beginning or end, or any id that is whole.
func matchID(ids []string, text string) (dhash.ID, error) {
	if id, err := member.ParseID(text); err == nil {
		return id, nil
	}
	var found []string
	if len(text) >= 4 {
		for _, id := range ids {
			if strings.HasPrefix(id, text) || strings.HasSuffix(id, text) {
				found = append(found, id)
			}
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no id here begins or ends with %q; give 4 letters or more, or the whole id", text)
	case 1:
		return member.ParseID(found[0])
	}
	return "", fmt.Errorf("%q fits %d ids: %s", text, len(found), strings.Join(found, " "))
}

// revise makes a change to what the members agree on, about the member id, and spreads it.
func (a *app) revise(ctx context.Context, f *node.Folder, id dhash.ID, banned bool, change func(*member.Manifest) error) error {
	m := *f.Manifest
	m.Bans = slices.Clone(m.Bans)
	if err := change(&m); err != nil {
		return err
	}
	if err := m.Sign(f.Founder, time.Now()); err != nil {
		return err
	}
	told, err := a.spread(ctx, f, &m)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(banLine{"ban", id.String(), banned, m.Revision})
	}
	word := "banned"
	if !banned {
		word = "let in again"
	}
	fmt.Fprintf(a.out, "%s %s\n", word, id)
	if !told {
		a.note("vdh: no member answers now; the others hear of it once a node runs here (vdh node)")
	}
	return nil
}

// spread gives a new manifest to the node that runs here. Where none runs it is kept, and whoever a client of this machine
// meets first is given it and tells the others.
func (a *app) spread(ctx context.Context, f *node.Folder, m *member.Manifest) (told bool, err error) {
	l, err := node.DialLocal(ctx, f.Dir)
	if errors.Is(err, node.ErrNotRunning) {
		if err := f.SaveManifest(m); err != nil {
			return false, err
		}
		ctx, cancel := context.WithTimeout(ctx, statusPatience)
		defer cancel()
		c, err := a.client(ctx, f)
		if err != nil {
			return false, nil // it is kept, which is what counts
		}
		return true, c.Close()
	}
	if err != nil {
		return false, err
	}
	defer l.Close()
	return true, l.SetManifest(ctx, m)
}
