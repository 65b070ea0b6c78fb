package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/vac"
)

func newDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A[/PATH] B[/PATH]",
		Short: "compare two snapshots",
		Long: `Prints a line for each path that differs: + it is only in B, - only in A, M its content is another,
T it is another type of file, U only mode, owner, time or attributes are. No contents are read, and
no directories that are the same. The exit code is 0 whether anything differs or not.

With --json, one line of "type":"change" each with change (added, removed, content, kind, metadata),
path, kind and the sizes old_size and new_size, and one of "type":"summary" with added, removed,
content, kind, metadata, bytes_added and bytes_removed.`,
		Example:           "  vdh diff 4f1c0ab2 latest\n  vdh diff 4f1c0ab2/etc latest/etc",
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: completeNames(a, true),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.diff(cmd.Context(), names[0], names[1]) },
	}
}

// changes are the kinds of a difference: the letter for people, the word for programs.
var changes = map[vac.ChangeKind]struct{ letter, word string }{
	vac.Added: {"+", "added"}, vac.Removed: {"-", "removed"}, vac.TypeChanged: {"T", "kind"},
	vac.ContentChanged: {"M", "content"}, vac.MetadataChanged: {"U", "metadata"},
}

type changeLine struct {
	Type    string  `json:"type"` // "change"
	Change  string  `json:"change"`
	Path    rawName `json:"path"`
	Kind    string  `json:"kind"` // in B, or where it is only in A, there
	OldSize int64   `json:"old_size"`
	NewSize int64   `json:"new_size"`
}

type diffSummary struct {
	Type         string `json:"type"` // "summary"
	Added        int    `json:"added"`
	Removed      int    `json:"removed"`
	Content      int    `json:"content"`
	Kind         int    `json:"kind"`
	Metadata     int    `json:"metadata"`
	BytesAdded   int64  `json:"bytes_added"`   // the new sizes of files added or with other content
	BytesRemoved int64  `json:"bytes_removed"` // the old sizes of files removed or with other content
}

// count takes a change into the sum.
func (s *diffSummary) count(c vac.Change, line changeLine) {
	switch c.Kind {
	case vac.Added:
		s.Added++
	case vac.Removed:
		s.Removed++
	case vac.TypeChanged:
		s.Kind++
	case vac.ContentChanged:
		s.Content++
	case vac.MetadataChanged:
		s.Metadata++
		return
	}
	s.BytesAdded += line.NewSize
	s.BytesRemoved += line.OldSize
}

func (a *app) diff(ctx context.Context, nameA, nameB string) error {
	x, err := a.open(ctx, nameA)
	if err != nil {
		return err
	}
	y, err := a.open(ctx, nameB)
	if err != nil {
		return err
	}
	for _, n := range []*named{x, y} {
		if _, err := n.lookup(ctx); err != nil {
			return err
		}
	}
	prefix := ""
	if x.path == y.path {
		prefix = x.path
	}
	sum := diffSummary{Type: "summary"}
	err = vac.Diff(ctx, x.tree, y.tree, x.path, y.path, func(c vac.Change) error {
		line := changeLine{Type: "change", Change: changes[c.Kind].word, Path: rawName(prefix + c.Path)}
		if line.Path == "" {
			line.Path = "/"
		}
		for _, side := range []struct {
			d    *vac.Dir
			size *int64
		}{{c.Old, &line.OldSize}, {c.New, &line.NewSize}} {
			if side.d != nil {
				*side.size, line.Kind = side.d.Size, kinds[side.d.Type].name
			}
		}
		sum.count(c, line)
		if a.json {
			return a.print(line)
		}
		_, err := fmt.Fprintln(a.out, changes[c.Kind].letter, printable(string(line.Path)))
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(sum)
	}
	a.note("%d added, %d removed, %d with other content, %d of another type, %d with other metadata; %s more, %s less",
		sum.Added, sum.Removed, sum.Content, sum.Kind, sum.Metadata, size(sum.BytesAdded), size(sum.BytesRemoved))
	return nil
}
