package seal

import (
	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// A RootKey is its owner's key for root blocks: with it and a bare score the owner opens any root that was sealed
// under it.
type RootKey [32]byte

// SealRoot seals plain, at most MaxPlain bytes, as a root block under k. The Ref's key opens this one block only; it
// is what a share hands out.
func (s *Sealer) SealRoot(k RootKey, plain []byte) ([]byte, venti.Ref, error) {
	if len(plain) > MaxPlain {
		return nil, venti.Ref{}, venti.ErrTooLarge
	}
	block := make([]byte, 1+saltSize, 1+saltSize+len(plain)+64)
	block[0] = versionRoot
	block = s.pack(block, plain)
	salt := derive("ventidhash 2026 seal v1 root salt", k, block[1+saltSize:])
	copy(block[1:], salt[:])
	ref := venti.Ref{Key: derive("ventidhash 2026 seal v1 root key", k, salt[:])}
	block, err := encrypt(block, 0, 1+saltSize, ref.Key)
	if err != nil {
		return nil, venti.Ref{}, err
	}
	ref.Score = venti.Sum(block)
	return block, ref, nil
}

// RootRef returns the Ref of a root block that was sealed under k: its score and the key that its salt gives. It does
// not prove that k is right; OpenRoot does.
func RootRef(k RootKey, block []byte) (venti.Ref, error) {
	score := venti.Sum(block)
	if len(block) < 1+saltSize || block[0] != versionRoot {
		return venti.Ref{}, &venti.BlockError{Op: "open", Score: score, Err: corrupt("not a root block")}
	}
	return venti.Ref{Score: score, Key: derive("ventidhash 2026 seal v1 root key", k, block[1:1+saltSize])}, nil
}

// OpenRoot returns the plaintext of the root block that ref names. Like Open it overwrites block; errors are the same.
func (s *Sealer) OpenRoot(ref venti.Ref, block []byte) ([]byte, error) {
	out, err := s.open(nil, versionRoot, 1+saltSize, ref.Key, block)
	if err != nil {
		return nil, &venti.BlockError{Op: "open root", Score: ref.Score, Err: err}
	}
	return out, nil
}

// derive returns BLAKE3 of data keyed with a key derived from k for the purpose.
func derive(purpose string, k RootKey, data []byte) (out [32]byte) {
	var key [32]byte
	blake3.DeriveKey(purpose, k[:], key[:])
	h, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	h.Write(data)
	h.Sum(out[:0])
	return out
}
