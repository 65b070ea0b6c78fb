package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// A roff is text in the macros of man(7).
type roff struct{ strings.Builder }

// line writes a macro and its arguments.
func (r *roff) line(macro string, args ...string) {
	r.WriteString(macro)
	for _, a := range args {
		r.WriteString(` "` + escape(a) + `"`)
	}
	r.WriteByte('\n')
}

func (r *roff) section(title string) { r.line(".SH", title) }

// text writes a line of words.
func (r *roff) text(line string) {
	line = escape(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	r.WriteString(line + "\n")
}

// prose writes paragraphs. Lines that begin with a space or a tab stay as they are, and so do the headings of a topic:
// single lines in capitals.
func (r *roff) prose(text string) {
	literal := false
	set := func(on bool) {
		switch {
		case on && !literal:
			r.WriteString(".PP\n.nf\n")
		case !on && literal:
			r.WriteString(".fi\n.PP\n")
		}
		literal = on
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case line == "" && literal && i+1 < len(lines) && indented(lines[i+1]):
			r.WriteString(".sp\n")
		case line == "" && i > 0 && !literal:
			r.WriteString(".PP\n")
		case line == "":
			set(false)
		case indented(line):
			set(true)
			r.text(strings.ReplaceAll(line, "\t", "    "))
		case heading(line):
			set(false)
			r.line(".SS", line)
		default:
			set(false)
			r.text(line)
		}
	}
	if literal {
		r.WriteString(".fi\n")
	}
}

func indented(line string) bool { return strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") }

// heading reports whether a line of a topic is a heading.
func heading(line string) bool {
	return strings.ToUpper(line) == line && strings.ToLower(line) != line && !strings.HasSuffix(line, ".")
}

// item writes a term and what it means.
func (r *roff) item(term, meaning string) {
	r.WriteString(".TP\n")
	r.line(".B", term)
	r.text(meaning)
}

func (r *roff) flags(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, meaning := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if value != "" {
			term += " " + value
		}
		none := []string{"", "0", "false", "[]", "0s"}
		if !slices.Contains(none, f.DefValue) && !strings.Contains(meaning, "(default") {
			meaning += " (default " + f.DefValue + ")"
		}
		r.item(term, meaning)
	})
}

// escape writes text so that every letter stands for itself. What is not ASCII is written by its number, since programs
// differ in what they take a file to be encoded in.
func escape(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '\\':
			b.WriteString(`\e`)
		case c == '-':
			b.WriteString(`\-`)
		case c == '"':
			b.WriteString(`\(dq`)
		case c == '\'':
			b.WriteString(`\(aq`)
		case c == '^', c == '~', c == '`':
			b.WriteString(map[rune]string{'^': `\(ha`, '~': `\(ti`, '`': `\(ga`}[c])
		case c < 0x80:
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, `\[u%04X]`, c)
		}
	}
	return b.String()
}
