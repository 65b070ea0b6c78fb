package peer

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ErrNotGranted says that a holder has not been shown an owner's grant on this connection, or does not accept it.
var ErrNotGranted = errors.New("no valid grant of the owner was shown")

// A Refusal is the answer of a member that does not do what it is asked. Err is one of the errors of package dhash that
// say why, or ErrNotGranted, venti.ErrCorrupt (its own copy is damaged) or venti.ErrUnavailable (anything else). Text is
// the member's own words: at most 256 bytes, and not to be trusted.
type Refusal struct {
	Err      error
	Text     string
	Diverted dhash.ID // with ErrNoFragment and ErrFull: who may have the fragment, or may take it; often empty
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Text == "" {
		return "refused: " + r.Err.Error()
	}
	return "refused: " + r.Err.Error() + ": " + r.Text
}

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.Err }

// A reason is the number of a refusal on the wire.
type reason byte

const (
	reasonNoFragment reason = 1
	reasonFull       reason = 2
	reasonQuota      reason = 3
	reasonNotMine    reason = 4
	reasonBusy       reason = 5
	reasonFragment   reason = 6
	reasonNotGranted reason = 7
	reasonCorrupt    reason = 8
	reasonOther      reason = 9
	reasonHandedOver reason = 10
)

// err returns the error that a reason stands for, or nil if there is no such reason.
func (r reason) err() error {
	switch r {
	case reasonNoFragment:
		return dhash.ErrNoFragment
	case reasonFull:
		return dhash.ErrFull
	case reasonQuota:
		return dhash.ErrQuota
	case reasonNotMine:
		return dhash.ErrNotMine
	case reasonBusy:
		return dhash.ErrBusy
	case reasonFragment:
		return dhash.ErrFragment
	case reasonNotGranted:
		return ErrNotGranted
	case reasonCorrupt:
		return venti.ErrCorrupt
	case reasonOther:
		return venti.ErrUnavailable
	case reasonHandedOver:
		return dhash.ErrHandedOver
	}
	return nil
}

// reasonOf returns the number that tells err best. That something is not here is said only when nothing else is wrong.
func reasonOf(err error) reason {
	switch {
	case errors.Is(err, venti.ErrCorrupt):
		return reasonCorrupt
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, dhash.ErrBusy):
		return reasonBusy
	}
	for _, r := range []reason{reasonFragment, reasonFull, reasonQuota, reasonNotMine, reasonHandedOver, reasonNotGranted,
		reasonOther, reasonNoFragment} {
		if errors.Is(err, r.err()) {
			return r
		}
	}
	return reasonOther
}

// appendRefusal appends the body of the refusal that tells err.
func appendRefusal(b []byte, err error) []byte {
	why := reasonOf(err)
	text, to := err.Error(), dhash.ID("")
	var told *Refusal
	if errors.As(err, &told) {
		if text = told.Text; why.diverts() && len(told.Diverted) <= maxID {
			to = told.Diverted
		}
	}
	b = append(b, byte(why), byte(len(to)))
	b = append(b, to...)
	return append(b, clean(text)...)
}

// diverts reports whether a refusal may name another member.
func (r reason) diverts() bool { return r == reasonNoFragment || r == reasonFull }

func parseRefusal(b []byte) (*Refusal, error) {
	d := venti.NewDecoder(b)
	why := reason(d.Byte())
	r := &Refusal{Err: why.err()}
	if r.Err == nil {
		d.Fail(errField)
	}
	if n := int(d.Byte()); n > 0 {
		r.Diverted = parseID(d, n)
		if !why.diverts() {
			d.Fail(errField)
		}
	}
	if d.Len() > maxText {
		d.Fail(errField)
	}
	if d.Err() == nil {
		r.Text = string(b[len(b)-d.Len():])
		d.Fixed(d.Len())
	}
	if !utf8.ValidString(r.Text) || strings.ContainsFunc(r.Text, unicode.IsControl) {
		d.Fail(errField)
	}
	return r, finish(rRefusal, d)
}

// clean returns s, cut and mended to what a text may be.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
