package main

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	libpeer "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/lenders"
)

const (
	// heartbeatEvery is how long a lender is left alone after a heartbeat: a little less than a day, so that a nightly
	// backup which begins some minutes early does not skip one.
	heartbeatEvery = 20 * time.Hour

	// heartbeatTime bounds how much longer a backup takes for its heartbeats.
	heartbeatTime = 5 * time.Second
)

// heartbeat tells the members of the swarm, each about once a day, that the owner of what they hold is there. It keeps all
// of it, whatever it is. Nothing that goes wrong with it makes a backup fail: there is time for half a year.
func (a *app) heartbeat(ctx context.Context) {
	if a.swarm == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatTime)
	defer cancel()
	l, members, err := a.ledger(ctx, false)
	if err == nil {
		var heard []lenders.Heard
		heard, err = l.Heartbeat(ctx, members, heartbeatEvery)
		for _, h := range heard {
			if a.verbose && h.Err != nil {
				a.note("vdh: no heartbeat to member %s: %v", h.ID.Short(), h.Err)
			}
		}
		err = errors.Join(err, l.Close())
	}
	if a.verbose && err != nil {
		a.note("vdh: heartbeats: %v", err)
	}
}

// memberIDs returns the swarm's id, and its members in order, but for those that are gone or banned, and, unless away is set,
// those that are not there now.
func (a *app) memberIDs(ctx context.Context, away bool) (swarm [32]byte, members []dhash.ID, err error) {
	raw, err := hex.DecodeString(a.swarm.ID())
	if err != nil || len(raw) != len(swarm) {
		return swarm, nil, errors.New("the swarm has no id")
	}
	roster, err := a.swarm.Members(ctx)
	if err != nil {
		return swarm, nil, err
	}
	for _, m := range roster {
		switch m.State {
		case "gone", "banned":
			continue
		case "dead", "away":
			if !away {
				continue
			}
		}
		if id, err := libpeer.Decode(m.ID); err == nil {
			members = append(members, dhash.ID(id))
		}
	}
	slices.Sort(members)
	return [32]byte(raw), members, nil
}

// ledger opens the owner's ledger, and returns the members as memberIDs does.
func (a *app) ledger(ctx context.Context, away bool) (*lenders.Ledger, []dhash.ID, error) {
	at, err := a.where()
	if err != nil {
		return nil, nil, err
	}
	swarm, members, err := a.memberIDs(ctx, away)
	if err != nil {
		return nil, nil, err
	}
	l, err := lenders.Open(lenders.Config{Dir: at.notes(a.owner), Swarm: swarm, Key: a.owner.SigningKey(), Carrier: a.swarm,
		Former: formerSigners(a.owner)})
	return l, members, err
}
