package sweep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"ventidhash/venti"
)

// MaxMessage bounds the length of a message of a session in bytes, either way.
const MaxMessage = 64 << 10

// ErrMessage says that a message is none of PROTOCOL.md, or does not fit what it answers.
var ErrMessage = errors.New("bad message of a sweep")

const (
	version   = 1
	fanOut    = 16 // into how many parts a range that differs is cut
	maxList   = 32 // how many points are named rather than cut again
	headerLen = 1 + 16 + 8 + 8
	maxCount  = 1 << 48 // of points that somebody claims to have
	maxExtra  = 64      // how many points are named that were not asked about
)

// What is asked of a range. It stands in the upper half of the byte whose lower half is the length of the bound.
const (
	askSkip = iota // nothing
	askSame        // are the compared points those with this fingerprint?
	askList        // which of these points have you?
)

// What is answered.
const (
	saySame  = iota // the fingerprint is the same
	sayNone         // there is nothing there at all
	saySplit        // it is not; here are parts
	sayList         // a bit for each point, set if it is lacking, and how many more there are; which, if they are few
)

// An ask is a question about the points from lo up to, and without, hi. A zero hi is the end of the query's range.
type ask struct {
	lo, hi Point
	kind   byte
	print  fingerprint
	list   []Point
}

// A query is a message of the side that asks.
type query struct {
	salt     Salt
	from, to uint64
	asks     []ask
}

// appendBound appends a byte of a kind and the length of a bound, and the bound.
func appendBound(b []byte, kind byte, p Point) []byte {
	full := p.bytes()
	n := pointLen
	for n > 0 && full[n-1] == 0 {
		n--
	}
	return append(append(b, kind<<4|byte(n)), full[:n]...)
}

// bound reads what appendBound wrote. The zero Point is the end, and all others are more than low.
func bound(d *venti.Decoder, low Point) (kind byte, p Point) {
	b := d.Byte()
	n := int(b & 15)
	if n > pointLen {
		d.Fail(fmt.Errorf("bound of %d bytes", n))
		return 0, p
	}
	text := d.Fixed(n)
	if p = pointOf(text); n > 0 && (text[n-1] == 0 || !low.Less(p)) {
		d.Fail(errors.New("a bound that is padded, or not more than the one before"))
	}
	return b >> 4, p
}

func appendHeader(b []byte, s *Set) []byte {
	b = append(append(b, version), s.salt[:]...)
	b = binary.BigEndian.AppendUint64(b, s.from)
	return binary.BigEndian.AppendUint64(b, s.to)
}

// append appends an ask, after one that ended at last.
func (a *ask) append(b []byte, last Point) []byte {
	if a.lo != last {
		b = appendBound(b, askSkip, a.lo)
	}
	b = appendBound(b, a.kind, a.hi)
	if a.kind == askSame {
		return append(b, a.print[:]...)
	}
	return appendList(venti.AppendUint(b, uint64(len(a.list))), a.lo, a.list)
}

// appendList appends points of a range that begins at lo.
func appendList(b []byte, lo Point, list []Point) []byte {
	position := lo.Position
	for _, p := range list {
		b = venti.AppendUint(b, p.Position-position)
		b = binary.BigEndian.AppendUint32(b, p.Tag)
		position = p.Position
	}
	return b
}

// parseQuery reads a query and nothing else. Errors wrap ErrMessage.
func parseQuery(b []byte) (*query, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("%w: a query of %d bytes", ErrMessage, len(b))
	}
	d := venti.NewDecoder(b)
	if v := d.Byte(); v != version && d.Err() == nil {
		return nil, fmt.Errorf("%w: version %d is not known to this program", ErrMessage, v)
	}
	q := &query{salt: Salt(d.Fixed(16)), from: binary.BigEndian.Uint64(d.Fixed(8)), to: binary.BigEndian.Uint64(d.Fixed(8))}
	if q.from > q.to {
		d.Fail(errors.New("a range that ends before it begins"))
	}
	q.parseAsks(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: query: %w", ErrMessage, err)
	}
	return q, nil
}

