package restore

import (
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// A filter decides by Config.Include and Config.Exclude what is restored. Paths are given as their components.
type filter struct {
	include, exclude gitignore.Matcher // nil if there are no patterns
	anchored         [][]string        // the include patterns, if each of them names its whole path; else nil
}

func newFilter(include, exclude []string) filter {
	var x filter
	if len(include) > 0 {
		x.include = gitignore.NewMatcher(parse(include))
		x.anchored = anchors(include)
	}
	if len(exclude) > 0 {
		x.exclude = gitignore.NewMatcher(parse(exclude))
	}
	return x
}

func parse(patterns []string) []gitignore.Pattern {
	ps := make([]gitignore.Pattern, len(patterns))
	for i, p := range patterns {
		ps[i] = gitignore.ParsePattern(p, nil)
	}
	return ps
}

// anchors returns the components of patterns if none of them can match at more than one depth.
func anchors(patterns []string) [][]string {
	var all [][]string
	for _, p := range patterns {
		p = strings.TrimSuffix(strings.TrimRight(p, " "), "/")
		if !strings.Contains(p, "/") || strings.Contains(p, "**") || strings.HasPrefix(p, "!") {
			return nil
		}
		all = append(all, strings.Split(strings.TrimPrefix(p, "/"), "/"))
	}
	return all
}

// active reports whether the filter can rule out anything.
func (x *filter) active() bool { return x.include != nil || x.exclude != nil }

// takes reports whether the entry at the path is restored.
func (x *filter) takes(parts []string, isDir bool) bool {
	if x.exclude != nil && x.exclude.Match(parts, isDir) {
		return false
	}
	return x.include == nil || x.include.Match(parts, isDir)
}

// descends reports whether something below the directory at the path may be restored.
func (x *filter) descends(parts []string) bool {
	if x.exclude != nil && x.exclude.Match(parts, true) {
		return false
	}
	if x.include == nil || x.anchored == nil {
		return true
	}
	for _, pattern := range x.anchored {
		if leads(parts, pattern) {
			return true
		}
	}
	return false
}

// leads reports whether the path and the pattern agree as far as both go.
func leads(parts, pattern []string) bool {
	for i := range min(len(parts), len(pattern)) {
		if ok, err := path.Match(pattern[i], parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
