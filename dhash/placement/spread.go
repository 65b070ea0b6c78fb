package placement

import "ventidhash/dhash"

// Spread returns how many fragments the loss of a failure domain cannot make count for less: the members' number, but
// at most Code.DomainLimit of each host and of each site. members hold one fragment each and are all different.
func Spread(members []Member, c dhash.Code) int {
	limit := c.DomainLimit()
	hosts, sites := map[string]int{}, map[string]int{}
	n := 0
	for i := range members {
		host, site := members[i].domain()
		if hosts[host] < limit && sites[site] < limit {
			hosts[host]++
			sites[site]++
			n++
		}
	}
	return n
}

// attainable returns the Spread of a block that has all its fragments, placed as well as the members of t allow.
func (t *Table) attainable(c dhash.Code) int {
	limit := c.DomainLimit()
	sites := make([]int, len(t.sites))
	for h, members := range t.hosts {
		s := t.siteOf[h]
		sites[s] = min(limit, sites[s]+min(limit, members))
	}
	n := 0
	for _, members := range sites {
		n += members
	}
	return min(n, c.Total, len(t.members))
}

// Stored returns how many fragments count for a block that those members hold, one fragment each; it is stored when
// they are Code.Threshold or more. It is their Spread if the swarm has sites and hosts enough for one of c.Total. Else
// as many fragments as no placement could spread better are forgiven: in a swarm that is all in one room each fragment
// counts, and what a lone second site could hold must be there, or else be among those that may be missing anyway.
func (t *Table) Stored(members []Member, c dhash.Code) int {
	return min(len(members), Spread(members, c)+c.Total-t.attainable(c))
}
