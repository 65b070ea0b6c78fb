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

// Flags of a record: what it has, and what differs from the record before and therefore follows.
const (
	flagXattrs = 1 << iota
	flagSparse
	flagLinked
	flagMode
	flagOwner  // owner, names and device
	flagChange // ctime, which else is mtime
	flagBlock  // another shared block than the last slice before
	flagOffset // another place in it than right behind that slice, or than the beginning of another block
)

// A prior is what the records of a directory say to the next one, which has only what is different. The zero prior
// stands before the first record.
type prior struct {
	name        string
	mode        uint32
	owner       owner
	mod, change Stamp
	inode       uint64
	block       venti.Ref // of the last slice
	end         uint32    // of that slice in the block
}

type owner struct {
	uid, gid    uint32
	user, group string
	device      uint32
}

// next makes p what stands before the record behind d's.
func (p *prior) next(d *Dir) {
	p.name, p.mode, p.owner = d.Name, d.Mode, ownerOf(d)
	p.mod, p.change, p.inode = d.ModTime, d.ChangeTime, d.Inode
	if d.Content.Kind == Sliced {
		p.block, p.end = d.Content.Slice.Block, d.Content.Slice.Offset+uint32(d.Size)
	}
}

func ownerOf(d *Dir) owner { return owner{d.UID, d.GID, d.User, d.Group, d.Device} }

// place returns where a slice that follows is if its record says nothing: right behind the last one, or at the
// beginning of a block that is another one.
func (p *prior) place(block venti.Ref) uint32 {
	if block == p.block {
		return p.end
	}
	return 0
}

