package equal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// content compares the bytes of two regular files.
func (c *comparison) content(path, pa, pb string) error {
	f, err := os.Open(pa)
	if err != nil {
		return err
	}
	defer f.Close()
	g, err := os.Open(pb)
	if err != nil {
		return err
	}
	defer g.Close()
	for at := int64(0); ; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(f, c.a)
		m, errCopy := io.ReadFull(g, c.b)
		if !bytes.Equal(c.a[:n], c.b[:m]) {
			c.differs(path, "differs between byte %d and %d", at, at+int64(max(n, m)))
			return nil
		}
		at += int64(n)
		if ended(err) && ended(errCopy) {
			return nil
		}
		if err := errors.Join(unended(err), unended(errCopy)); err != nil {
			return err
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// unended returns err unless it says that a file has ended.
func unended(err error) error {
	if ended(err) {
		return nil
	}
	return err
}

// attributes compares the extended attributes of two files.
func (c *comparison) attributes(path, pa, pb string) error {
	want, err := c.xattrs(pa)
	if err != nil {
		return err
	}
	got, err := c.xattrs(pb)
	if err != nil {
		return err
	}
	for name, value := range want {
		if other, ok := got[name]; !ok {
			c.differs(path, "lacks attribute %s", name)
		} else if other != value {
			c.differs(path, "has attribute %s %q, not %q", name, other, value)
		}
		delete(got, name)
	}
	for name := range got {
		c.differs(path, "has attribute %s", name)
	}
	return nil
}

// xattrs returns the attributes of a file that are to be compared; nil where the file system has none.
func (c *comparison) xattrs(path string) (map[string]string, error) {
	list, err := grow(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) || err == nil && len(list) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	values := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if !c.compared(name) {
			continue
		}
		v, err := grow(func(b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
		if err != nil {
			return nil, &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		values[name] = string(v)
	}
	return values, nil
}

// given are the attributes that somebody has set on purpose. Others are the kernel's or a file system's own.
var given = []string{"security.capability", "system.posix_acl_access", "system.posix_acl_default"}

func (c *comparison) compared(name string) bool {
	kind, _, _ := strings.Cut(name, ".")
	if c.cfg.Owned {
		return kind == "user" || kind == "system" && slices.Contains(given, name)
	}
	return kind != "security" && kind != "system" || slices.Contains(given, name)
}

// grow calls read with a buffer that is large enough.
func grow(read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size = 64 << 10 {
		b := make([]byte, size)
		n, err := read(b)
		if errors.Is(err, unix.ERANGE) && size == 256 {
			continue
		}
		return b[:max(n, 0)], err
	}
}
