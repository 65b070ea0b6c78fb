package restore

import (
	"strings"

	"ventidhash/snapshot/vac"
)

const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

	setIDs = 0o6000 // setuid and setgid
)

// apply gives the file at p everything of d but its content: owner, attributes, mode and time, in this order. fresh
// says that the run made it; else it may have attributes that it should not have. name is "" for the folder itself.
// What cannot be had is counted and left.
func (r *run) apply(p place, f *folder, name string, d *vac.Dir, fresh bool) {
	st, err := p.stat()
	if err != nil {
		r.fail(Create, f, name, err)
		return
	}
	mode := d.Mode
	chowned, whole := r.own(p, f, name, d, st)
	if !whole && d.Type != vac.Directory {
		mode &^= setIDs // it would lend the rights of somebody who does not own it in the snapshot
	}
	touched := r.attributes(p, f, name, d, fresh)
	if d.Type != vac.Symlink {
		r.setMode(p, f, name, d, st, mode, touched || chowned && mode&setIDs != 0)
	}
	if st.mtime != d.ModTime {
		if err := p.setTime(d.ModTime); err != nil {
			r.fail(Time, f, name, err)
		}
	}
}

// own sets owner and group where they differ. It reports whether it changed anything, and whether all is now as it
// should be.
func (r *run) own(p place, f *folder, name string, d *vac.Dir, st status) (changed, whole bool) {
	uid, gid := r.owners.of(d)
	if uid == st.uid && gid == st.gid {
		return false, true
	}
	newUID, newGID := int(uid), int(gid)
	var err error
	if !r.who.root {
		err = errNotRoot
		if uid != st.uid {
			newUID = -1
		}
		if !r.who.in(gid) {
			newGID = -1
		}
	}
	if r.who.root || newGID >= 0 && gid != st.gid {
		if e := p.chown(newUID, newGID); e != nil {
			err = e
		} else if changed = true; newUID >= 0 && newGID >= 0 {
			return true, true
		}
	}
	r.fail(Owner, f, name, err)
	return changed, false
}

// setMode sets the mode where it differs, or in any case if something may have changed it. Where the snapshot wanted
// more than mode, that is counted.
func (r *run) setMode(p place, f *folder, name string, d *vac.Dir, st status, mode uint32, always bool) {
	if d.Type == vac.Directory && !r.who.root && mode&0o100 == 0 {
		// Hard links and the verification still have to find what is in it.
		r.mu.Lock()
		r.late = append(r.late, lateMode{f, mode})
		r.mu.Unlock()
		mode |= 0o700
	}
	var err error
	if mode != st.mode || always {
		err = p.chmod(mode)
	}
	if err == nil && mode&setIDs != d.Mode&setIDs {
		err = errSetID
	}
	if err != nil {
		r.fail(Mode, f, name, err)
	}
}

// attributes sets the extended attributes, and removes those that the file has and should not have. It reports whether
// an access control list is among them, which changes the mode.
func (r *run) attributes(p place, f *folder, name string, d *vac.Dir, fresh bool) (list bool) {
	if fresh {
		around := f
		if name == "" {
			around = f.parent
		}
		if around != nil && around.inherits && d.Type != vac.Symlink {
			list = r.strip(p, f, name, d, []string{aclAccess, aclDefault})
		}
	} else if names, err := p.xattrs(); err != nil {
		r.fail(Attribute, f, name, err)
	} else if len(names) > 0 {
		list = r.strip(p, f, name, d, names)
	}
	for _, x := range d.Xattrs {
		if err := p.setXattr(x.Name, x.Value); err != nil {
			r.fail(Attribute, f, name, &attributeError{x.Name, err})
			continue
		}
		list = list || x.Name == aclAccess
	}
	return list
}

// strip removes those of the attributes that d does not have and that only a user or an administrator sets. It reports
// whether an access control list was among them.
func (r *run) strip(p place, f *folder, name string, d *vac.Dir, names []string) (list bool) {
	for _, n := range names {
		kind, _, _ := strings.Cut(n, ".")
		if hasXattr(d, n) || kind == "security" && n != "security.capability" || kind == "system" && n != aclAccess && n != aclDefault {
			continue
		}
		if n == aclDefault && d.Type != vac.Directory {
			continue
		}
		if err := p.removeXattr(n); err != nil {
			r.fail(Attribute, f, name, &attributeError{n, err})
		}
		list = list || n == aclAccess
	}
	return list
}

func hasXattr(d *vac.Dir, name string) bool {
	for i := range d.Xattrs {
		if d.Xattrs[i].Name == name {
			return true
		}
	}
	return false
}

// An attributeError names the attribute that an error is about.
type attributeError struct {
	name string
	err  error
}

func (e *attributeError) Error() string { return "attribute " + e.name + ": " + e.err.Error() }
func (e *attributeError) Unwrap() error { return e.err }
