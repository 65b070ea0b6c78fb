package restore

import (
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// A filter decides by Config.Include and Config.Exclude what is restored. Paths are given as their components.
type filter struct {
	include, exclude gitignore.Matcher // nil if there are no patterns
	anchored         [][]string        // the include patterns, if each of them names its whole path; else nil
}

// newFilter compiles patterns. One that begins with base, the path that is restored, is relative to it all the same.
func newFilter(base string, include, exclude []string) filter {
	var x filter
	include, exclude = relative(base, include), relative(base, exclude)
	if len(include) > 0 {
		x.include = gitignore.NewMatcher(parse(include))
		x.anchored = anchors(include)
	}
	if len(exclude) > 0 {
		x.exclude = gitignore.NewMatcher(parse(exclude))
	}
	return x
}

func relative(base string, patterns []string) []string {
	out := slices.Clone(patterns)
	for i, p := range out {
		rest, not := strings.CutPrefix(p, "!")
		if rest, ok := strings.CutPrefix(rest, base+"/"); ok && base != "" {
			if out[i] = "/" + rest; not {
				out[i] = "!/" + rest
			}
		}
	}
	return out
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
