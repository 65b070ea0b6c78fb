package archive

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"golang.org/x/sys/unix"
)

// Exclude says what to leave out. Patterns are those of gitignore: a later one overrides an earlier one, "!" takes back
// in, a trailing slash means directories only, and a pattern with another slash in it is anchored: to each archived
// path, or to the root of the file system if it begins with an archived path. What lies in an excluded directory is not
// looked at. The zero Exclude leaves out nothing.
type Exclude struct {
	Caches    bool     // contents of directories with a valid CACHEDIR.TAG
	IfPresent []string // contents of directories in which a file of one of these names is

	patterns []gitignore.Pattern
	matcher  gitignore.Matcher
}

// NewExclude compiles patterns for a walk of paths.
func NewExclude(patterns, paths []string) (*Exclude, error) {
	e := &Exclude{}
	for _, p := range patterns {
		if strings.TrimSpace(p) == "" || strings.HasPrefix(p, "#") {
			continue
		}
		if _, err := filepath.Match(strings.TrimPrefix(p, "!"), ""); err != nil {
			return nil, fmt.Errorf("exclude pattern %q: %w", p, err)
		}
		e.patterns = append(e.patterns, gitignore.ParsePattern(p, nil))
		if strings.Contains(strings.TrimSuffix(p, "/"), "/") {
			for _, path := range paths {
				e.patterns = append(e.patterns, gitignore.ParsePattern(p, components(path)))
			}
		}
	}
	e.matcher = gitignore.NewMatcher(e.patterns)
	return e, nil
}

// ReadPatterns reads patterns from a file, one a line.
func ReadPatterns(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		out = append(out, strings.TrimSuffix(lines.Text(), "\r"))
	}
	return out, lines.Err()
}

func components(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// A rule is what an Exclude means in one directory.
type rule struct {
	e    *Exclude
	only string // if not empty, everything but the file of this name is left out
}

const cacheTag = "CACHEDIR.TAG"

// cacheSignature is how a cache directory's tag begins (bford.info/cachedir).
const cacheSignature = "Signature: 8a477f597d28d172789f06886806bc55"

// enter returns the rule for the directory h with the given names in it.
func (e *Exclude) enter(h *handle, path string, names []string) rule {
	r := rule{e: e}
	if e == nil {
		return r
	}
	for _, name := range e.IfPresent {
		if slices.Contains(names, name) {
			r.only = name
			return r
		}
	}
	if e.Caches && slices.Contains(names, cacheTag) && hasSignature(h) {
		r.only = cacheTag
	}
	return r
}

func hasSignature(h *handle) bool {
	fd, err := openFile(h, cacheTag)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), cacheTag)
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	var b [len(cacheSignature)]byte
	_, err = io.ReadFull(f, b[:])
	return err == nil && bytes.Equal(b[:], []byte(cacheSignature))
}

// excluded reports whether the file at path, called name, is left out.
func (r rule) excluded(path, name string, isDir bool) bool {
	if r.only != "" && name != r.only {
		return true
	}
	return r.e != nil && r.e.matcher != nil && len(r.e.patterns) > 0 && r.e.matcher.Match(components(path), isDir)
}
