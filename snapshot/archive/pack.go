package archive

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A batch is small contents that are being gathered, in the order of the walk. Put in the order of their names' endings
// they go into shared blocks, so that a block has contents of few sorts, which compress each other: measured on letters,
// tables and configuration in directories of one sort each, that makes blocks 7 % smaller at no cost, more than a
// stronger compression or larger blocks do.
type batch struct {
	buf  []byte
	rows []*promise
}

// A promise is a small content of which the place is not known yet.
type promise struct {
	hash   tree.Hash
	size   uint32
	ending string // of the file's name
	from   int    // offset in the batch

	placed chan struct{} // of the whole batch: closed when the following are set
	block  *sharedBlock
	off    uint32
}

// A sharedBlock is a block on its way into the store.
type sharedBlock struct {
	pending *tree.Pending
	size    uint32 // of its plaintext
	rows    []*promise
}

// A packer puts small contents into shared blocks. Use it from one goroutine.
type packer struct {
	*run
	bufs   buffers
	batch  batch
	placed chan struct{}          // of the batch
	recent map[tree.Hash]*promise // contents in the batch, or in blocks whose refs are not known yet
	sent   []*sharedBlock         // still in recent
}

// place returns where the content of j is: at once if it is stored already, else as a promise.
func (p *packer) place(j *job) (vac.Slice, *promise) {
	size := uint32(len(j.small))
	if pr, ok := p.recent[j.hash]; ok && pr.size == size {
		return vac.Slice{}, pr
	}
	if at, ok := p.known.slice(p.ctx, j.hash, int(size)); ok {
		return vac.Slice{Block: at.ref, Offset: at.off, Hash: vac.Digest(j.hash[:16])}, nil
	}
	b := &p.batch
	if len(b.rows) == 0 {
		p.placed = make(chan struct{})
	}
	pr := &promise{hash: j.hash, size: size, ending: ending(j.dir.Name), from: len(b.buf), placed: p.placed}
	b.buf = append(b.buf, j.small...)
	b.rows = append(b.rows, pr)
	p.recent[j.hash] = pr
	if len(b.buf) >= batchSize {
		p.flush()
	}
	return vac.Slice{}, pr
}

// ending returns what a name says about the sort of its file's content. A long ending says more about the one file.
func ending(name string) string {
	if ext := filepath.Ext(name); len(ext) <= 8 {
		return ext
	}
	return ""
}

// flush sends what the batch has on its way, in blocks of about the same length.
func (p *packer) flush() {
	b := &p.batch
	if len(b.rows) == 0 {
		return
	}
	slices.SortStableFunc(b.rows, func(x, y *promise) int { return strings.Compare(x.ending, y.ending) })
	count := max(1, (len(b.buf)+blockSize-1)/blockSize)
	enough := (len(b.buf) + count - 1) / count
	for rows := b.rows; len(rows) > 0; {
		block := &sharedBlock{}
		plain := p.sink.Buffer(enough + smallFile)
		for len(rows) > 0 && len(plain) < enough {
			pr := rows[0]
			rows = rows[1:]
			pr.block, pr.off = block, uint32(len(plain))
			plain = append(plain, b.buf[pr.from:pr.from+int(pr.size)]...)
			block.rows = append(block.rows, pr)
		}
		block.size = uint32(len(plain))
		block.pending = p.sink.Go(p.ctx, plain, false)
		p.sent = append(p.sent, block)
	}
	close(p.placed)
	b.buf, b.rows = b.buf[:0], nil
	for len(p.sent) > unsettled {
		p.settle(p.sent[0])
		p.sent = p.sent[1:]
	}
}

// settle moves the contents of a block whose ref is known from recent to the known ones.
func (p *packer) settle(b *sharedBlock) {
	ref, err := b.pending.Wait()
	for _, pr := range b.rows {
		delete(p.recent, pr.hash)
		if err == nil {
			p.known.add(pr.hash, place{ref: ref, off: pr.off, size: pr.size, block: b.size})
		}
	}
}

// wait returns the slice of a promise. It asks, once at most, when the batch is still open and nothing else
// can go on.
func (pr *promise) wait(ctx context.Context, ask chan<- struct{}) (vac.Slice, uint32, error) {
	select {
	case <-pr.placed:
	default:
		select {
		case <-pr.placed:
		case ask <- struct{}{}:
			<-pr.placed
		case <-ctx.Done():
			return vac.Slice{}, 0, ctx.Err()
		}
	}
	ref, err := pr.block.pending.Wait()
	return vac.Slice{Block: ref, Offset: pr.off, Hash: vac.Digest(pr.hash[:16])}, pr.block.size, err
}

// A packed item has its content in place, or promised.
type packed struct {
	item
	later *promise
}

// pack takes items in the order of the walk and passes them on with their contents placed. When the queue in front of
// it is full and its reader asks, because it waits for the open batch, that batch is closed.
func (p *packer) pack(in <-chan item, out chan<- packed, ask <-chan struct{}) error {
	for it := range in {
		pk := packed{item: it}
		if j := it.job; j != nil {
			select {
			case <-j.done:
			case <-p.ctx.Done():
				return p.ctx.Err()
			}
			if err := p.content(&pk); err != nil {
				return err
			}
		}
		select {
		case out <- pk:
			continue
		default:
		}
		select {
		case out <- pk:
		case <-ask:
			p.flush()
			out <- pk
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
	p.flush()
	for _, b := range p.sent {
		p.settle(b)
	}
	return p.ctx.Err()
}

// content places the content that a job has read.
func (p *packer) content(pk *packed) error {
	j := pk.job
	var f fatal
	if errors.As(j.err, &f) {
		return f.error
	}
	if j.err != nil {
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		pk.step, pk.err = fail, j.err
		return nil
	}
	if len(j.small) > 0 {
		var s vac.Slice
		if s, pk.later = p.place(j); pk.later == nil {
			j.dir.Content = vac.Content{Kind: vac.Sliced, Slice: s}
		}
	}
	p.bufs.put(j.small)
	j.small = nil
	return nil
}

// sparse reports whether a snapshot uses less than half of a shared block.
func sparse(s vac.Shares, score venti.Score) bool {
	share, ok := s[score]
	return ok && 2*share.Used < share.Size
}
