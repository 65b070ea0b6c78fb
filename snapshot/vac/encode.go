package vac

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"ventidhash/venti"
)

const (
	dirVersion = 1 // first byte of every directory's stream

	maxName   = 4 << 10
	maxText   = 64 << 10 // link targets, and each attribute's value
	maxXattrs = 16 << 10 // more than fit into the list of names that Linux gives
	maxRecord = 8 << 20

	// nestMax is the longest directory, in encoded bytes, that lies in its parent's record.
	nestMax = 32 << 10
)

// Flags of a record.
const (
	flagXattrs = 1 << iota
	flagSparse
	flagLinked
	flagEnd // first bit that has no meaning
)

// appendRecord appends the record of d: the length of its body, and the body.
func appendRecord(b, scratch []byte, d *Dir) (record, newScratch []byte) {
	body := appendBody(scratch[:0], d)
	return venti.AppendBytes(b, body), body
}

func appendBody(b []byte, d *Dir) []byte {
	b = venti.AppendBytes(b, d.Name)
	var flags byte
	if len(d.Xattrs) > 0 {
		flags |= flagXattrs
	}
	if d.Sparse {
		flags |= flagSparse
	}
	if d.Linked() {
		flags |= flagLinked
	}
	b = append(b, byte(d.Type), flags)
	b = venti.AppendUint(b, uint64(d.Mode))
	b = venti.AppendUint(b, uint64(d.UID))
	b = venti.AppendUint(b, uint64(d.GID))
	b = venti.AppendBytes(b, d.User)
	b = venti.AppendBytes(b, d.Group)
	b = appendStamp(b, d.ModTime)
	b = appendStamp(b, d.ChangeTime)
	b = venti.AppendUint(b, uint64(d.Device))
	b = venti.AppendUint(b, d.Inode)
	if flags&flagLinked != 0 {
		b = venti.AppendUint(b, uint64(d.Links))
	}
	switch d.Type {
	case File, Directory:
		b = appendContent(b, d)
	case Symlink:
		b = venti.AppendBytes(b, d.Target)
	case CharDevice, BlockDevice:
		b = venti.AppendUint(b, uint64(d.Major))
		b = venti.AppendUint(b, uint64(d.Minor))
	}
	if flags&flagXattrs != 0 {
		b = venti.AppendUint(b, uint64(len(d.Xattrs)))
		for _, x := range d.Xattrs {
			b = venti.AppendBytes(b, x.Name)
			b = venti.AppendBytes(b, x.Value)
		}
	}
	return b
}

func appendContent(b []byte, d *Dir) []byte {
	c := &d.Content
	b = append(b, byte(c.Kind))
	switch c.Kind {
	case Sliced:
		b = venti.AppendUint(b, uint64(d.Size))
		b = venti.AppendRef(b, c.Slice.Block)
		b = venti.AppendUint(b, uint64(c.Slice.Offset))
		b = append(b, c.Slice.Hash[:]...)
	case Stream:
		b = venti.AppendEntry(b, c.Stream)
	case Nested:
		b = venti.AppendBytes(b, c.Nested)
	}
	return b
}

func appendStamp(b []byte, s Stamp) []byte {
	b = venti.AppendInt(b, s.Sec)
	return venti.AppendUint(b, uint64(s.Nsec))
}

var (
	errName    = errors.New("name is empty, '.', '..', or has a slash or NUL in it")
	errContent = errors.New("content does not fit the type")
)

// checkName refuses names that no file can have, and so everything that could lead out of a directory.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %.80q", errName, name)
	}
	return nil
}

// texts keeps one copy of strings that recur, such as owners.
type texts map[string]string

