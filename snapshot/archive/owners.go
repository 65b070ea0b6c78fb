package archive

import (
	"os/user"
	"strconv"
	"sync"
)

// owners remembers the names of users and groups.
type owners struct {
	mu            sync.Mutex
	users, groups map[uint32]string
}

func (o *owners) init() { o.users, o.groups = map[uint32]string{}, map[uint32]string{} }

// names returns the names of uid and gid, empty where there is none.
func (o *owners) names(uid, gid uint32) (string, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	u, ok := o.users[uid]
	if !ok {
		if x, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
			u = x.Username
		}
		o.users[uid] = u
	}
	g, ok := o.groups[gid]
	if !ok {
		if x, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10)); err == nil {
			g = x.Name
		}
		o.groups[gid] = g
	}
	return u, g
}
