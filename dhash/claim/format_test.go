package claim_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

const lender = dhash.ID("a member of the test's swarm")

var swarm = sha256.Sum256([]byte("a swarm"))

func vectorKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// vectorHeir is the key of the heir in the vectors.
func vectorHeir() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i + 1)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func vectorLender() dhash.ID {
	member := sha256.Sum256([]byte("a member"))
	return dhash.ID("\x00\x24\x08\x01\x12\x20" + string(member[:]))
}

// A vector is one case of testdata/vectors.txt, which testdata/vectors.py made from FORMAT.md.
type vector struct {
	name, what, expect string
	data               []byte
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 80) {
		name, what, _, expect := r.Parts(t)
		all = append(all, vector{name, what, expect, r.Bytes(t, what)})
	}
	return all
}

// meaning returns what is in a vector, in the words of vectors.py, and the same encoded again.
func meaning(v vector) (words string, again []byte, err error) {
	switch v.what {
	case "statement":
		s, err := claim.Parse(v.data, swarm, vectorLender())
		if err != nil {
			return "", nil, err
		}
		first := "-"
		if len(s.Scores) > 0 {
			first = s.Scores[0].String()[:8]
		}
		before := int64(0)
		if !s.Before.IsZero() {
			before = s.Before.Unix()
		}
		again, err := signAgain(s)
		return fmt.Sprintf("%v number %d date %d before %d scores %d first %s hash %x", s.Kind, s.Number, s.Date.Unix(), before,
			len(s.Scores), first, s.Hash), again, err
	case "answer":
		a, err := claim.ParseAnswer(v.data)
		return fmt.Sprintf("verdict %d reason %d waiting %d", a.Verdict, a.Reason, len(a.Waiting)), a.Encode(), err
	case "book":
		b, err := claim.ParseBook(v.data)
		return "accepted", b.Encode(), err
	}
	c, err := claim.ParseClock(v.data)
	if err != nil {
		return "", nil, err
	}
	return "accepted", c.Encode(), nil
}

// signAgain encodes a statement that Parse returned.
func signAgain(s *claim.Statement) (raw []byte, err error) {
	if s.Kind != claim.HandOver {
		raw, _, err = claim.Sign(vectorKey(), swarm, *s)
		return raw, err
	}
	if s.Heir != dhash.Owner(vectorHeir().Public().(ed25519.PublicKey)) {
		return nil, errors.New("another heir")
	}
	raw, _, err = claim.SignHandOver(vectorKey(), vectorHeir(), swarm, *s)
	return raw, err
}

func TestVectors(t *testing.T) {
	wraps := map[string]error{"statement": claim.ErrStatement, "answer": claim.ErrAnswer, "book": claim.ErrDamaged, "clock": claim.ErrDamaged}
	for _, v := range vectors(t) {
		words, again, err := meaning(v)
		if v.expect == "refused" {
			if !errors.Is(err, wraps[v.what]) {
				t.Errorf("%s: %s, %v", v.name, words, err)
			}
			continue
		}
		if err != nil || words != v.expect || !bytes.Equal(again, v.data) {
			t.Errorf("%s: %v\n%s, want\n%s\n%x\n%x", v.name, err, words, v.expect, again, v.data)
		}
	}
}

