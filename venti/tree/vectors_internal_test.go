package tree

import (
	"os"
	"strings"
	"testing"
)

// vectors reads a file of testdata: paragraphs of "key: value" lines, each of which has a name.
func vectors(t testing.TB, file string) []map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for paragraph := range strings.SplitSeq(string(b), "\n\n") {
		v := map[string]string{}
		for line := range strings.Lines(paragraph) {
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && line[0] != '#' {
				v[key] = value
			}
		}
		if v["name"] != "" {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no vectors", file)
	}
	return out
}
