package member

import (
	"fmt"
	"maps"

	"ventidhash/dhash"
)

// A useLedger remembers which members came of each delegation that has a use count. The zero ledger, with a limit, is
// empty.
type useLedger struct {
	limit int // bound on total
	total int
	used  map[PublicKey]map[PublicKey]bool // delegated key → members
}

// count notes the member in a verified chain as a use of all its delegations, unless it is noted already. The error,
// which wraps dhash.ErrStranger, says that an invitation is used up.
func (u *useLedger) count(chain Chain) error {
	var subject PublicKey
	for _, c := range chain {
		if c.Role == RoleMember {
			subject = c.Subject
		}
	}
	for _, c := range chain {
		used := u.used[c.Subject]
		switch {
		case c.Role != RoleDelegate || c.Uses == 0 || used[subject]:
		case len(used) >= c.Uses:
			return fmt.Errorf("%w: the invitation %q of %s was for %d and is used up", dhash.ErrStranger, c.Label,
				c.Subject.ID().Short(), c.Uses)
		case u.total >= u.limit:
			return fmt.Errorf("%w: it has counted %d uses of invitations, which is its bound", dhash.ErrBusy, u.total)
		}
	}
	for _, c := range chain {
		if c.Role == RoleDelegate && c.Uses > 0 {
			u.note(c.Subject, subject)
		}
	}
	return nil
}

func (u *useLedger) note(delegation, subject PublicKey) {
	if u.used == nil {
		u.used = map[PublicKey]map[PublicKey]bool{}
	}
	m := u.used[delegation]
	if m == nil {
		m = map[PublicKey]bool{}
		u.used[delegation] = m
	}
	if !m[subject] {
		m[subject] = true
		u.total++
	}
}

func (u *useLedger) each(f func(delegation, subject PublicKey)) {
	for d, m := range u.used {
		for s := range maps.Keys(m) {
			f(d, s)
		}
	}
}
