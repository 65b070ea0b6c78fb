package restore

import (
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"

	"ventidhash/snapshot/vac"
)

// An identity is who the process is.
type identity struct {
	root   bool // may give files away
	uid    uint32
	groups []int // that a file may be given to
}

func whoAmI() identity {
	groups, err := os.Getgroups()
	if err != nil {
		groups = nil
	}
	return identity{root: os.Geteuid() == 0, uid: uint32(os.Geteuid()), groups: append(groups, os.Getegid())}
}

func (i *identity) in(gid uint32) bool { return slices.Contains(i.groups, int(gid)) }

// owners finds the numbers that names have on this machine, and remembers them.
type owners struct {
	numeric bool

	// mu protects the following. A name that is not known here has no number: -1.
	mu           sync.Mutex
	users, group map[string]int64
}

// of returns the owner and group of d on this machine.
func (o *owners) of(d *vac.Dir) (uid, gid uint32) {
	uid, gid = d.UID, d.GID
	if o.numeric {
		return uid, gid
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users == nil {
		o.users, o.group = map[string]int64{}, map[string]int64{}
	}
	if n := find(o.users, d.User, userNumber); n >= 0 {
		uid = uint32(n)
	}
	if n := find(o.group, d.Group, groupNumber); n >= 0 {
		gid = uint32(n)
	}
	return uid, gid
}

func find(known map[string]int64, name string, look func(string) int64) int64 {
	if name == "" {
		return -1
	}
	n, ok := known[name]
	if !ok {
		n = look(name)
		known[name] = n
	}
	return n
}

func userNumber(name string) int64 {
	u, err := user.Lookup(name)
	if err != nil {
		return -1
	}
	return number(u.Uid)
}

func groupNumber(name string) int64 {
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1
	}
	return number(g.Gid)
}

func number(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return -1
	}
	return int64(n)
}
