package peer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/protocol"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

// Protocol is the libp2p protocol of the streams that fragments travel on.
const Protocol protocol.ID = "/vdh/fragment/1"

const (
	version    = 1  // the first byte of every message
	headerSize = 10 // version:1 kind:1 id:4 length:4
)

// A kind says what a message is. An answer has the kind of its request with the top bit set, or is a refusal.
type kind byte

const (
	kPut    kind = 1
	kGet    kind = 2
	kHave   kind = 3
	kClaim  kind = 4
	kDivert kind = 5
	kGrant  kind = 6
	kPing   kind = 7

	kReconcile kind = 8 // these two only between members
	kCopy      kind = 9
	kStatement kind = 10
	kChallenge kind = 11

	kHeads     kind = 12
	kFindHeads kind = 13
	kRoots     kind = 14

	answer   kind = 0x80
	rRefusal kind = 0x80 // in answer to any request
	nClosing kind = 0xff // from the server, with id 0: send no more requests
)

// Bounds of what is in a message.
const (
	MaxHave  = 1024 // scores in a have, and claims in a claim
	MaxHeld  = 16   // fragments of one block in the answer to a have
	MaxAvoid = 4    // codings that a get does not want
	MaxGrant = 4096 // bytes of a grant

	MaxReconcile = 64 << 10       // bytes of a message of a reconciliation, and of its answer
	MaxClaims    = 16             // of a copy
	MaxStatement = 1<<20 + 64<<10 // bytes of an owner's statement
	MaxReply     = 4096           // bytes of the answer to a statement
	MaxChallenge = 256            // challenges in one message

	MaxHeads      = head.MaxHeads         // heads in one message
	MaxFindOwners = 64                    // owners in a findheads
	MaxRoots      = 1024                  // scores in the answer to a roots
	maxNewer      = MaxHeads * maxHeadsOf // heads in the answer to a heads
	maxHeadsOf    = head.MaxConflict      // heads of one owner

	maxID   = 64 // bytes of a member's id
	maxText = 256

	claimSize   = 32 + 16                                     // owner, mark
	longestPut  = 1 + MaxClaims*claimSize + dhash.MaxFragment // it is a copy
	askSize     = venti.ScoreSize + 32 + 8
	itemSize    = venti.ScoreSize + 32 + 1 + 16
	heldSize    = 32 + 3 + 4 + 16
	receiptSize = 8 + 32
	minFragment = 1 + venti.ScoreSize + 1 + 3
)

// errMalformed is in every error about a peer that breaks the rules of the protocol.
var errMalformed = errors.New("malformed message")

func (k kind) String() string {
	names := [...]string{"refusal", "put", "get", "have", "claim", "divert", "grant", "ping", "reconcile", "copy",
		"statement", "challenge", "heads", "findheads", "roots"}
	switch {
	case k == nClosing:
		return "closing"
	case int(k&^answer) >= len(names):
		return fmt.Sprintf("kind %#02x", byte(k))
	case k > answer:
		return names[k&^answer] + " answer"
	}
	return names[k&^answer]
}

// large reports whether requests of the kind take their bytes from the budget of puts.
func (k kind) large() bool { return k == kPut || k == kCopy || k == kStatement }

// inner reports whether only members may send requests of the kind, and no clients.
func (k kind) inner() bool { return k == kReconcile || k == kCopy }

// body returns the bounds of the length of a message's body in bytes.
func (k kind) body() (low, high int, known bool) {
	switch k {
	case kPut:
		return claimSize + minFragment, claimSize + dhash.MaxFragment, true
	case kPut | answer, kCopy | answer:
		return receiptSize, receiptSize, true
	case kGet:
		return venti.ScoreSize + 32, venti.ScoreSize + 32 + MaxAvoid*32, true
	case kGet | answer:
		return minFragment, dhash.MaxFragment, true
	case kHave:
		return 32 + venti.ScoreSize, 32 + MaxHave*venti.ScoreSize, true
	case kHave | answer:
		return 1, MaxHave * (1 + MaxHeld*heldSize), true
	case kClaim:
		return 32 + itemSize, 32 + MaxHave*itemSize, true
	case kClaim | answer:
		return 1, MaxHave, true
	case kDivert:
		return venti.ScoreSize + 32 + 1 + 1, venti.ScoreSize + 32 + 1 + maxID, true
	case kGrant:
		return 1, MaxGrant, true
	case kGrant | answer:
		return 32, 32, true
	case kReconcile:
		return 1, MaxReconcile, true
	case kReconcile | answer:
		return 0, MaxReconcile, true
	case kCopy:
		return 1 + claimSize + minFragment, longestPut, true
	case kStatement:
		return 1, MaxStatement, true
	case kStatement | answer:
		return 1, MaxReply, true
	case kChallenge:
		return askSize, MaxChallenge * askSize, true
	case kChallenge | answer:
		return 2, MaxChallenge * (2 + dhash.MaxLeaf), true
	case kHeads:
		return venti.HeadSize, MaxHeads * venti.HeadSize, true
	case kHeads | answer:
		return 1, MaxHeads + maxNewer*venti.HeadSize, true
	case kFindHeads:
		return 32, MaxFindOwners * 32, true
	case kFindHeads | answer:
		return 1, MaxFindOwners * (1 + maxHeadsOf*venti.HeadSize), true
	case kRoots:
		return 64, 64, true
	case kRoots | answer:
		return 32, 32 + MaxRoots*venti.ScoreSize, true
	case kPing, kPing | answer, kDivert | answer, nClosing:
		return 0, 0, true
	case rRefusal:
		return 2, 2 + maxID + maxText, true
	}
	return 0, 0, false
}

// A header is what stands in front of the body of a message.
type header struct {
	kind kind
	id   uint32
	size int // of the body, in bytes
}

// parseHeader reads a header and checks the size of the body against what the kind allows.
func parseHeader(b []byte) (header, error) {
	if b[0] != version {
		return header{}, fmt.Errorf("%w: version %d is not known to this program", errMalformed, b[0])
	}
	h := header{kind: kind(b[1]), id: binary.BigEndian.Uint32(b[2:])}
	size := binary.BigEndian.Uint32(b[6:])
	low, high, known := h.kind.body()
	switch {
	case !known:
		return header{}, fmt.Errorf("%w: %v is not known", errMalformed, h.kind)
	case size < uint32(low) || size > uint32(high):
		return header{}, fmt.Errorf("%w: %v of %d bytes, want %d…%d", errMalformed, h.kind, size, low, high)
	case (h.kind == nClosing) != (h.id == 0):
		return header{}, fmt.Errorf("%w: %v with id %d", errMalformed, h.kind, h.id)
	}
	h.size = int(size)
	return h, nil
}

// appendHeader appends the header of a message whose body will have size bytes.
func appendHeader(b []byte, k kind, id uint32, size int) []byte {
	b = append(b, version, byte(k))
	b = binary.BigEndian.AppendUint32(b, id)
	return binary.BigEndian.AppendUint32(b, uint32(size))
}
