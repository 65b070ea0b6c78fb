package ventitest

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// A Vector is one record of a package's testdata/vectors.txt, which the script beside it made from the package's FORMAT.md or
// PROTOCOL.md: lines of a word, a colon and a value. Most have three of them: what is special about it, data in hexadecimal
// after the word for what it is, and what is to be made of it ("expect").
type Vector []struct{ Word, Value string }

// Vectors returns the records of testdata/vectors.txt. It fails the test if there are fewer than least.
func Vectors(t testing.TB, least int) (all []Vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for record := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n\n"), "\n\n") {
		var v Vector
		for line := range strings.SplitSeq(record, "\n") {
			word, value, ok := strings.Cut(line, ":")
			if !ok {
				t.Fatalf("line %q of record %q", line, record)
			}
			v = append(v, struct{ Word, Value string }{word, strings.TrimPrefix(value, " ")})
		}
		all = append(all, v)
	}
	if len(all) < least {
		t.Fatalf("only %d vectors", len(all))
	}
	return all
}

// Value returns the value of the first line with a word; empty if there is none.
func (v Vector) Value(word string) string {
	for _, line := range v {
		if line.Word == word {
			return line.Value
		}
	}
	return ""
}

// Bytes returns what Value is in hexadecimal.
func (v Vector) Bytes(t testing.TB, word string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Value(word))
	if err != nil {
		t.Fatalf("%s: %s: %v", v[0].Value, word, err)
	}
	return b
}

// Parts returns the four parts of a record of three lines: its name, what its data is, the data as it stands there, and what
// is expected.
func (v Vector) Parts(t testing.TB) (name, kind, data, expect string) {
	t.Helper()
	if len(v) != 3 || v[2].Word != "expect" {
		t.Fatalf("record %q", v)
	}
	return v[0].Value, v[1].Word, v[1].Value, v[2].Value
}
