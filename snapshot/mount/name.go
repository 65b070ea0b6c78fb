package mount

import (
	"encoding/binary"

	"github.com/zeebo/blake3"

	"ventidhash/snapshot/layout"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// A key names a directory or file for ever: the same in every mount, and, but for hard links, no other has it.
type key [16]byte

// What a key is hashed from begins with one of these.
const (
	keyFolder   = 'f' // path: a folder above the snapshots
	keySnapshot = 's' // score: the top directory of a snapshot
	keyChild    = 'c' // key of the directory, name
	keyLinked   = 'l' // key of the snapshot, device, inode
)

func keyOf(kind byte, parts ...[]byte) key {
	var room [512]byte
	b := append(room[:0], kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	sum := blake3.Sum256(b)
	return key(sum[:16])
}

func folderKey(path string) key            { return keyOf(keyFolder, []byte(path)) }
func snapshotKey(score venti.Score) key    { return keyOf(keySnapshot, score[:]) }
func childKey(parent key, name string) key { return keyOf(keyChild, parent[:], []byte(name)) }

// kidKey returns the key of what is in a folder.
func kidKey(k layout.Kid) key {
	if k.Folder != nil {
		return folderKey(k.Folder.Path)
	}
	return snapshotKey(k.Snapshot.Score)
}

// join returns the path of what is called name in the folder at path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// fileKey returns the key of the entry e of the directory dir in the snapshot of.
func fileKey(of, dir key, e *vac.Dir) key {
	if !e.Linked() {
		return childKey(dir, e.Name)
	}
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], e.Device)
	binary.BigEndian.PutUint64(b[4:], e.Inode)
	return keyOf(keyLinked, of[:], b[:])
}

// inode returns the inode number of what k names. It fits a signed number, and is none of those that systems use for
// purposes of their own.
func (k key) inode() uint64 {
	return binary.BigEndian.Uint64(k[:])&(1<<63-1) | 1<<32
}
