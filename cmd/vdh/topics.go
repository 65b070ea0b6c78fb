package main

import (
	"embed"
	"path"
	"strings"

	"github.com/spf13/cobra"
)

// topicFiles holds a file for each help topic that is no verb: a line that says what it is about, an empty line, and the
// text. A file that is added is a topic.
//
//go:embed topics/*.txt
var topicFiles embed.FS

// topics returns the help topics that are no verbs.
func topics() (out []*cobra.Command) {
	files, _ := topicFiles.ReadDir("topics") // what is embedded can be read
	for _, f := range files {
		about, text := topic(strings.TrimSuffix(f.Name(), ".txt"))
		out = append(out, &cobra.Command{Use: strings.TrimSuffix(f.Name(), ".txt"), Short: about, Long: text})
	}
	return out
}

// topic returns what a topic is about, and its text without the newline at the end.
func topic(name string) (about, text string) {
	b, _ := topicFiles.ReadFile(path.Join("topics", name+".txt"))
	about, text, _ = strings.Cut(string(b), "\n\n")
	return about, strings.TrimSuffix(text, "\n")
}
