package catalog

import (
	"encoding/hex"
	"time"

	"ventidhash/venti"
)

// SignHead returns the head with these fields, signed by o.
func (o *Owner) SignHead(sequence uint64, score venti.Score, now time.Time) venti.Head {
	return venti.SignHead(o.sign, sequence, score, now)
}

// ofOwner returns an error if h is not the owner's.
func ofOwner(h venti.Head, o *Owner) error {
	if h.Owner != [32]byte(o.PublicKey()) {
		return corruptf("%w: owner %s, not %s", ErrOtherOwner, hex.EncodeToString(h.Owner[:]), hex.EncodeToString(o.PublicKey()))
	}
	return nil
}
