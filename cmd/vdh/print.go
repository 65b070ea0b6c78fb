package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable returns a file's name or path as it may go to a terminal: as it is, or in Go's quotes if it has control
// characters, is no UTF-8, or begins with a quote.
func printable(path string) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(path) || strings.ContainsFunc(path, bad) || strings.HasPrefix(path, `"`) {
		return strconv.Quote(path)
	}
	return path
}

// A rawName is a name of any bytes as JSON: a string, or, where it is no UTF-8, {"base64": …}.
type rawName string

// MarshalJSON implements json.Marshaler.
func (n rawName) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(n)) {
		return json.Marshal(string(n))
	}
	return json.Marshal(map[string][]byte{"base64": []byte(n)})
}

// rawNames converts a list of names.
func rawNames(names []string) []rawName {
	out := make([]rawName, len(names))
	for i, n := range names {
		out[i] = rawName(n)
	}
	return out
}