// flags returns the flags of d's record.
func (p *prior) flags(d *Dir) byte {
	s := &d.Content.Slice
	sliced := d.Content.Kind == Sliced
	var flags byte
	for i, set := range [8]bool{len(d.Xattrs) > 0, d.Sparse, d.Linked(), d.Mode != p.mode, ownerOf(d) != p.owner,
		d.ChangeTime != d.ModTime, sliced && s.Block != p.block, sliced && s.Offset != p.place(s.Block)} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

// appendBody appends the body of d's record behind p.
func appendBody(b []byte, p *prior, d *Dir) []byte {
	same := 0
	for same < min(len(p.name), len(d.Name)) && p.name[same] == d.Name[same] {
		same++
	}
	b = venti.AppendUint(b, uint64(same))
	b = venti.AppendBytes(b, d.Name[same:])
	flags := p.flags(d)
	b = append(b, byte(d.Type), flags)
	if flags&flagMode != 0 {
		b = venti.AppendUint(b, uint64(d.Mode))
	}
	if flags&flagOwner != 0 {
		b = venti.AppendUint(b, uint64(d.UID))
		b = venti.AppendUint(b, uint64(d.GID))
		b = venti.AppendBytes(b, d.User)
		b = venti.AppendBytes(b, d.Group)
		b = venti.AppendUint(b, uint64(d.Device))
	}
	b = appendStamp(b, p.mod, d.ModTime)
	if flags&flagChange != 0 {
		b = appendStamp(b, p.change, d.ChangeTime)
	}
	b = venti.AppendInt(b, int64(d.Inode-p.inode))
	if flags&flagLinked != 0 {
		b = venti.AppendUint(b, uint64(d.Links))
	}
	switch d.Type {
	case File, Directory:
		b = appendContent(b, flags, d)
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

func appendContent(b []byte, flags byte, d *Dir) []byte {
	c := &d.Content
	b = append(b, byte(c.Kind))
	switch c.Kind {
	case Sliced:
		b = venti.AppendUint(b, uint64(d.Size))
		if flags&flagBlock != 0 {
			b = venti.AppendRef(b, c.Slice.Block)
		}
		if flags&flagOffset != 0 {
			b = venti.AppendUint(b, uint64(c.Slice.Offset))
		}
		b = append(b, c.Slice.Hash[:]...)
	case Stream:
		b = venti.AppendEntry(b, c.Stream)
	case Nested:
		b = venti.AppendBytes(b, c.Nested)
	}
	return b
}

// appendStamp appends s as the difference to p.
func appendStamp(b []byte, p, s Stamp) []byte {
	b = venti.AppendInt(b, s.Sec-p.Sec)
	return venti.AppendInt(b, int64(s.Nsec)-int64(p.Nsec))
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

// parseBody reads the body of a record behind p. Nested content aliases b.
func parseBody(b []byte, p *prior, names texts) (*Dir, error) {
	d := venti.NewDecoder(b)
	f := &Dir{Name: parseName(d, p.name)}
	f.Type = Type(d.Byte())
	flags := d.Byte()
	f.Mode = p.mode
	if flags&flagMode != 0 {
		f.Mode = uint32(d.Uint(0o7777))
	}
	f.UID, f.GID, f.User, f.Group, f.Device = p.owner.uid, p.owner.gid, p.owner.user, p.owner.group, p.owner.device
	if flags&flagOwner != 0 {
		f.UID, f.GID = uint32(d.Uint(math.MaxUint32)), uint32(d.Uint(math.MaxUint32))
		f.User, f.Group = names.intern(d.Bytes(maxName)), names.intern(d.Bytes(maxName))
		f.Device = uint32(d.Uint(math.MaxUint32))
	}
	f.ModTime = parseStamp(d, p.mod)
	f.ChangeTime = f.ModTime
	if flags&flagChange != 0 {
		f.ChangeTime = parseStamp(d, p.change)
	}
	f.Inode, f.Links = p.inode+uint64(d.Int()), 1
	if flags&flagLinked != 0 {
		if f.Links = uint32(d.Uint(math.MaxUint32)); f.Links < 2 {
			d.Fail(errors.New("a linked file has two links at least"))
		}
	}
	f.Sparse = flags&flagSparse != 0
	switch f.Type {
	case File, Directory:
		parseContent(d, p, flags, f)
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
	case f.Sparse && f.Type != File:
		d.Fail(errors.New("only a regular file is sparse"))
	case flags&flagLinked != 0 && f.Type == Directory:
		d.Fail(errors.New("a directory is not linked"))
	case flags != p.flags(f):
		d.Fail(fmt.Errorf("flags %#x do not fit the record, which needs %#x", flags, p.flags(f)))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("record of %.80q: %w", f.Name, err)
	}
	return f, nil
}

// parseName reads a name that comes after last, and is written as what differs from it.
func parseName(d *venti.Decoder, last string) string {
	same := int(d.Uint(uint64(len(last))))
	rest := d.Bytes(maxName)
	if d.Err() != nil {
		return ""
	}
	name := last[:same] + string(rest)
	switch {
	case len(rest) == 0 && last != "" || same < len(last) && rest[0] <= last[same]:
		d.Fail(fmt.Errorf("%.80q comes after %.80q, or has more in common with it than is said", name, last))
	case len(name) > maxName:
		d.Fail(fmt.Errorf("name of %d bytes is over the bound of %d", len(name), maxName))
	}
	if err := checkName(name); err != nil {
		d.Fail(err)
	}
	return name
}

func parseContent(d *venti.Decoder, p *prior, flags byte, f *Dir) {
	c := &f.Content
	c.Kind = ContentKind(d.Byte())
	switch c.Kind {
	case Empty:
	case Sliced:
		f.Size = int64(d.Uint(venti.MaxBlock))
		parseSlice(d, p, flags, &c.Slice)
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

func parseSlice(d *venti.Decoder, p *prior, flags byte, s *Slice) {
	s.Block = p.block
	if flags&flagBlock != 0 {
		s.Block = d.Ref()
	}
	s.Offset = p.place(s.Block)
	if flags&flagOffset != 0 {
		s.Offset = uint32(d.Uint(venti.MaxBlock))
	}
	copy(s.Hash[:], d.Fixed(len(s.Hash)))
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

// parseStamp reads a time that is written as the difference to p.
func parseStamp(d *venti.Decoder, p Stamp) Stamp {
	sec, nsec := p.Sec+d.Int(), int64(p.Nsec)+d.Int()
	if nsec < 0 || nsec > 999_999_999 {
		d.Fail(errors.New("nanoseconds are over the bound of 999999999 or below 0"))
		return Stamp{}
	}
	return Stamp{Sec: sec, Nsec: uint32(nsec)}
}
