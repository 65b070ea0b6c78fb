package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
)

// inviteFlags say whom an invitation is for.
type inviteFlags struct {
	expires time.Duration
	uses    int
	label   string
	addrs   []string
}

func newInvite(a *app) *cobra.Command {
	var f inviteFlags
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "print a token with which another machine can join",
		Long: `Prints one line, a token. Whoever has it can join the swarm until it expires, so it is a secret: send
it as you would send a password. To join, no machine of the swarm needs to be asked.

Only where the swarm was founded can anybody be invited, since its key is there. The token says where
members are to be found: where the node that runs here listens, or what --addr says.

With --json, one line of "type":"invitation" with token, expires, uses, addrs, and id, by which vdh
swarm ban shuts out everybody who joined with the token.`,
		Example: `  vdh swarm invite
  vdh swarm invite --label 'the office in Bern' --uses 3 --expires 168h
  vdh swarm invite --addr /dns4/backup.example.org/tcp/17035 | ssh bern vdh swarm join -`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.invite(cmd.Context(), &f) },
	}
	l := cmd.Flags()
	l.DurationVar(&f.expires, "expires", 48*time.Hour, "how long it can be used")
	l.IntVar(&f.uses, "uses", 1, "how many machines can join with it, 0 for any number")
	l.StringVar(&f.label, "label", "", "whom it is for")
	l.StringArrayVar(&f.addrs, "addr", nil, "where a member is found, like /ip4/192.0.2.1/tcp/17035 (default where the node here is)")
	return cmd
}

// invitationLine is the JSON line of an invitation.
type invitationLine struct {
	Type    string    `json:"type"` // "invitation"
	Token   string    `json:"token"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"` // 0 is any number
	Addrs   []string  `json:"addrs"`
}

func (a *app) invite(ctx context.Context, f *inviteFlags) error {
	if f.expires <= 0 || f.uses < 0 || f.uses > member.MaxUses {
		return usage{fmt.Errorf("--expires has to be more than 0, and --uses 0 to %d", member.MaxUses)}
	}
	folder, err := a.member()
	if err != nil {
		return err
	}
	if folder.Founder == nil {
		return errNoKey(folder)
	}
	addrs, err := a.seeds(ctx, folder, f.addrs)
	if err != nil {
		return err
	}
	now := time.Now()
	v, err := member.Invite(folder.Swarm, nil, folder.Founder, now, now.Add(f.expires), f.uses, f.label, addrs)
	if err != nil {
		return err
	}
	id := member.PublicOf(v.Key).ID()
	if a.json {
		line := invitationLine{"invitation", v.String(), id.String(), v.Expires(), f.uses, nil}
		for _, addr := range addrs {
			line.Addrs = append(line.Addrs, addr.String())
		}
		return a.print(line)
	}
	a.note("vdh: good for %s until %s; the other machine runs: vdh swarm join TOKEN && vdh node", uses(f.uses), localTime(v.Expires()))
	a.note("vdh: to shut out whoever joined with it: vdh swarm ban %s", id)
	_, err = fmt.Fprintln(a.out, v)
	return err
}

func uses(n int) string {
	if n == 0 {
		return "any number of machines"
	}
	return count(int64(n), "machine", "machines")
}

// errNoKey says that the swarm's key is not here.
func errNoKey(f *node.Folder) error {
	return fmt.Errorf("the swarm's key is not in %s, and nobody is invited or banned without it: do this where the swarm was founded", f.Dir)
}

// seeds returns the addresses for an invitation: those given, or those of the node that runs here.
func (a *app) seeds(ctx context.Context, f *node.Folder, given []string) ([]ma.Multiaddr, error) {
	if len(given) > 0 {
		return parseSeeds(f, given)
	}
	l, err := node.DialLocal(ctx, f.Dir)
	if errors.Is(err, node.ErrNotRunning) {
		return nil, errors.New("no node runs here, so where is the swarm to be found? Start it (vdh node), " +
			"or say where a member is: --addr /ip4/192.0.2.1/tcp/17035")
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	st, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	own, err := parseSeeds(f, st.Addrs)
	if err != nil {
		return nil, err
	}
	addrs := reachable(own)
	if len(addrs) == 0 {
		return nil, errors.New("the node here has no address; say where it is found: --addr /ip4/192.0.2.1/tcp/17035")
	}
	if manet.IsIPLoopback(addrs[0]) {
		a.note("vdh: the node listens on this machine alone, so no other machine can join with this token")
	}
	return addrs, nil
}

// parseSeeds reads addresses. One that does not say of whom it is, is of this machine.
func parseSeeds(f *node.Folder, given []string) (out []ma.Multiaddr, err error) {
	for _, text := range given {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, usage{fmt.Errorf("address %q: %w; give it like /ip4/192.0.2.1/tcp/17035 or /dns4/example.org/tcp/17035", text, err)}
		}
		if _, err := addr.ValueForProtocol(ma.P_P2P); err != nil {
			who, err := ma.NewMultiaddr("/p2p/" + f.ID().String())
			if err != nil {
				return nil, err
			}
			addr = addr.Encapsulate(who)
		}
		out = append(out, addr)
	}
	return out, nil
}

// reachable returns the addresses that may be of use to another machine: the public ones first, those of this machine
// alone only if there are no others.
func reachable(addrs []ma.Multiaddr) []ma.Multiaddr {
	var public, private, alone []ma.Multiaddr
	for _, addr := range addrs {
		switch {
		case manet.IsIPLoopback(addr):
			alone = append(alone, addr)
		case manet.IsIP6LinkLocal(addr), manet.IsIPUnspecified(addr):
		case manet.IsPublicAddr(addr):
			public = append(public, addr)
		default:
			private = append(private, addr)
		}
	}
	out := append(public, private...)
	if len(out) == 0 {
		out = alone
	}
	return out[:min(len(out), member.MaxAddrs)]
}