func (t texts) intern(b []byte) string {
	if s, ok := t[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(t) < 1<<10 {
		t[s] = s
	}
	return s
}

// parseBody reads the body of a record. Nested content aliases b.
func parseBody(b []byte, names texts) (*Dir, error) {
	d := venti.NewDecoder(b)
	f := &Dir{Name: string(d.Bytes(maxName))}
	f.Type = Type(d.Byte())
	flags := d.Byte()
	f.Mode = uint32(d.Uint(0o7777))
	f.UID, f.GID = uint32(d.Uint(math.MaxUint32)), uint32(d.Uint(math.MaxUint32))
	f.User, f.Group = names.intern(d.Bytes(maxName)), names.intern(d.Bytes(maxName))
	f.ModTime, f.ChangeTime = stamp(d), stamp(d)
	f.Device, f.Inode, f.Links = uint32(d.Uint(math.MaxUint32)), d.Uint(math.MaxUint64), 1
	if flags&flagLinked != 0 {
		if f.Links = uint32(d.Uint(math.MaxUint32)); f.Links < 2 {
			d.Fail(errors.New("a linked file has two links at least"))
		}
	}
	f.Sparse = flags&flagSparse != 0
	switch f.Type {
	case File, Directory:
		parseContent(d, f)
	case Symlink:
		f.Target = string(d.Bytes(maxText))
	case CharDevice, BlockDevice:
		f.Major, f.Minor = uint32(d.Uint(math.MaxUint32)), uint32(d.Uint(math.MaxUint32))
	}
	if flags&flagXattrs != 0 {
		f.Xattrs = parseXattrs(d)
	}
	switch {
	case d.Err() != nil:
	case f.Type == 0 || f.Type >= endType:
		d.Fail(fmt.Errorf("file type %d is not known to this program", f.Type))
	case flags >= flagEnd:
		d.Fail(fmt.Errorf("flags %#x are not known to this program", flags))
	case f.Sparse && f.Type != File:
		d.Fail(errors.New("only a regular file is sparse"))
	case flags&flagLinked != 0 && f.Type == Directory:
		d.Fail(errors.New("a directory is not linked"))
	}
	if err := checkName(f.Name); err != nil {
		d.Fail(err)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("record of %.80q: %w", f.Name, err)
	}
	return f, nil
}

func parseContent(d *venti.Decoder, f *Dir) {
	c := &f.Content
	c.Kind = ContentKind(d.Byte())
	switch c.Kind {
	case Empty:
	case Sliced:
		f.Size = int64(d.Uint(venti.MaxBlock))
		c.Slice.Block = d.Ref()
		c.Slice.Offset = uint32(d.Uint(venti.MaxBlock))
		copy(c.Slice.Hash[:], d.Fixed(len(c.Slice.Hash)))
		if f.Size == 0 || c.Slice.Block.IsZero() || f.Size+int64(c.Slice.Offset) > venti.MaxBlock {
			d.Fail(errContent)
		}
	case Stream:
		c.Stream = d.Entry()
		if f.Type == File {
			f.Size = c.Stream.Size
		}
		if c.Stream.Size == 0 || f.Type == Directory && (c.Stream.IsHole() || c.Stream.Size == 1) {
			d.Fail(errContent)
		}
	case Nested:
		c.Nested = d.Bytes(nestMax)
		if len(c.Nested) <= 1 { // an empty directory has no content
			d.Fail(errContent)
		}
	default:
		d.Fail(fmt.Errorf("content kind %d is not known to this program", c.Kind))
	}
	if f.Type == File && c.Kind == Nested || f.Type == Directory && c.Kind == Sliced {
		d.Fail(errContent)
	}
}

func parseXattrs(d *venti.Decoder) []Xattr {
	n := d.Uint(maxXattrs)
	if n == 0 {
		d.Fail(errors.New("no attributes where some were announced"))
	}
	var xs []Xattr
	for i := uint64(0); i < n && d.Err() == nil; i++ {
		x := Xattr{Name: string(d.Bytes(maxName)), Value: string(d.Bytes(maxText))}
		switch {
		case d.Err() != nil:
		case x.Name == "" || strings.Contains(x.Name, "\x00"):
			d.Fail(errors.New("name of an attribute is empty or has a NUL in it"))
		case i > 0 && xs[i-1].Name >= x.Name:
			d.Fail(errors.New("attributes are not in order"))
		}
		xs = append(xs, x)
	}
	return xs
}

func stamp(d *venti.Decoder) Stamp {
	return Stamp{Sec: d.Int(), Nsec: uint32(d.Uint(999_999_999))}
}
