package restore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// note remembers what is in f, so that what the snapshot does not have can be removed.
func (r *run) note(f *folder) {
	names, err := readNames(f.fd)
	if err != nil {
		r.fail(Remove, f, "", err)
		return
	}
	f.extras = make(map[string]struct{}, len(names))
	for _, name := range names {
		f.extras[name] = struct{}{}
	}
}

// doomed returns the names in f that the snapshot does not have and the patterns do not rule out.
func (r *run) doomed(f *folder, fd int) []string {
	if f.broken || f.failed {
		return nil
	}
	names := slices.Sorted(maps.Keys(f.extras))
	if !r.filter.active() {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		st, err := place{dir: fd, name: name, fd: -1}.stat()
		return err != nil || !r.filter.takes(f.join(name), st.typ == vac.Directory)
	})
}

// prune removes what is in f and not in the snapshot, until ctx ends.
func (r *run) prune(ctx context.Context, f *folder, fd int) {
	for _, name := range r.doomed(f, fd) {
		n, err := removeAll(ctx, fd, name, f.dev)
		r.deleted.Add(n)
		if ctx.Err() != nil {
			return // what is left stays for the next run, and is no failure
		}
		if err != nil {
			r.fail(Remove, f, name, err)
		}
	}
}

// removeAll removes what name names in a directory, and everything below it. It follows no link and stops at another
// file system than dev. It goes on after an error, and returns the first one and how many entries it removed. Between
// two removals it looks whether ctx has ended.
func removeAll(ctx context.Context, dir int, name string, dev uint64) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := place{dir: dir, name: name, fd: -1}
	st, err := p.stat()
	if err != nil {
		return 0, err
	}
	if st.typ != vac.Directory {
		if err := unlink(dir, name, 0); err != nil {
			return 0, err
		}
		return 1, nil
	}
	if st.dev != dev {
		return 0, errMount
	}
	n, err = removeBelow(ctx, p, dev)
	if ctx.Err() != nil {
		return n, ctx.Err()
	}
	if e := unlink(dir, name, unix.AT_REMOVEDIR); e != nil {
		if err == nil {
			err = e
		}
		return n, err
	}
	return n + 1, nil
}

// removeBelow empties the directory p.
func removeBelow(ctx context.Context, p place, dev uint64) (n int64, first error) {
	fd, err := openAt(p.dir, p.name, dirFlags, 0)
	if errors.Is(err, unix.EACCES) {
		if err = p.chmod(0o700); err == nil {
			fd, err = openAt(p.dir, p.name, dirFlags, 0)
		}
	}
	if err != nil {
		return 0, err
	}
	defer closeFD(fd)
	names, first := readNames(fd)
	for i, name := range names {
		m, err := removeAll(ctx, fd, name, dev)
		if i == 0 && errors.Is(err, unix.EACCES) && (place{fd: fd}).chmod(0o700) == nil {
			m, err = removeAll(ctx, fd, name, dev)
		}
		n += m
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return n, first
}
