package fragstore_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"ventidhash/dhash/fragstore"
)

// TestVectors reads what an independent program wrote from FORMAT.md alone.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for entry := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		v := map[string]string{}
		for line := range strings.SplitSeq(entry, "\n") {
			name, value, _ := strings.Cut(line, ":")
			v[name] = strings.TrimSpace(value)
		}
		n++
		name := v["record"] + v["row"]
		key, err1 := hex.DecodeString(v["key"])
		data, err2 := hex.DecodeString(v["data"])
		if err1 != nil || err2 != nil {
			t.Fatal(name, err1, err2)
		}
		outKey, out := key, []byte(nil)
		if v["row"] != "" {
			out, err = fragstore.ReencodeRow(key, data)
		} else {
			kind, kerr := strconv.ParseUint(v["kind"], 10, 8)
			if kerr != nil {
				t.Fatal(name, kerr)
			}
			outKey, out, err = fragstore.ReencodeRecord(byte(kind), key, data)
		}
		if v["expect"] == "refused" {
			if err == nil {
				t.Errorf("%s was accepted", name)
			}
			continue
		}
		if err != nil || !bytes.Equal(out, data) || !bytes.Equal(outKey, key) {
			t.Errorf("%s: %v\n%x became\n%x", name, err, data, out)
		}
	}
	if n < 30 {
		t.Errorf("only %d vectors", n)
	}
}

func seeds(f *testing.F, add func(kind byte, key, data []byte)) {
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		f.Fatal(err)
	}
	for entry := range strings.SplitSeq(string(text), "\n\n") {
		var kind uint64
		var key, data []byte
		for line := range strings.SplitSeq(entry, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "kind":
				kind, _ = strconv.ParseUint(value, 10, 8)
			case "key":
				key, _ = hex.DecodeString(value)
			case "data":
				data, _ = hex.DecodeString(value)
			}
		}
		add(byte(kind), key, data)
	}
}

func FuzzRecord(f *testing.F) {
	seeds(f, func(kind byte, key, data []byte) { f.Add(kind, key, data) })
	f.Fuzz(func(t *testing.T, kind byte, key, data []byte) {
		outKey, out, err := fragstore.ReencodeRecord(kind, key, data)
		if err == nil && (!bytes.Equal(out, data) || !bytes.Equal(outKey, key)) {
			t.Errorf("%x %x became %x %x", key, data, outKey, out)
		}
		_, _ = fragstore.RecordRow(kind, key, data)
	})
}

func FuzzRow(f *testing.F) {
	seeds(f, func(kind byte, key, data []byte) {
		if kind == 0 {
			f.Add(key, data)
		}
	})
	f.Fuzz(func(t *testing.T, key, extra []byte) {
		if out, err := fragstore.ReencodeRow(key, extra); err == nil && !bytes.Equal(out, extra) {
			t.Errorf("%x became %x", extra, out)
		}
	})
}
