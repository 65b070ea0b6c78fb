package archive

import (
	"path/filepath"
	"slices"
	"strings"
)

// A node is a directory on the way to the paths that are archived, or one of those paths.
type node struct {
	name string
	path string // set if the file at this path is archived, with all below it
	kids []*node
}

// plan turns absolute paths into the tree of directories that leads to them. A path inside another one is dropped.
func plan(paths []string) *node {
	top := &node{}
	for _, p := range Clean(paths) {
		n := top
		for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
			if name == "" {
				continue
			}
			i := slices.IndexFunc(n.kids, func(k *node) bool { return k.name == name })
			if i < 0 {
				n.kids = append(n.kids, &node{name: name})
				i = len(n.kids) - 1
			}
			n = n.kids[i]
		}
		n.path = p
	}
	top.sort()
	return top
}

func (n *node) sort() {
	slices.SortFunc(n.kids, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for _, k := range n.kids {
		k.sort()
	}
}

// Clean returns paths cleaned, sorted, and without those that lie inside another one.
func Clean(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, filepath.Clean(p))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(slices.Clone(out), func(p string) bool {
		return slices.ContainsFunc(out, func(q string) bool { return p != q && Within(p, q) })
	})
}

// Within reports whether path p is q or lies below it. Both are clean.
func Within(p, q string) bool {
	return p == q || q == "/" || strings.HasPrefix(p, q+"/")
}
