package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/kad"
	"ventidhash/dhash/member"
	"ventidhash/venti"
)

// clientTerm is how long a client's certificate is good: longer than any backup.
const clientTerm = 48 * time.Hour

// ClientConfig says for whom to join. Folder and Owner are needed.
type ClientConfig struct {
	Folder  *Folder            // of a member, or what Rescue returned
	Owner   ed25519.PrivateKey // whose blocks are stored
	MarkKey [32]byte           // the owner's
	Former  [][32]byte         // keys of marks of those who have handed over to the owner: see gateway.Config
	Program string             // version of the program
	Wait    time.Duration      // for the swarm, while it is out of reach: see gateway.Config; Dial too waits so long, or DialTime
	Log     *slog.Logger       // nil discards
}

// A Client is a program's own part in the swarm: it reads and writes, and holds nothing. It is a venti.VitalStore; all
// methods may be called from many goroutines at once.
type Client struct {
	*gateway.Gateway
	p *presence
}

// Dial joins the swarm as a client, and returns when it knows who the members are. ctx bounds Dial only. Close the
// Client in the end.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	if cfg.Folder == nil || len(cfg.Owner) != ed25519.PrivateKeySize {
		return nil, errors.New("node: a client has a folder and an owner")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f, now := cfg.Folder, time.Now()
	key, chain, err := f.client(now)
	if err != nil {
		return nil, err
	}
	grant, err := f.Grant(cfg.Owner, member.PublicOf(key), now)
	if err != nil {
		return nil, err
	}
	p, err := newPresence(presenceConfig{folder: f, key: key, chain: chain, log: cfg.Log,
		host: kad.HostConfig{Agent: "vdh/" + cfg.Program}})
	if err != nil {
		return nil, err
	}
	c := &Client{p: p}
	c.Gateway, err = p.gateway(Session{Owner: dhash.Owner(member.PublicOf(cfg.Owner)), Grant: grant, MarkKey: cfg.MarkKey,
		FormerMarks: cfg.Former, Wait: cfg.Wait}, p.peers)
	if err == nil {
		p.start(false)
		err = p.ready(ctx, max(DialTime, cfg.Wait))
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// client returns the key of a client of the folder's swarm, and what makes it one: a new key that the member certifies,
// or the one that the folder is of.
func (f *Folder) client(now time.Time) (ed25519.PrivateKey, member.Chain, error) {
	if f.Chain.Role() == member.RoleClient {
		return f.Key, f.Chain, nil
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	chain, err := f.Chain.Issue(f.Key, f.Swarm, now, member.Certificate{Role: member.RoleClient,
		Subject: member.PublicKey(public), Expires: now.Add(clientTerm), Label: "client"})
	return key, chain, err
}

// DialTime is how long Dial looks for members, if ClientConfig.Wait is less.
const DialTime = 30 * time.Second

// refusedTime is how long a client looks for members once one has refused it.
const refusedTime = 2 * time.Second

// ready waits until the roster agrees with that of a member, but no longer than a time.
func (p *presence) ready(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(refusedTime)
	defer tick.Stop()
	for p.service.Refused() == nil {
		select {
		case <-p.service.Agreed():
			return nil
		case err := <-p.failure:
			return err
		case <-tick.C:
			continue
		case <-ctx.Done():
			return fmt.Errorf("%w: no member of the swarm answers (%d are known); is a node running (vdh node), and the network up?",
				venti.ErrUnavailable, p.roster.Len())
		}
	}
	return fmt.Errorf("the swarm does not take this machine: %w", p.service.Refused())
}

// Close ends the Client. Call Sync before.
func (c *Client) Close() error {
	var err error
	if c.Gateway != nil {
		err = c.Gateway.Close()
	}
	return errors.Join(err, c.p.close())
}

// Status says how the swarm is; what it says of a node is left out.
func (c *Client) Status() Status { return c.p.status() }

// Members returns the roster.
func (c *Client) Members() []MemberInfo { return c.p.members() }

// SetManifest takes a newer manifest, and passes it on to all members.
func (c *Client) SetManifest(m *member.Manifest) error { return c.p.service.SetManifest(m) }

// ID returns the hexadecimal digits of the swarm's id.
func (c *Client) ID() string { return c.p.status().SwarmID }
