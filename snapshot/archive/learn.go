package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/zeebo/blake3"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// Learn adds the small contents of a snapshot to the cache that lie in the directory dir, where the snapshot was restored
// to: on a machine that is new the next run would else store them anew, since all files have another inode. A record has
// half a hash, so the files are read; one that is not there, or has other bytes, is passed over.
//
// It is for no goroutine beside those of a run, and needs no store: what the cache says is believed when the store has it.
func (k *Known) Learn(ctx context.Context, t *vac.Tree, dir string) error {
	shares, err := vac.ReadShares(ctx, t.Source(), t.Root.Shared)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no link in what was restored leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	k.fresh, k.present = map[tree.Hash]place{}, map[venti.Score]bool{}
	err = t.WalkDir(ctx, t.Top(), "", func(path string, d *vac.Dir) error {
		if d.Type != vac.File || d.Content.Kind != vac.Sliced || d.Size > smallFile {
			return ctx.Err()
		}
		s := d.Content.Slice
		block := shares[s.Block.Score].Size
		b, err := readSmall(root, strings.TrimPrefix(path, "/"), int64(d.Size))
		if err != nil || block == 0 || vac.DigestOf(b) != s.Hash {
			return ctx.Err()
		}
		k.add(blake3.Sum256(b), place{ref: s.Block, off: s.Offset, size: uint32(d.Size), block: uint32(block)})
		return ctx.Err()
	})
	return errors.Join(err, k.end())
}

// readSmall reads a file that has so many bytes.
func readSmall(root *os.Root, name string, size int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0) // not for whoever writes into a fifo
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != size {
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(f, b)
	return b, err
}
