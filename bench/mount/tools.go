package main

import (
	"os/exec"
	"path/filepath"
)

// A place is where one tool works: what it keeps, what it reads, and where it mounts.
type place struct {
	home   string // HOME: store, configuration, caches
	source string // the folder that is kept
	dir    string // the mount
}

// A tool is a program and how it is told what to do. Its mounts stay in the foreground.
type tool struct {
	name   string
	env    []string                 // beside PATH, HOME and LANG
	keep   func(p place) [][]string // commands that make a store, and one snapshot of the source in it
	mount  func(p place) []string
	within func(p place) string // where the source is in the mount
}

// vdh is the program of this repository.
var vdh = tool{
	name:   "vdh",
	keep:   func(p place) [][]string { return [][]string{{"backup", "-q", p.source}} },
	mount:  func(p place) []string { return []string{"mount", "--foreground", p.dir} },
	within: func(p place) string { return filepath.Join(p.dir, "latest", p.source) },
}

var restic = tool{
	name: "restic",
	env:  []string{"RESTIC_PASSWORD=benchmark"},
	keep: func(p place) [][]string {
		return [][]string{{"-r", p.home + "/store", "init", "--repository-version", "2"}, {"-r", p.home + "/store", "backup", "-q", p.source}}
	},
	mount:  func(p place) []string { return []string{"-r", p.home + "/store", "mount", p.dir} },
	within: func(p place) string { return filepath.Join(p.dir, "snapshots", "latest", p.source) },
}

var borg = tool{
	name: "borg",
	env:  []string{"BORG_PASSPHRASE=benchmark"},
	keep: func(p place) [][]string {
		return [][]string{{"init", "-e", "repokey", p.home + "/store"},
			{"create", "--compression", "zstd,3", p.home + "/store::one", p.source}}
	},
	mount:  func(p place) []string { return []string{"mount", "-f", p.home + "/store::one", p.dir} },
	within: func(p place) string { return filepath.Join(p.dir, p.source) },
}

// others are the programs to compare with.
var others = []*tool{&restic, &borg}

// find returns the path of a tool's executable, or "" when the machine has none.
func (t *tool) find() string {
	path, err := exec.LookPath(t.name)
	if err != nil {
		return ""
	}
	return path
}
