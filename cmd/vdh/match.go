package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot/vac"
)

// findFlags say what is looked for.
type findFlags struct {
	all, ignoreCase, long bool
	types, newer, older   string
	patterns              []string
	after, before         time.Time
}

// parse checks the flags and patterns.
func (f *findFlags) parse(patterns []string) (err error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", p, err)
		}
		f.patterns = append(f.patterns, f.fold(p))
	}
	if i := strings.IndexFunc(f.types, func(r rune) bool { return !strings.ContainsRune("fdlpscb", r) }); i >= 0 {
		return fmt.Errorf("--type %q: give some of f d l p s c b", f.types)
	}
	if f.after, err = parseTime(f.newer); err == nil {
		f.before, err = parseTime(f.older)
	}
	return err
}

func (f *findFlags) fold(s string) string {
	if f.ignoreCase {
		return strings.ToLower(s)
	}
	return s
}

// fits reports whether the entry d at the path is looked for.
func (f *findFlags) fits(full string, d *vac.Dir) bool {
	t := d.ModTime.Time()
	switch {
	case f.types != "" && strings.IndexByte(f.types, kinds[d.Type].letter) < 0:
		return false
	case !f.after.IsZero() && !t.After(f.after), !f.before.IsZero() && !t.Before(f.before):
		return false
	}
	return slices.ContainsFunc(f.patterns, func(p string) bool {
		if !strings.Contains(p, "/") {
			ok, _ := path.Match(p, f.fold(d.Name))
			return ok
		}
		return matchPath(strings.Split(strings.TrimPrefix(p, "/"), "/"), strings.Split(f.fold(full)[1:], "/"))
	})
}

// matchPath reports whether the parts of a path match those of a pattern, in which ** stands for any number of parts.
func matchPath(pattern, parts []string) bool {
	for i, p := range pattern {
		if p == "**" {
			for j := i; j <= len(parts); j++ {
				if matchPath(pattern[i+1:], parts[j:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) {
			return false
		}
		if ok, _ := path.Match(p, parts[i]); !ok {
			return false
		}
	}
	return len(pattern) == len(parts)
}
