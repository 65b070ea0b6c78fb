package main

import (
	"io"
	"strings"
	"testing"
)

// TestHelp holds that the help of every verb has an example that begins with the program's name, and that a verb which
// prints a result says what it prints with --json.
func TestHelp(t *testing.T) {
	root := newRoot(newApp(strings.NewReader(""), io.Discard, io.Discard))
	silent := []string{"init", "recover", "cat", "dump"} // whose output is no list of things
	verbs := root.Commands()
	for _, verb := range verbs {
		verbs = append(verbs, verb.Commands()...)
	}
	for _, verb := range verbs {
		if !verb.Runnable() || verb.HasParent() && verb.Parent().Name() == "completion" {
			continue
		}
		if verb.Short == "" || strings.HasSuffix(verb.Short, ".") {
			t.Errorf("%s: short help %q", verb.Name(), verb.Short)
		}
		if verb.Long == "" || verb.Example == "" && verb.Name() != "version" {
			t.Errorf("%s has no help or no example", verb.Name())
		}
		if !strings.Contains(verb.Long, "--json") && !strings.Contains(strings.Join(silent, " "), verb.Name()) {
			t.Errorf("the help of %s does not say what --json prints", verb.Name())
		}
		for line := range strings.Lines(verb.Long) {
			if len([]rune(line)) > 102 {
				t.Errorf("help of %s: line of %d letters: %s", verb.Name(), len([]rune(line)), line)
			}
		}
	}
}
