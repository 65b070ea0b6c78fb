package lenders_test

import (
	"bytes"
	"fmt"
	"testing"

	"ventidhash/dhash/lenders"
	"ventidhash/venti/ventitest"
)

// reencode decodes and encodes again.
func reencode(what string, b []byte) (again []byte, err error) {
	switch what {
	case "lenders":
		again, _, err = lenders.ReencodeLenders(b)
	case "owed":
		again, err = lenders.ReencodeOwed(b)
	case "handed":
		again, err = lenders.ReencodeHanded(b)
	default:
		err = fmt.Errorf("there is no file %q", what)
	}
	return again, err
}

type vector struct {
	name, what, expect string
	data               []byte
}

// vectors returns the cases of testdata/vectors.txt, which testdata/vectors.py made from FORMAT.md.
func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 30) {
		name, what, _, expect := r.Parts(t)
		all = append(all, vector{name, what, expect, r.Bytes(t, what)})
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		again, err := reencode(v.what, v.data)
		if (err == nil) != (v.expect == "good") {
			t.Errorf("%s, %s: %v", v.what, v.name, err)
		}
		if err == nil && !bytes.Equal(again, v.data) {
			t.Errorf("%s, %s: encoded again it is\n%x, not\n%x", v.what, v.name, again, v.data)
		}
	}
	_, list, err := lenders.ReencodeLenders(vectors(t)[1].data)
	if err != nil || len(list) != 1 || list[0].ID != "a" || list[0].Sent != 1790000000000 || list[0].Heard.Unix() != 1790000001 ||
		list[0].Now.Unix() != 1790000002 || list[0].Kept.Unix() != 1805552002 || list[0].Claims != 12 || list[0].Bytes != 34567 ||
		list[0].Told != 3 || list[0].Retained.Unix() != 1789000000 || list[0].Other {
		t.Errorf("%+v, %v", list, err)
	}
}

func FuzzFiles(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.what, v.data)
	}
	f.Fuzz(func(t *testing.T, what string, b []byte) {
		if again, err := reencode(what, b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("encoded again, %x is %x", b, again)
		}
	})
}
