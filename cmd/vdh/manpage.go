package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Sections of the manual.
const (
	verbSection  = 1
	topicSection = 7
)

// A page of the manual is the help of a verb or of a topic, in the macros of man(7). It has no date, so that one version
// writes the same bytes wherever and whenever it is built.
//
// Cobra's own generator (cobra/doc) takes the help for Markdown, in which *.tmp and [backup] mean something else, and
// knows no exit status.
type page struct {
	cmd     *cobra.Command
	section int
}

// pages returns the whole manual: the program, then its verbs and those below them, then the topics.
func pages(root *cobra.Command) (out []page) {
	root.InitDefaultHelpFlag()
	queue := []*cobra.Command{root}
	for len(queue) > 0 {
		cmd := queue[0]
		queue = queue[1:]
		if cmd.IsAdditionalHelpTopicCommand() {
			out = append(out, page{cmd, topicSection})
		} else if cmd.IsAvailableCommand() {
			out = append(out, page{cmd, verbSection})
			queue = append(queue, cmd.Commands()...)
		}
	}
	slices.SortStableFunc(out, func(a, b page) int { return a.section - b.section })
	return out
}

func (p page) name() string { return strings.ReplaceAll(p.cmd.CommandPath(), " ", "-") }

func (p page) file() string { return fmt.Sprintf("%s.%d", p.name(), p.section) }

// roff returns the page as the input of groff, mandoc and their like.
func (p page) roff() string {
	version, _ := buildVersion()
	r := &roff{}
	r.line(".TH", strings.ToUpper(p.name()), fmt.Sprint(p.section), "", "vdh "+version, "vdh manual")
	r.section("NAME")
	r.text(p.name() + " - " + p.cmd.Short)
	if p.section == topicSection {
		r.section("DESCRIPTION")
		r.prose(p.cmd.Long)
	} else {
		p.verb(r)
	}
	r.section("SEE ALSO")
	r.text(strings.Join(p.seeAlso(), ", "))
	return r.String()
}

// verb writes what only the page of a verb has.
func (p page) verb(r *roff) {
	r.section("SYNOPSIS")
	r.text(p.cmd.UseLine())
	if p.cmd.HasAvailableSubCommands() {
		r.WriteString(".br\n")
		r.text(p.cmd.CommandPath() + " VERB [flags]")
	}
	r.section("DESCRIPTION")
	r.prose(p.cmd.Long)
	if p.cmd.HasAvailableSubCommands() {
		r.section("VERBS")
		for _, sub := range p.cmd.Commands() {
			if sub.IsAvailableCommand() {
				r.item(sub.CommandPath(), sub.Short)
			}
		}
	}
	own, global := p.cmd.NonInheritedFlags(), p.cmd.InheritedFlags()
	if own.HasAvailableFlags() {
		r.section("OPTIONS")
		r.flags(own)
	}
	if global.HasAvailableFlags() {
		r.section("GLOBAL OPTIONS")
		r.flags(global)
	}
	if p.cmd.Example != "" {
		r.section("EXAMPLES")
		r.prose(p.cmd.Example)
	}
	r.section("EXIT STATUS")
	_, codes := topic("exit-codes")
	r.prose(codes)
	r.section("ENVIRONMENT")
	r.prose("Each option is also an environment variable, VDH_ and the words of verb and option in capitals, and a " +
		"key of the config file; see vdh-config(7).")
}

// seeAlso returns the pages around this one, and the topics.
func (p page) seeAlso() (out []string) {
	if p.cmd.HasParent() {
		out = append(out, page{p.cmd.Parent(), verbSection}.reference())
	}
	for _, sub := range p.cmd.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, page{sub, verbSection}.reference())
		}
	}
	for _, t := range p.cmd.Root().Commands() {
		if t.IsAdditionalHelpTopicCommand() && t != p.cmd {
			out = append(out, page{t, topicSection}.reference())
		}
	}
	return out
}

func (p page) reference() string { return fmt.Sprintf("%s(%d)", p.name(), p.section) }
