package node

import "time"

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
	Addrs    []string  `json:"addrs"`
	Self     bool      `json:"self,omitempty"`
}