// TestLargest encodes the longest of all things: the bounds that others rely on hold.
func TestLargest(t *testing.T) {
	far := time.Unix(1<<40, 0)
	s := claim.Statement{Kind: claim.Retain, Lender: dhash.ID(make([]byte, 128)), Number: 1<<63 - 1, Date: far, Before: far,
		To: lastKey(), Scores: scores(claim.MaxScores)}
	raw, _, err := claim.Sign(vectorKey(), swarm, s)
	if err != nil || len(raw) != claim.MaxStatement || claim.MaxStatement > 1_114_112 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if p, err := claim.Parse(raw, swarm, s.Lender); err != nil || len(p.Scores) != claim.MaxScores {
		t.Error(err)
	}
	s.Scores = scores(claim.MaxScores + 1)
	if _, _, err := claim.Sign(vectorKey(), swarm, s); !errors.Is(err, claim.ErrStatement) {
		t.Error(err)
	}
	const most = 1<<63 - 1
	a := claim.Answer{Verdict: claim.Waits, Reason: claim.Braked, Number: most, Now: far, Until: far, Kept: far, Fragments: most,
		Bytes: most, Claims: most, ClaimBytes: most}
	for i := range claim.MaxPending {
		a.Waiting = append(a.Waiting, claim.Pending{Number: most - uint64(claim.MaxPending-i), Since: far, Fragments: most, Bytes: most})
	}
	if n := len(a.Encode()); n != claim.MaxAnswer || n > 4096 {
		t.Errorf("%d bytes", n)
	}
	b := claim.Book{Since: far, Heartbeat: far, Number: most, Lapsed: far, Pending: a.Waiting}
	for i := range 25 {
		b.Tally = append(b.Tally, claim.Tally{Hour: 1<<40 - int64(25-i), Claims: most})
	}
	for range 16 {
		b.Settled = append(b.Settled, claim.Settled{Fragments: most, Bytes: most})
	}
	if n := len(b.Encode()); n > claim.MaxBook || n < claim.MaxBook-2 {
		t.Errorf("%d bytes", n)
	}
	if again, err := claim.ParseBook(b.Encode()); err != nil || !bytes.Equal(again.Encode(), b.Encode()) {
		t.Error(err)
	}
}

// TestDamage flips each bit of a statement and of a book: nothing of it is believed.
func TestDamage(t *testing.T) {
	for _, v := range vectors(t) {
		if v.expect == "refused" || v.what == "answer" || len(v.data) > 400 {
			continue
		}
		for i := range 8 * len(v.data) {
			bad := v
			bad.data = bytes.Clone(v.data)
			bad.data[i/8] ^= 1 << (i % 8)
			if _, _, err := meaning(bad); err == nil {
				t.Errorf("%s: bit %d of %d is flipped", v.name, i, 8*len(v.data))
			}
		}
	}
}

func fuzz(f *testing.F, what string) {
	for _, v := range vectors(f) {
		if v.what == what {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, again, err := meaning(vector{what: what, data: b})
		if err == nil && !bytes.Equal(b, again) {
			t.Errorf("%x became\n%x", b, again)
		}
	})
}

func FuzzAnswer(f *testing.F) { fuzz(f, "answer") }
func FuzzBook(f *testing.F)   { fuzz(f, "book") }
func FuzzClock(f *testing.F)  { fuzz(f, "clock") }

// FuzzStatement signs what the fuzzer makes, so that it gets past the signature.
func FuzzStatement(f *testing.F) {
	for _, v := range vectors(f) {
		if v.what == "statement" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(b) - ed25519.SignatureSize; n >= 34 {
			b = bytes.Clone(b)
			copy(b[2:34], vectorKey().Public().(ed25519.PublicKey))
			if n > 98+64 && b[1] == byte(claim.HandOver) {
				copy(b[n-96:], vectorHeir().Public().(ed25519.PublicKey))
				copy(b[n-64:n], ed25519.Sign(vectorHeir(), append(append([]byte("vdh heir\x00"), swarm[:]...), b[:n-64]...)))
			}
			message := append(append([]byte("vdh claim\x00"), swarm[:]...), b[:n]...)
			copy(b[n:], ed25519.Sign(vectorKey(), message))
		}
		_, again, err := meaning(vector{what: "statement", data: b})
		if err == nil && !bytes.Equal(b, again) {
			t.Errorf("%x became\n%x", b, again)
		}
	})
}

// scores returns n scores in order.
func scores(n int) []venti.Score {
	out := make([]venti.Score, n)
	for i := range out {
		out[i] = venti.Score{byte(i >> 16), byte(i >> 8), byte(i), 1}
	}
	return out
}

func lastKey() (k dhash.Key) {
	for i := range k {
		k[i] = 0xff
	}
	return k
}
