package restore

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// A previewer is the pass of a dry run: it counts what a writer would do, and changes nothing.
type previewer struct{ *run }

// enter looks whether f is there.
func (v previewer) enter(_ context.Context, f *folder) bool {
	v.done.Dirs.Add(1)
	if f.parent != nil {
		f.missing = f.parent.missing
	} else {
		f.missing = f.fd < 0
	}
	if !f.missing && f.parent != nil {
		fd, err := openAt(f.parent.fd, f.name, dirFlags, 0)
		switch {
		case err == nil:
			f.fd = fd
		case errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
			if v.cfg.Overwrite != Always {
				v.fail(Create, f, "", errInTheWay)
				return false
			}
			f.missing = true
		case errors.Is(err, fs.ErrNotExist):
			f.missing = true
		default:
			v.fail(Create, f, "", err)
			return false
		}
	}
	if f.missing {
		return true
	}
	st, err := place{fd: f.fd}.stat()
	if err != nil {
		v.fail(Create, f, "", err)
		return false
	}
	f.dev, f.ino = st.dev, st.ino
	if v.cfg.Delete && !f.plain {
		v.note(f)
	}
	return true
}

// entry counts d.
func (v previewer) entry(_ context.Context, f *folder, d *vac.Dir) {
	defer v.done.Files.Add(1)
	if !f.missing {
		if st, err := (place{dir: f.fd, name: d.Name, fd: -1}).stat(); err == nil && v.keeps(f, d, st) {
			v.skipped.Add(1)
			return
		}
	}
	v.files.Add(1)
	v.bytes.Add(d.Size)
}

// finish counts what would be removed; a directory counts as one.
func (v previewer) finish(_ context.Context, f *folder, fd int) {
	if !f.plain && (f.wanted && v.cfg.Overwrite != Never || f.missing) {
		v.dirs.Add(1)
	}
	if !f.missing {
		v.deleted.Add(int64(len(v.doomed(f, fd))))
	}
}
