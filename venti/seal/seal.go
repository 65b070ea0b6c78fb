package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// RootByte is the first byte of a root block, which tells it from any other sealed block.
const RootByte = 2

// The layout of a sealed block is in FORMAT.md.
const (
	versionBlock = 1
	versionRoot  = RootByte

	methodRaw  = 0
	methodZstd = 1

	tagSize  = 16
	saltSize = 32

	// Overhead is what sealing adds to a plaintext that does not compress, in bytes: version, method and tag. A root
	// has saltSize more.
	Overhead = 1 + 1 + tagSize

	// MaxPlain is the longest plaintext that Seal takes.
	MaxPlain = venti.MaxBlock - Overhead - saltSize
)

// A Secret makes convergent keys: those who share it share blocks. The zero Secret is the public one.
type Secret [32]byte

// A Sealer closes and opens blocks. It may be used by many goroutines at once.
type Sealer struct {
	blocks *blake3.Hasher // keyed; cloned for each use
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

// New returns a Sealer whose block keys come from secret. For opening alone any secret will do.
func New(secret Secret) (*Sealer, error) {
	var key [32]byte
	blake3.DeriveKey("ventidhash 2026 seal v1 block keys", secret[:], key[:])
	h, err := blake3.NewKeyed(key[:])
	if err != nil {
		return nil, err
	}
	n := runtime.GOMAXPROCS(0)
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(n),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(venti.MaxBlock))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecoderMaxMemory(venti.MaxBlock),
		zstd.WithDecoderLowmem(true), zstd.IgnoreChecksum(true))
	if err != nil {
		return nil, err
	}
	return &Sealer{blocks: h, enc: enc, dec: dec}, nil
}

// Seal appends the sealed form of plain to dst and returns the extended slice and the key that opens what was
// appended, which is the block. Its score is left to the Store that takes it, so that it is hashed once. plain is not
// kept or changed and must not overlap dst; it has at most MaxPlain bytes.
func (s *Sealer) Seal(dst, plain []byte) ([]byte, venti.Key, error) {
	if len(plain) > MaxPlain {
		return dst, venti.Key{}, fmt.Errorf("seal %d bytes: %w", len(plain), venti.ErrTooLarge)
	}
	start := len(dst)
	dst = append(dst, versionBlock)
	dst = s.pack(dst, plain)
	var key venti.Key
	h := s.blocks.Clone()
	h.Write(dst[start+1:])
	h.Sum(key[:0])
	dst, err := encrypt(dst, start, 1, key)
	if err != nil {
		return dst[:start], venti.Key{}, err
	}
	return dst, key, nil
}

// Open returns the plaintext of block, appended to dst. The block must be the one that ref names; a caller that has it
// from a Store knows that. Open decrypts in place, so block is overwritten, and the result may lie in it. Anything that
// does not open under ref's key is venti.ErrCorrupt in a *venti.BlockError: wrong key, changed byte, block of something
// else. Wrong data is never returned.
func (s *Sealer) Open(dst []byte, ref venti.Ref, block []byte) ([]byte, error) {
	out, err := s.open(dst, versionBlock, 1, ref.Key, block)
	if err != nil {
		return nil, &venti.BlockError{Op: "open", Score: ref.Score, Err: err}
	}
	return out, nil
}

// pack appends method and body of plain: the shorter of raw and zstd.
func (s *Sealer) pack(dst, plain []byte) []byte {
	start := len(dst)
	dst = append(dst, methodZstd)
	dst = binary.AppendUvarint(dst, uint64(len(plain)))
	if len(plain) > 64 {
		dst = s.enc.EncodeAll(plain, dst)
	}
	if len(plain) <= 64 || len(dst)-start >= len(plain)+1 {
		dst = append(dst[:start], methodRaw)
		dst = append(dst, plain...)
	}
	return dst
}

// encrypt seals dst[start+clear:] in place; the clear bytes in front of it are authenticated too.
func encrypt(dst []byte, start, clear int, key venti.Key) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return dst, err
	}
	var nonce [12]byte
	head := dst[start : start+clear]
	return gcm.Seal(dst[:start+clear], nonce[:], dst[start+clear:], head), nil
}

func newGCM(key venti.Key) (cipher.AEAD, error) {
	c, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(c)
}

func corrupt(text string) error { return fmt.Errorf("%w: %s", venti.ErrCorrupt, text) }

var errMethod = errors.New("compression method is not known to this program")

// open checks the version, decrypts and unpacks block.
func (s *Sealer) open(dst []byte, version byte, clear int, key venti.Key, block []byte) ([]byte, error) {
	if len(block) < clear+1+tagSize {
		return nil, corrupt("too short for a sealed block")
	}
	if len(block) > venti.MaxBlock {
		return nil, venti.ErrTooLarge
	}
	if block[0] != version {
		return nil, corrupt(fmt.Sprintf("seal version %d where %d was expected", block[0], version))
	}
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	var nonce [12]byte
	inner, err := gcm.Open(block[clear:clear], nonce[:], block[clear:], block[:clear])
	if err != nil {
		return nil, corrupt("does not open: damaged, or sealed with another key")
	}
	return s.unpack(dst, inner)
}

// unpack undoes pack. inner is authentic, yet the one who sealed it may be hostile: everything is bounded.
func (s *Sealer) unpack(dst, inner []byte) ([]byte, error) {
	method, body := inner[0], inner[1:]
	switch method {
	case methodRaw:
		if len(dst) == 0 {
			return body, nil
		}
		return append(dst, body...), nil
	case methodZstd:
		d := venti.NewDecoder(body)
		size := int(d.Uint(MaxPlain))
		if d.Err() != nil || size <= 64 {
			return nil, corrupt("bad plaintext length")
		}
		start := len(dst)
		dst = slices.Grow(dst, size)
		// The decoder's bound on its output counts what stands in front of it, so nothing does.
		out, err := s.dec.DecodeAll(d.Fixed(d.Len()), dst[start:start])
		if err != nil {
			return nil, corrupt("zstd: " + err.Error())
		}
		if len(out) != size {
			return nil, corrupt("plaintext length differs from the one declared")
		}
		if start == 0 {
			return out, nil
		}
		return append(dst, out...), nil
	default:
		return nil, fmt.Errorf("%w: method %d: %w", venti.ErrCorrupt, method, errMethod)
	}
}
