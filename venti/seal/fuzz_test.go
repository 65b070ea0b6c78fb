package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// gcm returns the cipher of a block with the given key.
func gcm(key venti.Key) cipher.AEAD {
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCM(c)
	if err != nil {
		panic(err)
	}
	return g
}

// authentic returns a block that opens under key and has inner in it.
func authentic(key venti.Key, inner []byte) []byte {
	return gcm(key).Seal([]byte{1}, make([]byte, 12), inner, []byte{1})
}

// FuzzInner opens authentic blocks with any inside: what a hostile writer can make.
func FuzzInner(f *testing.F) {
	s := newSealer(f, seal.Secret{1})
	for _, c := range cases(f) {
		block := unhex(f, c["block"])
		if c["kind"] != "block" || block[0] != 1 {
			continue
		}
		inner, err := gcm(venti.Key(unhex(f, c["key"]))).Open(nil, make([]byte, 12), block[1:], block[:1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(inner)
	}
	ref := venti.Ref{Key: venti.Key{1}}
	f.Fuzz(func(t *testing.T, inner []byte) {
		block := authentic(ref.Key, inner)
		plain, err := s.Open(nil, ref, bytes.Clone(block))
		behind, err2 := s.Open([]byte("front"), ref, block)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("alone %v, behind something %v", err, err2)
		}
		if err != nil {
			wantCorrupt(t, ref, plain, err)
			return
		}
		if len(plain) > venti.MaxBlock || !bytes.Equal(behind, append([]byte("front"), plain...)) {
			t.Fatalf("%d and %d bytes", len(plain), len(behind))
		}
		if len(plain) > seal.MaxPlain {
			return
		}
		again, own := sealed(t, s, plain)
		if got, err := s.Open(nil, own, again); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("sealed again, it opens as %d bytes, %v", len(got), err)
		}
	})
}

// FuzzOpen opens any bytes under a fixed key, which none but a forgery can do.
func FuzzOpen(f *testing.F) {
	s := newSealer(f, seal.Secret{1})
	for _, c := range cases(f) {
		f.Add(unhex(f, c["block"]))
	}
	ref := venti.Ref{Score: venti.Score{1}, Key: venti.Key{0: 1, 31: 1}}
	f.Fuzz(func(t *testing.T, block []byte) {
		if len(block) > venti.MaxBlock {
			return
		}
		seal.RootRef(seal.RootKey{1}, block)
		got, err := s.OpenRoot(ref, bytes.Clone(block))
		wantCorrupt(t, ref, got, err)
		got, err = s.Open(nil, ref, block)
		wantCorrupt(t, ref, got, err)
	})
}
