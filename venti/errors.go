package venti

import "errors"

var (
	// ErrNotFound says that a block is known to be absent.
	ErrNotFound = errors.New("block not found")

	// ErrUnavailable says that a block could not be had now; it may exist, and a later try may work.
	ErrUnavailable = errors.New("unavailable now")

	// ErrCorrupt says that bytes are there and are not what they should be.
	ErrCorrupt = errors.New("block corrupt")

	// ErrTooLarge says that a block is over MaxBlock.
	ErrTooLarge = errors.New("block too large")
)

// A BlockError says which operation failed on which block. Err wraps one of the sentinels of this package or an error
// of the operating system.
type BlockError struct {
	Op    string // "get", "put", "open", …
	Score Score
	Err   error
}

// Error implements error.
func (e *BlockError) Error() string {
	return e.Op + " block " + e.Score.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *BlockError) Unwrap() error { return e.Err }
