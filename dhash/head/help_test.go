package head_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// start is when the tests play.
var start = time.Unix(1_790_000_000, 0)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func owner(n byte) (o dhash.Owner) {
	copy(o[:], key(n).Public().(ed25519.PublicKey))
	return o
}

// sign returns a head of owner n for catalog c.
func sign(n byte, sequence uint64, c byte) venti.Head { return signAt(n, sequence, c, start) }

func signAt(n byte, sequence uint64, c byte, at time.Time) venti.Head {
	return venti.SignHead(key(n), sequence, venti.Score(bytes.Repeat([]byte{c}, venti.ScoreSize)), at)
}

func dice(seed uint64) *rand.Rand {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], seed)
	return rand.New(rand.NewChaCha8(b))
}
