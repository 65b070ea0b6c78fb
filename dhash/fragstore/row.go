package fragstore

import (
	"errors"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

const (
	flagBad    = 1 // what stands there is not the fragment
	flagClaims = 2 // no row yet, but the claims that a record says; see mergeRows
)

var errRow = errors.New("row of a fragment")

// row is what the index knows about a fragment.
type row struct {
	name   Name
	loc    arena.Loc
	bad    bool
	code   dhash.Code
	length int // of the block
	claims claims
	at     place // of the newest claims record; zero if the fragment's own record has the claims
}

// place is where a record begins. Later records have later places.
type place struct {
	segment uint32
	offset  uint32
}

func placeOf(l arena.Loc) place { return place{l.Segment, l.Offset} }

func (p place) before(q place) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

// size returns the length of the encoded fragment.
func (r *row) size() int64 { return fragmentSize(r.code, r.name.Index, r.length) }

func fragmentSize(c dhash.Code, index, length int) int64 {
	var h dhash.Hash
	head := 1 + venti.ScoreSize + uintLen(uint64(length)) + 3 + dhash.ProofLen(index, c.Total)*len(h)
	return int64(head + c.PayloadSize(length))
}

// indexRow returns r as the index keeps it.
func (r *row) indexRow() index.Row {
	b := make([]byte, 0, 128)
	b = append(b, r.name.Score[:]...)
	b = append(b, r.name.Coding[codingLen:]...)
	b = append(b, byte(r.code.Need), byte(r.code.Total))
	b = venti.AppendUint(b, uint64(r.length))
	b = venti.AppendUint(b, uint64(r.at.segment))
	b = venti.AppendUint(b, uint64(r.at.offset))
	b = r.claims.append(b)
	out := index.Row{Loc: r.loc, Extra: string(b)}
	if r.bad {
		out.Flags = flagBad
	}
	return out
}

// parseRow is the inverse of indexRow, and accepts nothing else.
func parseRow(key []byte, x index.Row) (r row, err error) {
	if len(key) != rowLen || key[0] != rowFragment || x.Flags&^flagBad != 0 {
		return row{}, fmt.Errorf("%w: key %x, flags %#x", errRow, key, x.Flags)
	}
	r.loc, r.bad = x.Loc, x.Flags&flagBad != 0
	d := venti.NewDecoder([]byte(x.Extra))
	copy(r.name.Score[:], d.Fixed(venti.ScoreSize))
	copy(r.name.Coding[:], key[groupLen:groupLen+codingLen])
	copy(r.name.Coding[codingLen:], d.Fixed(codingLen))
	r.name.Index = int(key[rowLen-1])
	r.code = dhash.Code{Need: int(d.Byte()), Total: int(d.Byte())}
	r.length = int(d.Uint(venti.MaxBlock))
	r.at.segment = uint32(d.Uint(1<<32 - 1))
	r.at.offset = uint32(d.Uint(1<<32 - 1))
	r.claims = decodeClaims(d)
	if err := d.Finish(); err != nil {
		return row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	if err := r.code.Validate(); err != nil || r.name.Index >= r.code.Total {
		return row{}, fmt.Errorf("%w: fragment %d of code %v", errRow, r.name.Index, r.code)
	}
	if string(r.name.rowKey(rowFragment)) != string(key) {
		return row{}, fmt.Errorf("%w: it has another block's key", errRow)
	}
	return r, nil
}

// recordRow returns what a record says for the index. What a fragment's record says of itself is verified.
func recordRow(loc arena.Loc, rec arena.Record) (index.Row, error) {
	n, err := parseRecordKey(rec.Key)
	if err != nil {
		return index.Row{}, err
	}
	switch rec.Kind {
	case kindFragment:
		r, _, err := parseFragmentRecord(n, loc, rec)
		if err != nil {
			return index.Row{}, err
		}
		return r.indexRow(), nil
	case kindClaims:
		c, err := parseClaimsData(rec.Data)
		return index.Row{Loc: loc, Flags: flagClaims, Extra: string(c.append(nil))}, err
	case kindDiversion:
		v, err := parseDiversionData(rec.Data)
		if err != nil {
			return index.Row{}, err
		}
		if string(v.coding[:codingLen]) != string(n.Coding[:codingLen]) {
			return index.Row{}, fmt.Errorf("%w: it is not about %v", errRecord, n)
		}
		n.Coding = v.coding
		return diversionRow(n, v.to, loc), nil
	}
	return index.Row{}, fmt.Errorf("%w: kind %d is not known to this program", errRecord, rec.Kind)
}

// parseFragmentRecord verifies that a record holds the fragment that its key says, and returns the row that it makes
// and the encoded fragment, which aliases rec.
func parseFragmentRecord(n Name, loc arena.Loc, rec arena.Record) (row, []byte, error) {
	c, f, encoded, err := parseFragmentData(rec.Data)
	if err != nil {
		return row{}, nil, err
	}
	coding := f.Coding()
	if f.Score != n.Score || f.Index != n.Index || string(coding[:codingLen]) != string(n.Coding[:codingLen]) {
		return row{}, nil, fmt.Errorf("%w: it does not hold %v", errRecord, n)
	}
	n.Coding = coding
	return row{name: n, loc: loc, code: f.Code, length: f.Length, claims: c}, encoded, nil
}

// mergeRows returns the row of a fragment after a record about it, which add says. Claims records change who claims the
// fragment, unless they are older than what the row knows; all others take the place of what there was.
func mergeRows(old index.Row, have bool, add index.Row) (index.Row, bool) {
	if add.Flags&flagClaims == 0 {
		return add, true
	}
	if !have {
		return index.Row{}, false // of a fragment that is gone
	}
	b := []byte(old.Extra)
	const fixed = venti.ScoreSize + codingLen + 2 // what stands before the length of the block
	if len(b) < fixed {
		return old, true
	}
	d := venti.NewDecoder(b[fixed:])
	length := d.Uint(venti.MaxBlock)
	was := place{uint32(d.Uint(1<<32 - 1)), uint32(d.Uint(1<<32 - 1))}
	now := placeOf(add.Loc)
	if d.Err() != nil || now.before(was) || now.before(placeOf(old.Loc)) {
		return old, true
	}
	out := venti.AppendUint(b[:fixed:fixed], length)
	out = venti.AppendUint(out, uint64(now.segment))
	out = venti.AppendUint(out, uint64(now.offset))
	return index.Row{Loc: old.Loc, Flags: old.Flags, Extra: string(append(out, add.Extra...))}, true
}

// diversionRow returns the row that says that a fragment went to another member.
func diversionRow(n Name, to dhash.ID, loc arena.Loc) index.Row {
	b := append([]byte(nil), n.Score[:]...)
	b = append(b, n.Coding[codingLen:]...)
	return index.Row{Loc: loc, Extra: string(append(b, to...))}
}

// parseDiversionRow is the inverse of diversionRow.
func parseDiversionRow(key []byte, x index.Row) (v Diversion, err error) {
	const fixed = venti.ScoreSize + codingLen
	if len(key) != rowLen || key[0] != rowDiversion || x.Flags != 0 || len(x.Extra) <= fixed || len(x.Extra) > fixed+maxID {
		return Diversion{}, fmt.Errorf("%w: diversion %x", errRow, key)
	}
	copy(v.Name.Score[:], x.Extra)
	copy(v.Name.Coding[:], key[groupLen:groupLen+codingLen])
	copy(v.Name.Coding[codingLen:], x.Extra[venti.ScoreSize:])
	v.Name.Index = int(key[rowLen-1])
	v.To = dhash.ID(x.Extra[fixed:])
	if string(v.Name.rowKey(rowDiversion)) != string(key) {
		return Diversion{}, fmt.Errorf("%w: it has another block's key", errRow)
	}
	return v, nil
}