func (q *query) parseAsks(d *venti.Decoder) {
	end := Point{Position: q.from}
	for skipped := false; d.Err() == nil && (d.Len() > 0 || len(q.asks) == 0 || skipped); {
		a := ask{lo: end}
		a.kind, a.hi = bound(d, end)
		if a.hi.Position > q.to {
			d.Fail(errors.New("a bound beyond the range"))
		}
		switch a.kind {
		case askSkip:
			if skipped || a.hi == (Point{}) {
				d.Fail(errors.New("a skip to nowhere"))
			}
			skipped, end = true, a.hi
			continue
		case askSame:
			a.print = fingerprint(d.Fixed(len(a.print)))
		case askList:
			n := int(d.Uint(MaxMessage))
			if n == 0 {
				d.Fail(errors.New("a list of nothing"))
			}
			a.list = parseList(d, n, a.lo, a.hi, q.to)
		default:
			d.Fail(fmt.Errorf("ask of kind %d", a.kind))
		}
		if a.hi == (Point{}) && d.Len() > 0 {
			d.Fail(errors.New("an ask after the last"))
		}
		q.asks, end, skipped = append(q.asks, a), a.hi, false
	}
}

// parseList reads n points that rise within lo … hi.
func parseList(d *venti.Decoder, n int, lo, hi Point, to uint64) []Point {
	if n > d.Len()/5 { // five bytes is the least that a point takes
		d.Fail(fmt.Errorf("a list of %d points in %d bytes", n, d.Len()))
		return nil
	}
	list := make([]Point, n)
	last := lo
	for i := range list {
		step := d.Uint(math.MaxUint64)
		p := Point{last.Position + step, binary.BigEndian.Uint32(d.Fixed(4))}
		switch {
		case d.Err() != nil:
			return nil
		case p.Position < last.Position || p.Position > to, i > 0 && !last.Less(p), p.Less(lo),
			hi != (Point{}) && !p.Less(hi):
			d.Fail(errors.New("a point out of its place"))
			return nil
		}
		list[i], last = p, p
	}
	return list
}

// A part is a piece of a range that differs: the compared points from the part before up to, and without, hi. The last
// one ends where the range does, which is written as a bound of no bytes.
type part struct {
	hi    Point
	count int
	print fingerprint
}

// A reply is the answer to one ask.
type reply struct {
	kind  byte
	parts []part  // saySplit
	lacks []bool  // sayList
	extra int     // sayList
	more  []Point // sayList: the extra points, if they are at most maxExtra
}

// append appends the reply to an ask about a range that begins at lo.
func (r *reply) append(b []byte, lo Point) []byte {
	b = append(b, r.kind)
	switch r.kind {
	case saySplit:
		b = append(b, byte(len(r.parts)))
		for i, p := range r.parts {
			if i == len(r.parts)-1 {
				p.hi = Point{}
			}
			b = appendBound(b, 0, p.hi)
			b = venti.AppendUint(b, uint64(p.count))
			b = append(b, p.print[:]...)
		}
	case sayList:
		bits := make([]byte, (len(r.lacks)+7)/8)
		for i, lacks := range r.lacks {
			if lacks {
				bits[i/8] |= 1 << (i % 8)
			}
		}
		b = appendList(venti.AppendUint(append(b, bits...), uint64(r.extra)), lo, r.more)
	}
	return b
}

// parseReply reads the answer to an ask in a query that goes up to the position to.
func parseReply(d *venti.Decoder, a *ask, to uint64) (r reply) {
	r.kind = d.Byte()
	if (r.kind == sayList) != (a.kind == askList) || r.kind > sayList {
		d.Fail(fmt.Errorf("reply of kind %d to an ask of kind %d", r.kind, a.kind))
	}
	switch {
	case d.Err() != nil:
	case r.kind == saySplit:
		n := int(d.Byte())
		if n == 0 || n > fanOut {
			d.Fail(fmt.Errorf("a split in %d parts", n))
		}
		low := a.lo
		for i := 0; i < n && d.Err() == nil; i++ {
			kind, hi := bound(d, low)
			if kind != 0 || (hi == Point{}) != (i == n-1) || a.hi != (Point{}) && !hi.Less(a.hi) || hi.Position > to {
				d.Fail(errors.New("parts that are not those of the range"))
			}
			if i == n-1 {
				hi = a.hi
			}
			r.parts = append(r.parts, part{hi, int(d.Uint(maxCount)), fingerprint(d.Fixed(16))})
			low = hi
		}
	case r.kind == sayList:
		r.lacks = make([]bool, len(a.list))
		bits := d.Fixed((len(a.list) + 7) / 8)
		for i := 0; bits != nil && i < 8*len(bits); i++ {
			set := bits[i/8]>>(i%8)&1 != 0
			if i < len(r.lacks) {
				r.lacks[i] = set
			} else if set {
				d.Fail(errors.New("a bit for no point"))
			}
		}
		if r.extra = int(d.Uint(maxCount)); r.extra <= maxExtra {
			r.more = parseList(d, r.extra, a.lo, a.hi, to)
		}
	}
	return r
}
