package peer

import (
	"bytes"
	"context"
	"testing"

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
