package vac

import (
	"io/fs"
	"time"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// A Type says what kind of file a Dir describes.
type Type byte

const (
	File Type = iota + 1
	Directory
	Symlink
	Fifo
	CharDevice
	BlockDevice
	Socket
	endType
)

// formats are the file type bits of a Unix st_mode, which are the same on every system.
var formats = [endType]uint32{File: 0o100000, Directory: 0o040000, Symlink: 0o120000, Fifo: 0o010000,
	CharDevice: 0o020000, BlockDevice: 0o060000, Socket: 0o140000}

// A Digest is the first 16 bytes of the BLAKE3 of a small file's content. It guards the content and tells equal contents
// from others; it is half as long as a hash that has to withstand an author of both contents, since it does not compress
// and is the larger part of most records. What is stored once is decided by the whole hash, in the archiver's cache.
type Digest [16]byte

// DigestOf returns the Digest of content.
func DigestOf(content []byte) Digest {
	sum := blake3.Sum256(content)
	return Digest(sum[:16])
}

// TypeOf returns the type that a Unix st_mode says, or 0 if it is none of them.
func TypeOf(mode uint32) Type {
	for t := File; t < endType; t++ {
		if formats[t] == mode&0o170000 {
			return t
		}
	}
	return 0
}

// Format returns the file type bits of a Unix st_mode for t.
func (t Type) Format() uint32 { return formats[t] }

// A Stamp is a time as a file system keeps it: seconds since 1970, negative before, and nanoseconds from 0 to
// 999,999,999. It is comparable.
type Stamp struct {
	Sec  int64
	Nsec uint32
}

// Time returns s in UTC.
func (s Stamp) Time() time.Time { return time.Unix(s.Sec, int64(s.Nsec)).UTC() }

// Before reports whether s is earlier than t.
func (s Stamp) Before(t time.Time) bool { return s.Time().Before(t) }

// A Dir is one file's metadata record, and where its content is. Names and texts are bytes, not necessarily UTF-8.
type Dir struct {
	Name         string
	Type         Type
	Mode         uint32 // permission bits, setuid, setgid and sticky: at most 07777
	UID, GID     uint32
	User, Group  string // names of UID and GID where they were walked; empty if they had none
	ModTime      Stamp
	ChangeTime   Stamp  // of the inode, where it was walked; never restored
	Device       uint32 // which file system, numbered as the walk met them; with Inode it tells hard links
	Inode        uint64
	Links        uint32 // how many names the file had; a directory has 1
	Size         int64  // of a regular file, in bytes
	Sparse       bool   // the file had holes
	Target       string // of a symbolic link
	Major, Minor uint32 // of a device
	Xattrs       []Xattr
	Content      Content // of a file or directory
}

// An Xattr is one extended attribute; ACLs and capabilities are among them.
type Xattr struct {
	Name  string
	Value string
}

// A ContentKind says how content is stored.
type ContentKind byte

const (
	Empty  ContentKind = iota // no bytes
	Sliced                    // of a file: part of a shared block
	Stream                    // a stream of its own
	Nested                    // of a directory: inside this record
	endContent
)

// Content is where the bytes of a file or directory are. Only the field that Kind names has meaning.
type Content struct {
	Kind   ContentKind
	Slice  Slice
	Stream venti.Entry
	Nested []byte
}

// A Slice is a small file's part of a shared block; its length is the file's size.
type Slice struct {
	Block  venti.Ref
	Offset uint32
	Hash   Digest // of the file's bytes
}

// Linked reports whether the file had other names, so that it may be a hard link of another entry: those with the same
// Device and Inode are one file.
func (d *Dir) Linked() bool { return d.Links > 1 && d.Type != Directory }

// FileMode returns type and permissions in the terms of package fs.
func (d *Dir) FileMode() fs.FileMode {
	m := fs.FileMode(d.Mode & 0o777)
	for _, b := range []struct {
		bit  uint32
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if d.Mode&b.bit != 0 {
			m |= b.mode
		}
	}
	switch d.Type {
	case Directory:
		m |= fs.ModeDir
	case Symlink:
		m |= fs.ModeSymlink
	case Fifo:
		m |= fs.ModeNamedPipe
	case CharDevice:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case BlockDevice:
		m |= fs.ModeDevice
	case Socket:
		m |= fs.ModeSocket
	}
	return m
}
