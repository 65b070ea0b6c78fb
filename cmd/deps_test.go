// Package cmd_test states who may import whom.
package cmd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ventidhash/"

// mayImport is policy: change it in its own commit, with a reason.
var mayImport = map[string][]string{
	"venti":    {},
	"dhash":    {"venti"},
	"snapshot": {"venti"},
	"cmd":      {"venti", "dhash", "snapshot"},
	"bench":    {"venti", "dhash", "snapshot"},
}

// nouns may import nothing inside their own folder, and of others only what the second table says.
var nouns = []string{"venti", "dhash", "snapshot"}

// soleImporters names, for each heavy library, the only packages that may see it.
var soleImporters = map[string][]string{
	"github.com/libp2p/go-libp2p-kad-dht": {"dhash/kad"},
	"github.com/hanwen/go-fuse":           {"snapshot/mount"},
	"github.com/ipfs/go-datastore":        {"venti/index", "dhash/kad"},
	"github.com/ipfs/go-ds-badger":        {"venti/index", "dhash/kad"},
	"github.com/dgraph-io/badger":         {"venti/index"},
	"github.com/spf13/cobra":              {"cmd/vdh"},
}

// stdOnly may import the standard library alone.
var stdOnly = []string{"venti"}

func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel("..", name)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		if strings.Contains(pkg, "testdata") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, imp := range f.Imports {
			dep, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			checkEdge(t, pkg, dep)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("read only %d files: the test looks in the wrong place", files)
	}
}

func checkEdge(t *testing.T, pkg, dep string) {
	t.Helper()
	ours, local := strings.CutPrefix(dep, module)
	if !local {
		for lib, who := range soleImporters {
			if (dep == lib || strings.HasPrefix(dep, lib+"/")) && !slices.Contains(who, pkg) {
				t.Errorf("%s imports %s; only %v may", pkg, dep, who)
			}
		}
		if slices.Contains(stdOnly, pkg) && strings.Contains(strings.Split(dep, "/")[0], ".") {
			t.Errorf("%s imports %s; it may import the standard library alone", pkg, dep)
		}
		return
	}
	from, _, _ := strings.Cut(pkg, "/")
	to, _, _ := strings.Cut(ours, "/")
	switch {
	case from != to && !slices.Contains(mayImport[from], to):
		t.Errorf("%s imports %s; %s may not import %s", pkg, dep, from, to)
	case from != to && slices.Contains(nouns, pkg) && !slices.Contains(nouns, ours):
		t.Errorf("%s holds the nouns; of %s it may import the nouns alone, not %s", pkg, to, dep)
	case from == to && slices.Contains(nouns, pkg):
		t.Errorf("%s holds the nouns; it may not import %s", pkg, dep)
	}
}

// The rules themselves must be able to fail.
func TestImportRulesBite(t *testing.T) {
	for _, edge := range [][2]string{
		{"venti", module + "venti/tree"},
		{"venti/tree", module + "snapshot/vac"},
		{"snapshot/vac", module + "dhash"},
		{"snapshot", module + "venti/tree"},
		{"snapshot/vac", "github.com/ipfs/go-datastore/query"},
		{"venti", "github.com/zeebo/blake3"},
	} {
		var probe testing.T
		checkEdge(&probe, edge[0], edge[1])
		if !probe.Failed() {
			t.Errorf("%s may import %s", edge[0], edge[1])
		}
	}
}
