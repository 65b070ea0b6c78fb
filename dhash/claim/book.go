package claim

import (
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A Book is what a lender knows of one owner beside the claims themselves. Times are by the lender's clock. Decide, Settled
// and Watch return changed copies; a Book is a value, and what its slices hold is not changed.
type Book struct {
	Owner dhash.Owner

	// Since is when the term that runs began: with the last heartbeat; or when the book was opened, because the owner was
	// not known or its book was lost; or when the lender came back after having been away for too long.
	// Of an owner that has handed over it is when that was heard.
	Since time.Time

	// Heir is to whom the owner has handed over; zero if it has not. That is final: all that is left of the book then is
	// who the owner and the heir are, and when that was heard.
	Heir dhash.Owner

	Heartbeat time.Time // when the last one came; zero if none did since the book was opened
	Number    uint64    // the highest that was taken; 0 if none was since the book was opened
	Lapsed    time.Time // since when the lender has known that the owner has lapsed; zero if it has not

	// Begun is the hash of a statement that is being carried out, or was when the lender was interrupted: sent again, it is
	// carried on.
	Begun dhash.Hash

	Pending []Pending // by number
	Settled []Settled // statements that were carried out, the last ones, the oldest first
	Tally   []Tally   // what was given up lately without a confirmation, by hour
}

// A Settled is a statement that was carried out, and what it released.
type Settled struct {
	Hash      dhash.Hash
	Fragments int64
	Bytes     int64
}

// A Tally says how many claims were given up within an hour.
type Tally struct {
	Hour   int64 // since 1970
	Claims int64
}

// maxSettled is how many statements that were carried out are remembered, for those who ask again.
const maxSettled = 16

// MaxBook is the length in bytes of the longest encoded book.
const MaxBook = 1 + 32 + 3*6 + 9 + 32 + 1 + MaxPending*maxPending + 1 + maxSettled*(32+18) + 1 + maxTallies*(6+9) + 32

// NewBook opens the book on an owner who has claims here and of whom nothing else is known.
func NewBook(o dhash.Owner, now time.Time) Book { return Book{Owner: o, Since: now} }

// versionHeir is the version of the book on an owner that has handed over.
const versionHeir = 2

// Encode returns the encoding of b.
func (b *Book) Encode() []byte {
	if b.Heir != (dhash.Owner{}) {
		out := append([]byte{versionHeir}, b.Owner[:]...)
		out = venti.AppendSeconds(append(out, b.Heir[:]...), b.Since)
		return seal(out)
	}
	out := append([]byte{version}, b.Owner[:]...)
	out = venti.AppendSeconds(out, b.Since)
	out = venti.AppendSeconds(out, b.Heartbeat)
	out = venti.AppendUint(out, b.Number)
	out = venti.AppendSeconds(out, b.Lapsed)
	out = append(out, b.Begun[:]...)
	out = appendPending(out, b.Pending)
	out = append(out, byte(len(b.Settled)))
	for i := range b.Settled {
		out = append(out, b.Settled[i].Hash[:]...)
		out = venti.AppendUint(out, uint64(b.Settled[i].Fragments))
		out = venti.AppendUint(out, uint64(b.Settled[i].Bytes))
	}
	out = append(out, byte(len(b.Tally)))
	for _, t := range b.Tally {
		out = venti.AppendUint(out, uint64(t.Hour))
		out = venti.AppendUint(out, uint64(t.Claims))
	}
	return seal(out)
}

// ParseBook reads what Encode wrote and nothing else. Errors wrap ErrDamaged.
func ParseBook(in []byte) (Book, error) {
	d, err := unseal(in)
	if err != nil {
		return Book{}, err
	}
	if len(in) > 0 && in[0] == versionHeir {
		return parseHandedOver(d)
	}
	decodeVersion(d)
	b := Book{Owner: dhash.Owner(d.Fixed(32)), Since: d.Seconds(), Heartbeat: d.Seconds(), Number: d.Uint(maxNumber),
		Lapsed: d.Seconds(), Begun: dhash.Hash(d.Fixed(32)), Pending: decodePending(d)}
	n := int(d.Byte())
	if n > maxSettled {
		d.Fail(fmt.Errorf("%d statements were carried out, more than %d", n, maxSettled))
	}
	for i := 0; i < n && d.Err() == nil; i++ {
		b.Settled = append(b.Settled, Settled{dhash.Hash(d.Fixed(32)), int64(d.Uint(maxCount)), int64(d.Uint(maxCount))})
	}
	if n = int(d.Byte()); n > maxTallies {
		d.Fail(fmt.Errorf("%d hours, more than %d", n, maxTallies))
	}
	for i := 0; i < n && d.Err() == nil; i++ {
		t := Tally{int64(d.Uint(venti.MaxSeconds)), int64(d.Uint(maxCount))}
		if i > 0 && b.Tally[i-1].Hour >= t.Hour {
			d.Fail(errors.New("hours are not in order"))
		}
		b.Tally = append(b.Tally, t)
	}
	if d.Err() == nil && b.Since.IsZero() {
		d.Fail(errors.New("no term"))
	}
	if err := d.Finish(); err != nil {
		return Book{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

// parseHandedOver reads the book on an owner that has handed over.
func parseHandedOver(d *venti.Decoder) (Book, error) {
	d.Byte() // the version
	b := Book{Owner: dhash.Owner(d.Fixed(32)), Heir: dhash.Owner(d.Fixed(32)), Since: d.Seconds()}
	if d.Err() == nil && (b.Since.IsZero() || b.Heir == b.Owner || b.Heir == dhash.Owner{}) {
		d.Fail(errors.New("no heir, or no time"))
	}
	if err := d.Finish(); err != nil {
		return Book{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

// pending returns the statement of that hash if it waits, or nil.
func (b *Book) pending(h dhash.Hash) *Pending {
	for i := range b.Pending {
		if b.Pending[i].Hash == h {
			return &b.Pending[i]
		}
	}
	return nil
}

// settled returns what a statement released if it was carried out, or nil.
func (b *Book) settled(h dhash.Hash) *Settled {
	for i := range b.Settled {
		if b.Settled[i].Hash == h {
			return &b.Settled[i]
		}
	}
	return nil
}

// tallied returns how many claims were given up lately without a confirmation.
func (b *Book) tallied() (n int64) {
	for _, t := range b.Tally {
		n += t.Claims
	}
	return n
}

// hour returns the number of an hour since 1970.
func hour(t time.Time) int64 { return max(0, t.Unix()) / 3600 }

// Kept returns until when the owner's claims are kept without another heartbeat.
func (b *Book) Kept(l Limits) time.Time { return b.Since.Add(l.term()) }

// Idle reports whether the book on an owner who has no claims any more can be forgotten.
func (b *Book) Idle(now time.Time) bool { return now.Sub(b.Since) > maxAge }
