package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"ventidhash/venti"
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

// showPaths writes a list of paths for people.
func showPaths(paths []string) string {
	out := make([]string, len(paths))
	for i, p := range paths {
		if out[i] = printable(p); out[i] == p && strings.Contains(p, " ") {
			out[i] = strconv.Quote(p)
		}
	}
	return strings.Join(out, " ")
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

// scoreText returns the name of a snapshot, or nothing for none.
func scoreText(s venti.Score) string {
	if s.IsZero() {
		return ""
	}
	return "vac:" + s.String()
}

// localTime writes a time for people.
func localTime(t time.Time) string { return t.Local().Format(time.DateTime) }

// size writes a number of bytes for people.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// count writes a number of things for people.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}

// plural returns the word for n things.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// fileError reports a file that could not be dealt with, also with --quiet: it decides the exit code.
func (a *app) fileError(path string, err error) {
	if a.json && !a.told {
		line := map[string]any{"type": "error", "path": rawName(path), "error": err.Error()}
		if e := json.NewEncoder(a.errs).Encode(line); e == nil {
			return
		}
	}
	text := err.Error()
	var pe *fs.PathError
	if errors.As(err, &pe) && pe.Path == path { // do not say the path twice
		text = pe.Op + ": " + pe.Err.Error()
	}
	fmt.Fprintf(a.errs, "vdh: %s: %s\n", printable(path), text)
}
