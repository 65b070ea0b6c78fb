package archive

import (
	"context"
	"errors"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// An openBlock is a shared block that is being filled, sealed or stored.
type openBlock struct {
	buf     []byte
	rows    []blockRow
	sent    chan struct{} // closed when pending is set
	pending *tree.Pending
}

// A blockRow is one content in an open block.
type blockRow struct {
	hash tree.Hash
	off  uint32
	size uint32
}

// A promise is a slice of an open block.
type promise struct {
	block *openBlock
	row   blockRow
}

// A packer puts small contents into shared blocks. Use it from one goroutine.
type packer struct {
	*run
	bufs   buffers
	block  *openBlock
	recent map[tree.Hash]promise // contents in blocks whose refs are not known yet
	closed []*openBlock          // sent, and still in recent
}

// place returns where the content of j is: at once if it is stored already, else as a promise.
func (p *packer) place(j *job) (slice vac.Slice, later *promise) {
	size := uint32(len(j.small))
	if pr, ok := p.recent[j.hash]; ok && pr.row.size == size {
		return vac.Slice{}, &pr
	}
	if at, ok := p.known.slice(p.ctx, j.hash, int(size)); ok {
		return vac.Slice{Block: at.ref, Offset: at.off, Hash: vac.Digest(j.hash[:16])}, nil
	}
	if p.block == nil {
		p.block = &openBlock{buf: p.sink.Buffer(sharedBlock + smallFile), sent: make(chan struct{})}
	}
	pr := promise{p.block, blockRow{hash: j.hash, off: uint32(len(p.block.buf)), size: size}}
	p.block.buf = append(p.block.buf, j.small...)
	p.block.rows = append(p.block.rows, pr.row)
	p.recent[j.hash] = pr
	if len(p.block.buf) >= sharedBlock {
		p.flush()
	}
	return vac.Slice{}, &pr
}

// flush sends the open block on its way.
func (p *packer) flush() {
	b := p.block
	if b == nil {
		return
	}
	p.block = nil
	b.pending = p.sink.Go(p.ctx, b.buf, false)
	b.buf = nil
	close(b.sent)
	p.closed = append(p.closed, b)
	if len(p.closed) > unsettled {
		p.settle(p.closed[0])
		p.closed = p.closed[1:]
	}
}

// end returns the length of the block's plaintext, once it was sent.
func (b *openBlock) end() uint32 {
	last := b.rows[len(b.rows)-1]
	return last.off + last.size
}

// settle moves the contents of a block whose ref is known from recent to the known ones.
func (p *packer) settle(b *openBlock) {
	ref, err := b.pending.Wait()
	for _, row := range b.rows {
		delete(p.recent, row.hash)
		if err == nil {
			p.known.add(row.hash, place{ref: ref, off: row.off, size: row.size, block: b.end()})
		}
	}
}

// wait returns the slice of a promise. asked is called, once at most, when the block is still open and nothing else
// can go on.
func (pr *promise) wait(ctx context.Context, ask chan<- struct{}) (vac.Slice, uint32, error) {
	select {
	case <-pr.block.sent:
	default:
		select {
		case <-pr.block.sent:
		case ask <- struct{}{}:
			<-pr.block.sent
		case <-ctx.Done():
			return vac.Slice{}, 0, ctx.Err()
		}
	}
	ref, err := pr.block.pending.Wait()
	return vac.Slice{Block: ref, Offset: pr.row.off, Hash: vac.Digest(pr.row.hash[:16])}, pr.block.end(), err
}

// A packed item has its content in place, or promised.
type packed struct {
	item
	later *promise
}

// pack takes items in the order of the walk and passes them on with their contents placed. When the queue in front of
// it is full and its reader asks, because it waits for a block that is still open, that block is closed.
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
	for _, b := range p.closed {
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
