package archive

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// fdXattrs reads the extended attributes, ACLs and capabilities of an open file.
func fdXattrs(fd int) ([]vac.Xattr, error) {
	return xattrs(
		func(b []byte) (int, error) { return unix.Flistxattr(fd, b) },
		func(name string, b []byte) (int, error) { return unix.Fgetxattr(fd, name, b) })
}

// nameXattrs reads those of a file that is not opened: a link, a device, a fifo or a socket.
func nameXattrs(h *handle, name string) ([]vac.Xattr, error) {
	path := procPath(h, name)
	return xattrs(
		func(b []byte) (int, error) { return unix.Llistxattr(path, b) },
		func(name string, b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
}

func xattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]vac.Xattr, error) {
	var few [256]byte
	all, err := grow(few[:], list)
	if len(all) == 0 || err != nil {
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
			err = nil
		}
		return nil, err
	}
	var out []vac.Xattr
	var value [256]byte
	for name := range strings.SplitSeq(strings.TrimSuffix(string(all), "\x00"), "\x00") {
		v, err := grow(value[:], func(b []byte) (int, error) { return get(name, b) })
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			continue // gone meanwhile, or listed and never readable
		}
		if err != nil {
			return out, err
		}
		out = append(out, vac.Xattr{Name: name, Value: string(v)})
	}
	slices.SortFunc(out, func(a, b vac.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// grow calls read with a larger buffer until the result fits.
func grow(buf []byte, read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(buf)
		switch {
		case errors.Is(err, unix.ERANGE):
			buf = make([]byte, 4*len(buf))
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		default:
			return buf[:n], nil
		}
	}
}
