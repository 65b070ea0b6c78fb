package wire

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"ventidhash/venti"
)

// ErrLost says that the connection to the server is gone, or was closed. What was asked may or may not have been done.
// An error that wraps ErrLost wraps venti.ErrUnavailable too, and the cause.
var ErrLost = errors.New("connection to the store lost")

type lostError struct{ cause error }

func (e *lostError) Error() string   { return ErrLost.Error() + ": " + e.cause.Error() }
func (e *lostError) Unwrap() []error { return []error{ErrLost, venti.ErrUnavailable, e.cause} }

// A fault is the kind of failure that an rError tells.
type fault byte

const (
	faultNotFound    fault = 1
	faultUnavailable fault = 2
	faultCorrupt     fault = 3
	faultTooLarge    fault = 4
	faultNoSpace     fault = 5
	faultOther       fault = 6
	maxFault               = faultOther
)

// cause returns the error that a fault stands for, or nil if the text says all that is known.
func (f fault) cause() error {
	switch f {
	case faultNotFound:
		return venti.ErrNotFound
	case faultUnavailable:
		return venti.ErrUnavailable
	case faultCorrupt:
		return venti.ErrCorrupt
	case faultTooLarge:
		return venti.ErrTooLarge
	case faultNoSpace:
		return syscall.ENOSPC
	}
	return nil
}

// errorMessage returns the answer that tells err to a client. A *venti.BlockError at the outside is left out, because
// the client knows which block it asked for. An operation that the server itself gave up is one that may work later.
func errorMessage(err error) message {
	m := message{kind: rError, fault: faultOther}
	switch {
	case errors.Is(err, venti.ErrCorrupt):
		m.fault = faultCorrupt
	case errors.Is(err, venti.ErrTooLarge):
		m.fault = faultTooLarge
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		m.fault = faultNoSpace
	case errors.Is(err, venti.ErrUnavailable), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		m.fault = faultUnavailable
	case errors.Is(err, venti.ErrNotFound): // last: absence is claimed only when nothing else went wrong
		m.fault = faultNotFound
	}
	if be, ok := err.(*venti.BlockError); ok && be.Err != nil {
		err = be.Err
	}
	m.text = err.Error()
	return m
}

// err returns the error that an rError tells.
func (m *message) err() error {
	cause := m.fault.cause()
	switch {
	case cause == nil:
		return fmt.Errorf("the server says: %q", m.text)
	case m.text == "" || m.text == cause.Error():
		return cause
	}
	return &toldError{text: m.text, cause: cause}
}

// A toldError is an error at the server, in the server's words.
type toldError struct {
	text  string
	cause error
}

func (e *toldError) Error() string { return e.text }
func (e *toldError) Unwrap() error { return e.cause }
