package main

import (
	"os/exec"
	"path/filepath"
)

// A step is one thing that every tool is asked to do to a fresh store, in the order of steps.
type step string

const (
	stepInit      step = "init"
	stepFirst     step = "first"
	stepUnchanged step = "unchanged"
	stepChanged   step = "changed"
	stepList      step = "list"
	stepRestore   step = "restore"
	stepCheck     step = "check"
)

var steps = []step{stepInit, stepFirst, stepUnchanged, stepChanged, stepList, stepRestore, stepCheck}

// A place is where one tool works: its program, what it keeps, what it reads and what it writes. The folders of two
// runs have nothing in common, so no run finds a warm cache or a configuration of another's.
type place struct {
	program string // absolute path of the executable
	home    string // HOME: configuration, caches, databases
	source  string // the data set
	target  string // where a restore goes; exists and is empty
}

// store is the folder whose size counts as the size of the backup.
func (p place) store() string { return filepath.Join(p.home, "store") }

// A tool is a backup program and how it is told to do each step.
type tool struct {
	name    string
	version []string                         // arguments that print its version
	env     func(p place) []string           // beside PATH, HOME and LANG
	args    func(p place, s step) [][]string // the commands of a step; their figures are added up
	tree    func(p place) string             // where a restore leaves the copy of source
	store   func(p place) string             // nil: place.store
	full    bool                             // a restore must bring back modes and modification times too
}

// storeOf returns the folder whose size is measured.
func (t *tool) storeOf(p place) string {
	if t.store != nil {
		return t.store(p)
	}
	return p.store()
}

// below is where programs that keep the absolute path leave the tree.
func below(p place) string { return filepath.Join(p.target, p.source) }

// vdh is the program of this repository; everything it keeps is under private XDG folders.
var vdh = tool{
	name:    "vdh",
	version: []string{"--version"},
	env: func(p place) []string {
		return []string{
			"XDG_DATA_HOME=" + filepath.Join(p.home, "data"),
			"XDG_CONFIG_HOME=" + filepath.Join(p.home, "config"),
			"XDG_CACHE_HOME=" + filepath.Join(p.home, "cache"),
			"XDG_STATE_HOME=" + filepath.Join(p.home, "state"),
		}
	},
	args: func(p place, s step) [][]string {
		switch s {
		case stepInit:
			return [][]string{{"init"}}
		case stepList:
			return [][]string{{"snapshots"}}
		case stepRestore:
			return [][]string{{"restore", "latest", "--target", p.target}}
		case stepCheck:
			return [][]string{{"check", "--read-data"}}
		default:
			return [][]string{{"backup", p.source}}
		}
	},
	tree:  below,
	store: func(p place) string { return filepath.Join(p.home, "data", "vdh", "store") },
	full:  true,
}

// restic with its second repository format, which compresses, at the default level.
var restic = tool{
	name:    "restic",
	version: []string{"version"},
	env: func(p place) []string {
		return []string{
			"RESTIC_PASSWORD=benchmark",
			"RESTIC_REPOSITORY=" + p.store(),
			"RESTIC_CACHE_DIR=" + filepath.Join(p.home, "cache"),
		}
	},
	args: func(p place, s step) [][]string {
		switch s {
		case stepInit:
			return [][]string{{"init", "--repository-version", "2"}}
		case stepList:
			return [][]string{{"snapshots"}}
		case stepRestore:
			return [][]string{{"restore", "latest", "--target", p.target}}
		case stepCheck:
			return [][]string{{"check", "--read-data"}}
		default:
			return [][]string{{"backup", p.source}}
		}
	},
	tree: below,
}

// kopia with zstd, which it does not use unless told to.
var kopia = tool{
	name:    "kopia",
	version: []string{"--version"},
	env: func(p place) []string {
		return []string{
			"KOPIA_PASSWORD=benchmark",
			"KOPIA_CONFIG_PATH=" + filepath.Join(p.home, "kopia.config"),
			"KOPIA_CACHE_DIRECTORY=" + filepath.Join(p.home, "cache"),
			"KOPIA_LOG_DIR=" + filepath.Join(p.home, "log"),
			"KOPIA_CHECK_FOR_UPDATES=false",
		}
	},
	args: func(p place, s step) [][]string {
		switch s {
		case stepInit:
			return [][]string{
				{"repository", "create", "filesystem", "--path", p.store()},
				{"policy", "set", "--global", "--compression=zstd"},
			}
		case stepList:
			return [][]string{{"snapshot", "list"}}
		case stepRestore:
			return [][]string{{"restore", p.source, p.target}}
		case stepCheck:
			return [][]string{{"snapshot", "verify", "--verify-files-percent=100"}}
		default:
			return [][]string{{"snapshot", "create", p.source}}
		}
	},
	tree: func(p place) string { return p.target },
}

// borg with zstd at level 3: restic's, kopia's and our own compression, where borg's default, lz4, would make it
// faster and its stores larger, and the columns of different work.
var borg = tool{
	name:    "borg",
	version: []string{"--version"},
	env: func(p place) []string {
		return []string{
			"BORG_PASSPHRASE=benchmark",
			"BORG_REPO=" + p.store(),
			"BORG_BASE_DIR=" + p.home,
		}
	},
	args: func(p place, s step) [][]string {
		switch s {
		case stepInit:
			return [][]string{{"init", "-e", "repokey"}}
		case stepList:
			return [][]string{{"list"}}
		case stepRestore:
			return [][]string{{"extract", "::" + string(stepChanged)}}
		case stepCheck:
			return [][]string{{"check", "--verify-data"}}
		default:
			return [][]string{{"create", "--compression", "zstd,3", "::" + string(s), p.source}}
		}
	},
	tree: below,
}

// bup neither encrypts nor signs; its check verifies git packs.
var bup = tool{
	name:    "bup",
	version: []string{"--version"},
	env:     func(p place) []string { return []string{"BUP_DIR=" + p.store()} },
	args: func(p place, s step) [][]string {
		switch s {
		case stepInit:
			return [][]string{{"init"}}
		case stepList:
			return [][]string{{"ls", "set"}}
		case stepRestore:
			return [][]string{{"restore", "--outdir", p.target, "/set/latest" + p.source + "/."}}
		case stepCheck:
			return [][]string{{"fsck"}}
		default:
			return [][]string{{"index", p.source}, {"save", "-q", "-n", "set", p.source}}
		}
	},
	tree: func(p place) string { return p.target },
}

// others are the programs to compare with, in the order of the report's columns.
var others = []*tool{&restic, &kopia, &borg, &bup}

// find returns the path of a tool's executable, or "" when the machine has none.
func (t *tool) find() string {
	path, err := exec.LookPath(t.name)
	if err != nil {
		return ""
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return ""
	}
	return path
}
