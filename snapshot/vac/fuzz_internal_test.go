package vac

import (
	"bytes"
	"io"
	"testing"

	"ventidhash/venti"
)

// FuzzRecord holds that an accepted record is encoded as it was read, first in its directory and behind another one.
func FuzzRecord(f *testing.F) {
	for _, v := range vectors(f, "records.txt") {
		f.Add(unhex(f, v["after"]), unhex(f, v["body"]))
	}
	f.Fuzz(func(t *testing.T, before, body []byte) {
		var p prior
		if first, err := parseBody(before, &p, texts{}); err == nil {
			if again := appendBody(nil, &p, first); !bytes.Equal(again, before) {
				t.Fatalf("%x encoded again\n%x", before, again)
			}
			p.next(first)
		}
		d, err := parseBody(body, &p, texts{})
		if err != nil {
			return
		}
		if again := appendBody(nil, &p, d); !bytes.Equal(again, body) {
			t.Fatalf("%x encoded again\n%x", body, again)
		}
		if checkName(d.Name) != nil || d.Name <= p.name || d.Links < 1 || d.Size < 0 || d.Content.Kind >= endContent {
			t.Fatalf("%+v", d)
		}
	})
}

// FuzzEntries holds that an accepted directory is what a DirWriter makes of its entries.
func FuzzEntries(f *testing.F) {
	for _, v := range vectors(f, "directories.txt") {
		f.Add(unhex(f, v["bytes"]))
	}
	f.Fuzz(func(t *testing.T, dir []byte) {
		if len(dir) > nestMax {
			return
		}
		es := NewEntries(t.Context(), nil, Content{Kind: Nested, Nested: dir})
		added := NewDirWriter(t.Context(), nil, nil, Content{})
		kept := NewDirWriter(t.Context(), nil, nil, Content{})
		for {
			d, err := es.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if err := added.Add(d); err != nil {
				t.Fatalf("%+v was read and is not written: %v", d, err)
			}
			if err := kept.Keep(d); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range []*DirWriter{added, kept} {
			c, _, err := w.Close()
			if c.Kind == Empty && len(dir) == 1 {
				continue
			}
			if err != nil || c.Kind != Nested || !bytes.Equal(c.Nested, dir) {
				t.Fatalf("%x written again is %x, %v", dir, c.Nested, err)
			}
		}
	})
}

// FuzzShares holds that an accepted table is encoded as it was read.
func FuzzShares(f *testing.F) {
	for _, v := range vectors(f, "shares.txt") {
		f.Add(unhex(f, v["bytes"]))
	}
	f.Fuzz(func(t *testing.T, table []byte) {
		s, err := parseShares(table)
		if err != nil {
			return
		}
		if again := appendShares(s); !bytes.Equal(again, table) {
			t.Fatalf("%x encoded again %x", table, again)
		}
		if _, ok := s[venti.Score{}]; ok {
			t.Fatal("a score of zeros")
		}
	})
}
