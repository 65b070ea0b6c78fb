package vac

import (
	"context"

	"ventidhash/venti"
)

// A Way says what has been seen of a snapshot once a block was visited and what is below it as well, beyond that the block
// is needed. Ways are remembered one by one, so that no block that is used in two ways, such as a file with the bytes of a
// directory, hides what hangs from it. Zero is the way of blocks that nothing hangs from.
type Way uint8

const (
	Below  Way = 1 << iota // it is a pointer block: the blocks below it
	Listed                 // it is the top of a directory: everything in the directory
)

// Ways is Blocks for a caller that goes through many snapshots and remembers, score by score, the ways in which blocks
// were visited: where those of a use are all remembered, visit may return false, and nothing is missed. With an error the
// way is zero.
func (t *Tree) Ways(ctx context.Context, visit func(u Use, how Way, err error) (descend bool, stop error)) error {
	table := !t.Root.Shared.IsHole() // the walk is in the table of shared blocks, which comes first
	return t.Blocks(ctx, func(u Use, err error) (bool, error) {
		if err != nil {
			return visit(u, 0, err)
		}
		how := Way(0)
		if !u.Leaf {
			how = Below
		}
		if u.Role == RoleDirectory {
			top := t.Root.Top
			if u.Dir != nil {
				top = u.Dir.Content.Stream
			}
			head := isTop(u, top)
			if table = table && !(head && u.Dir == nil); head && !table {
				// Not Below: all pointer blocks of the stream have to be visited, or it would not be listed.
				how = Listed
			}
		}
		return visit(u, how, nil)
	})
}

func isTop(u Use, top venti.Entry) bool { return u.Ref == top.Top && u.Len == top.Size }
