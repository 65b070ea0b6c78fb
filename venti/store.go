package venti

import "context"

// MaxBlock is the largest block that a Store accepts, in bytes.
const MaxBlock = 4 << 20

// A Store keeps blocks. All methods may be called from many goroutines at once. There is no Delete and no List: how
// long a block lives is the business of whoever keeps the blocks.
//
// Three failures are kept apart, each wrapped in a *BlockError where a block is concerned: ErrNotFound (it is known
// that the block is not here), ErrUnavailable (the store cannot say or cannot deliver now; later may work) and
// ErrCorrupt (bytes are there and are not those that the score names).
type Store interface {
	// Get returns the block named by score, verified against it. The caller owns the slice.
	Get(ctx context.Context, score Score) ([]byte, error)

	// Put stores block and returns its score. It does not keep or change the slice. A block that is already there is
	// cheap and no error; where the copy that is there is known to be damaged, Put replaces it. An empty block is
	// valid; one over MaxBlock is refused.
	Put(ctx context.Context, block []byte) (Score, error)

	// Has reports, in the order of scores, which of the blocks the store holds. It looks the blocks up; it does not
	// read them. A block reported true stays readable for as long as the writer that asked holds its session.
	Has(ctx context.Context, scores []Score) ([]bool, error)

	// Sync returns nil once every block whose Put returned before Sync was called is durable.
	Sync(ctx context.Context) error
}

// A VitalStore is a Store that can keep some blocks with more care than others: those whose loss would cost more than
// themselves, because others can be found through them alone.
type VitalStore interface {
	Store

	// PutVital is Put for a pointer block or a root. A block that was stored by Put before is not stored again.
	PutVital(ctx context.Context, block []byte) (Score, error)
}

// PutVital puts a pointer block or a root into st: with PutVital where st is a VitalStore, else with Put.
func PutVital(ctx context.Context, st Store, block []byte) (Score, error) {
	if v, ok := st.(VitalStore); ok {
		return v.PutVital(ctx, block)
	}
	return st.Put(ctx, block)
}
