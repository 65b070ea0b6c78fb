package dhash_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

const refused = "refused"

// A vector is one record of testdata/vectors.txt, which testdata/vectors.py made from FORMAT.md.
type vector struct{ name, kind, data, expect string }

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 130) {
		var v vector
		v.name, v.kind, v.data, v.expect = r.Parts(t)
		all = append(all, v)
	}
	return all
}

// everyDamage flips each bit of the good vectors of a kind, and cuts them short at each byte. open returns what is asked of
// what comes of that: whether it still passes for the good one, and the error of reading it, which wraps dhash.ErrFragment.
func everyDamage(t *testing.T, kind string, open func(good []byte) func(bad []byte) (passes bool, err error)) {
	t.Helper()
	for _, v := range vectors(t) {
		if v.kind != kind || v.expect == refused {
			continue
		}
		data, err := hex.DecodeString(v.data)
		if err != nil {
			t.Fatal(err)
		}
		try := open(data)
		for bit := range 8 * len(data) {
			bad := bytes.Clone(data)
			bad[bit/8] ^= 1 << (bit % 8)
			passes, err := try(bad)
			if passes {
				t.Errorf("%s: bit %d of byte %d is not noticed", v.name, bit%8, bit/8)
			}
			if err != nil && !errors.Is(err, dhash.ErrFragment) {
				t.Errorf("%s: bit %d of byte %d: %v", v.name, bit%8, bit/8, err)
			}
		}
		for n := range len(data) {
			if _, err := try(data[:n]); err == nil {
				t.Errorf("%s: %d bytes of %d are accepted", v.name, n, len(data))
			}
		}
	}
}

// meaning returns what a vector means, in the words of vectors.py.
func meaning(v vector) (string, error) {
	data, err := hex.DecodeString(v.data)
	if err != nil && v.kind != "code" && v.kind != "nonce" {
		return "", err
	}
	switch v.kind {
	case "score":
		return fmt.Sprintf("%x", dhash.KeyOf(venti.Score(data))), nil
	case "member":
		id := dhash.ID(data)
		return fmt.Sprintf("%x %s", id.Key(), id), nil
	case "owner":
		return fmt.Sprintf("%x", dhash.OwnerKey(dhash.Owner(data))), nil
	case "code":
		c, err := dhash.ParseCode(v.data)
		if err != nil {
			return "", err
		}
		s := fmt.Sprintf("%d %d", c.Threshold(), c.DomainLimit())
		for _, n := range []int{0, 1, 63, 64, 65, 1000, 1 << 20, venti.MaxBlock} {
			s += fmt.Sprintf(" %d", c.PayloadSize(n))
		}
		return s, nil
	case "fragment":
		f, err := dhash.ParseFragment(data)
		if err != nil {
			if !errors.Is(err, dhash.ErrFragment) {
				return "", fmt.Errorf("%w, which is no ErrFragment", err)
			}
			return "", err
		}
		if again := f.Append(nil); !bytes.Equal(again, data) {
			return fmt.Sprintf("encodes to %x", again), nil
		}
		return fmt.Sprintf("%v %d %v %d %d %d %x", f.Score, f.Length, f.Code, f.Index, len(f.Proof), len(f.Payload),
			f.Coding()), nil
	case "leaf":
		l, err := dhash.ParseLeaf(data)
		if err != nil {
			return "", err
		}
		if again := l.Append(nil); !bytes.Equal(again, data) {
			return fmt.Sprintf("encodes to %x", again), nil
		}
		f := &l.Fragment
		return fmt.Sprintf("%v %d %v %d %d %d %d %d %x", f.Score, f.Length, f.Code, f.Index, len(f.Proof), l.Number,
			len(l.Path), len(l.Data), l.Coding()), nil
	case "nonce":
		var nonce uint64
		var size int
		if _, err := fmt.Sscanf(v.data, "%d/%d", &nonce, &size); err != nil {
			return "", err
		}
		return fmt.Sprint(dhash.LeafNumber(nonce, size)), nil
	}
	return "", fmt.Errorf("kind %q", v.kind)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got, err := meaning(v)
			switch {
			case err != nil && v.expect != refused:
				t.Errorf("%s: refused: %v", v.data, err)
			case err != nil && (v.kind == "fragment" || v.kind == "leaf") && !errors.Is(err, dhash.ErrFragment):
				t.Error(err)
			case err == nil && got != v.expect:
				t.Errorf("%s means %q, want %q", v.data, got, v.expect)
			}
		})
	}
}
