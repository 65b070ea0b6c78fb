package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func manual() []page {
	root := newRoot(newApp(strings.NewReader(""), io.Discard, io.Discard))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("vdh")
	return pages(root)
}

// TestManualPages holds that each verb and each topic has a page, with what belongs on one, and no text of which groff
// would make something else.
func TestManualPages(t *testing.T) {
	have := map[string]bool{}
	for _, p := range manual() {
		have[p.reference()] = true
		sections := []string{"NAME", "DESCRIPTION", "SEE ALSO"}
		if p.section == verbSection {
			sections = append(sections, "SYNOPSIS", "GLOBAL OPTIONS", "EXIT STATUS", "ENVIRONMENT")
		}
		text := p.roff()
		if !p.cmd.HasParent() {
			text = strings.Replace(text, `.SH "OPTIONS"`, `.SH "GLOBAL OPTIONS"`, 1)
		}
		for _, s := range sections {
			if !strings.Contains(text, fmt.Sprintf("\n.SH \"%s\"\n", s)) {
				t.Errorf("%s has no section %s", p.file(), s)
			}
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, `\n`) || strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
				t.Errorf("%s: line %q", p.file(), line)
			}
			for _, c := range line {
				if c > '~' {
					t.Errorf("%s: letter %q", p.file(), c)
				}
			}
		}
		for _, ref := range p.seeAlso() {
			if name, _, _ := strings.Cut(ref, "("); !strings.HasPrefix(name, "vdh") {
				t.Errorf("%s refers to %s", p.file(), ref)
			}
		}
	}
	for _, p := range manual() {
		for _, ref := range p.seeAlso() {
			if !have[ref] {
				t.Errorf("%s refers to %s, which is no page", p.file(), ref)
			}
		}
	}
	for _, want := range []string{"vdh(1)", "vdh-backup(1)", "vdh-swarm-invite(1)", "vdh-node-scrub(1)", "vdh-man(1)",
		"vdh-completion-fish(1)", "vdh-formats(7)", "vdh-exit-codes(7)", "vdh-config(7)", "vdh-security(7)", "vdh-operations(7)"} {
		if !have[want] {
			t.Errorf("there is no %s", want)
		}
	}
	root := newRoot(newApp(strings.NewReader(""), io.Discard, io.Discard))
	for _, cmd := range root.Commands() {
		if !have[page{cmd, verbSection}.reference()] && !have[page{cmd, topicSection}.reference()] {
			t.Errorf("%s has no page", cmd.Name())
		}
	}
}

// TestManualRenders has groff set each page, with all of its warnings.
func TestManualRenders(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here")
	}
	for _, p := range manual() {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), groff, "-man", "-rHY=0", "-Tutf8", "-P-c", "-ww")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(p.roff()), &out, &errs
		if err := cmd.Run(); err != nil || errs.Len() > 0 {
			t.Errorf("%s: %v\n%s", p.file(), err, errs.String())
		}
		words := strings.Join(strings.Fields(out.String()), " ")
		if want := p.name() + " - " + p.cmd.Short; !strings.Contains(words, want) {
			t.Errorf("%s: its page does not say %q", p.file(), want)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		".TH of 'it'": `\&.TH of \(aqit\(aq`, `a\b -x`: `a\eb \-x`, "é…": `\[u00E9]\[u2026]`, `"q" ~^`: `\(dqq\(dq \(ti\(ha`,
	} {
		var r roff
		r.text(text)
		if r.String() != want+"\n" {
			t.Errorf("%q gives %q, not %q", text, r.String(), want)
		}
	}
}
