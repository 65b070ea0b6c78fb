package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// rooted is a Handler that names a root.
type rooted struct{ nothing }

func (rooted) Roots(context.Context, dhash.ID, dhash.Owner, dhash.Key) ([]venti.Score, dhash.Key, error) {
	return []venti.Score{{1}}, dhash.Key{}, nil
}

// Whoever does not show the owner's grant first hears nothing about its roots, a member neither.
func TestRootsWithoutGrant(t *testing.T) {
	owner := dhash.Owner{7}
	ask := append(appendHeader(nil, kRoots, 1, 64), appendRootsOf(nil, owner, dhash.Key{})...)
	show := func(o dhash.Owner) []byte { return append(appendHeader(nil, kGrant, 2, 32), o[:]...) }
	for name, c := range map[string]struct {
		sent []byte
		want kind
	}{
		"none":      {ask, rRefusal},
		"another's": {append(show(dhash.Owner{8}), ask...), rRefusal},
		"the right": {append(show(owner), ask...), kRoots | answer},
	} {
		s, err := NewServer(nil, rooted{}, ServerConfig{
			Member: func(dhash.ID) bool { return true },
			Full:   func(dhash.ID) bool { return true },
			Grant:  func(_ dhash.ID, b []byte) (dhash.Owner, error) { return dhash.Owner(b), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		stream := &canned{in: bytes.NewReader(c.sent)}
		if err := newServed(s, "x", stream).serve(); err != nil {
			t.Fatal(err)
		}
		for out := stream.out.Bytes(); len(out) > 0; {
			h, err := parseHeader(out)
			body := out[headerSize : headerSize+h.size]
			if h.id == 1 && (err != nil || h.kind != c.want || h.kind == rRefusal && reason(body[0]) != reasonNotGranted) {
				t.Errorf("%s: %v, %x, %v", name, h.kind, body, err)
			}
			out = out[headerSize+h.size:]
		}
	}
}

// Of heads that a client sends without their owners' grants no signature is looked at; with them a forged one ends the
// stream, as it does for a member.
func TestForgedHeads(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	h := venti.SignHead(key, 1, venti.Score{1}, time.Unix(1_790_000_000, 0))
	h.Signature[0] ^= 1
	forged := append(appendHeader(nil, kHeads, 1, venti.HeadSize), h.Append(nil)...)
	grant := append(appendHeader(nil, kGrant, 2, 32), h.Owner[:]...)
	for name, c := range map[string]struct {
		sent    []byte
		full    bool
		refused bool
	}{
		"a client":              {forged, false, true},
		"a client with a grant": {append(grant, forged...), false, false},
		"a member":              {forged, true, false},
	} {
		s, err := NewServer(nil, nothing{}, ServerConfig{
			Member: func(dhash.ID) bool { return true },
			Full:   func(dhash.ID) bool { return c.full },
			Grant:  func(_ dhash.ID, b []byte) (dhash.Owner, error) { return dhash.Owner(b), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		stream := &canned{in: bytes.NewReader(c.sent)}
		err = newServed(s, "x", stream).serve()
		if c.refused != (err == nil) || !c.refused && !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		out := stream.out.Bytes()
		if c.refused && (len(out) <= headerSize || kind(out[1]) != rRefusal || reason(out[headerSize]) != reasonNotGranted) {
			t.Errorf("%s is answered %x", name, out)
		}
	}
}
