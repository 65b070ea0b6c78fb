package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"time"

	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/member"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// A Status is what a node says of itself, of the swarm, and of what it has seen. It is the JSON of GET /v1/status.
type Status struct {
	Swarm   string `json:"swarm"` // its name
	SwarmID string `json:"swarm_id"`

	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Domain   string    `json:"domain"`
	Version  string    `json:"version"` // of the program
	Started  time.Time `json:"started"`
	Addrs    []string  `json:"addrs"`
	Capacity int64     `json:"capacity"` // bytes lent to the swarm
	Used     int64     `json:"used"`     // of those
	Free     int64     `json:"free"`     // bytes that can still be stored: of the capacity, or of the disk if that is less

	Fragments int64 `json:"fragments"`
	Care      *Care `json:"care,omitempty"` // of a node

	Members  int     `json:"members"`  // in the roster, this one included
	Alive    int     `json:"alive"`    // of those, that have answered lately
	Revision uint64  `json:"revision"` // of the manifest
	Code     string  `json:"code"`     // for new blocks
	Target   float64 `json:"target_nines"`
	Fresh    float64 `json:"fresh_nines"`     // of a block all of whose fragments are held
	Repair   float64 `json:"threshold_nines"` // of a block just before it is repaired

	Lookups  uint64 `json:"dht_lookups"`  // since the start, for blocks
	Requests uint64 `json:"dht_requests"` // since the start, for whatever reason
	Table    int    `json:"dht_table"`    // members in the routing table
}

// A MemberInfo is a line of GET /v1/members.
type MemberInfo struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Domain   string    `json:"domain"`
	State    string    `json:"state"` // alive, suspect, dead, full, retiring, banned
	Version  string    `json:"version"`
	Capacity int64     `json:"capacity"`
	Free     int64     `json:"free"`
	Seen     time.Time `json:"last_seen"`
	Failing  time.Time `json:"-"` // since when it cannot be reached from here; zero if it can, or was not tried
	Addrs    []string  `json:"addrs"`
	Self     bool      `json:"self,omitempty"`
}

// Status says how the node is.
func (n *Node) Status() Status {
	st := n.p.status()
	held := n.store.Stats()
	st.ID, st.Name, st.Domain, st.Version = n.cfg.Folder.ID().String(), n.cfg.Name, n.cfg.Domain, n.cfg.Program
	st.Started = n.started
	for _, a := range n.addrs() {
		st.Addrs = append(st.Addrs, a.String())
	}
	st.Capacity, st.Used, st.Free, st.Fragments = held.Capacity, held.ArenaBytes, held.Free, held.Fragments
	care := n.upkeep.care()
	st.Care = &care
	return st
}

// Table returns the members that placement counts on, as this node knows them now.
func (n *Node) Table() *placement.Table { return n.p.table() }

// Held returns the fragments of a block that this node holds, as far as its index says.
func (n *Node) Held(ctx context.Context, s venti.Score) ([]fragstore.Held, error) {
	lists, err := n.store.Have(ctx, []venti.Score{s})
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}

// status says how the swarm is.
func (p *presence) status() Status {
	st := Status{SwarmID: hex.EncodeToString(p.swarmID())}
	for _, m := range p.roster.List(time.Now()) {
		st.Members++
		if m.Liveness == member.Alive {
			st.Alive++
		}
	}
	policy := p.policy()
	reach := policy.Reach(max(1, p.table().Len()))
	st.Code, st.Target = reach.Code.String(), cmp.Or(policy.Nines, 5)
	st.Fresh, st.Repair = min(reach.Fresh, 99), min(reach.Threshold, 99)
	if m := p.roster.Manifest(); m != nil {
		st.Swarm, st.Revision = m.Name, m.Revision
	}
	d := p.dht.Stats()
	st.Lookups, st.Requests, st.Table = d.Lookups, d.Asked, d.Table
	return st
}

func (p *presence) swarmID() []byte {
	id := p.folder.Swarm.Swarm()
	return id[:]
}

// Members returns the roster.
func (n *Node) Members() []MemberInfo { return n.p.members() }

func (p *presence) members() []MemberInfo {
	var list []MemberInfo
	for _, m := range p.roster.List(time.Now()) {
		r := m.Record
		i := MemberInfo{ID: r.ID().String(), Name: r.Name, Domain: r.Domain, State: m.Liveness.String(), Version: r.Program,
			Capacity: r.Capacity, Free: r.Free, Seen: m.Seen, Failing: m.Failing, Self: p.folder.ID() == r.ID()}
		if m.Liveness == member.Alive && r.State != member.Active {
			i.State = r.State.String()
		}
		for _, a := range r.Addrs {
			i.Addrs = append(i.Addrs, a.String())
		}
		list = append(list, i)
	}
	return list
}
