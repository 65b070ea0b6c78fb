package dhash

import (
	"bytes"
	"crypto/sha256"
	"math/bits"

	"github.com/mr-tron/base58"
	"github.com/multiformats/go-multihash"

	"ventidhash/venti"
)

// A Key is a position in the space in which members and blocks are near to each other or far: 256 bits, the distance
// being their XOR, read as a number.
type Key [sha256.Size]byte

// KeyOf returns the position of a block: the SHA-256 of its score as a multihash. Peers of package kad's network find
// the same members for it as for that multihash.
func KeyOf(s venti.Score) Key {
	b, err := multihash.Encode(s[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // a constant code and length
	}
	return sha256.Sum256(b)
}

// OwnerKey returns the position of an owner: the SHA-256 of its public key as a multihash that is no hash (identity). The
// members closest to it keep the owner's head (package head).
func OwnerKey(o Owner) Key {
	b, err := multihash.Encode(o[:], multihash.IDENTITY)
	if err != nil {
		panic(err) // a constant code and length
	}
	return sha256.Sum256(b)
}

// LastKey returns the last position of the keyspace, as the zero Key is the first.
func LastKey() (k Key) {
	for i := range k {
		k[i] = 0xff
	}
	return k
}

// Compare returns -1, 0 or 1: whether a is closer to k than b, equal to it, or farther away.
func (k Key) Compare(a, b Key) int {
	for i := range k {
		a[i] ^= k[i]
		b[i] ^= k[i]
	}
	return bytes.Compare(a[:], b[:])
}

// Common returns how many leading bits k and other share.
func (k Key) Common(other Key) int {
	for i := range k {
		if d := k[i] ^ other[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 8 * len(k)
}

// An ID names a member: the bytes of its libp2p peer id, which are a multihash of its public key. Conversion from and
// to libp2p's peer.ID is a plain Go conversion. An ID that came from outside is checked where it enters (package
// member).
type ID string

// Key returns the position of the member: the SHA-256 of its id, as in kad-dht.
func (id ID) Key() Key { return sha256.Sum256([]byte(id)) }

// String returns the id in base58, as libp2p prints it.
func (id ID) String() string { return base58.Encode([]byte(id)) }

// Short returns the last eight characters of the id, for people; the first are the same for all.
func (id ID) Short() string {
	s := id.String()
	return s[max(0, len(s)-8):]
}

// An Owner is the Ed25519 public key that names whoever stores blocks (snapshot/catalog makes it from 24 words). A
// fragment is held on behalf of owners.
type Owner [32]byte
