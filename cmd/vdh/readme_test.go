package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs every command of the README in order, on the machines that it names.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSetting(t)
	writeFile(t, filepath.Join(s.dir, "bin/pg_dump"), []byte("#!/bin/sh\necho 'create table t;'\n"))
	s.do(os.Chmod(filepath.Join(s.dir, "bin/pg_dump"), 0o700))
	list := stepsOf(string(text))
	if len(list) < 30 {
		t.Fatalf("only %d commands found", len(list))
	}
	s.steps(list)
}

// TestReadmeNames holds that the verbs, topics, files and folders that the README names are there.
func TestReadmeNames(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	have := map[string]bool{}
	for _, p := range manual() {
		have[strings.TrimPrefix(p.cmd.CommandPath(), "vdh ")] = true
	}
	for _, m := range regexp.MustCompile(`(?m)(?:^    |\x60)vdh (?:help )?([a-z][a-z-]*)`).FindAllStringSubmatch(text, -1) {
		if !have[m[1]] && m[1] != "help" && m[1] != "demo" {
			t.Errorf("the README has %q, which is no verb and no topic", m[0])
		}
	}
	_, tree, _ := strings.Cut(text, "## What is where")
	tree, _, _ = strings.Cut(tree, "## Words")
	parent := ""
	for line := range strings.Lines(tree) {
		m := regexp.MustCompile(`^    (  )?([a-z/]+)/ +(.*)$`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[1] == "" {
			parent = m[2]
		} else {
			m[2] = filepath.Join(parent, m[2])
		}
		names := regexp.MustCompile(`[A-Z]+\.md`).FindAllString(m[3], -1)
		for _, name := range append(names, "") {
			if _, err := os.Stat(filepath.Join("../..", m[2], name)); err != nil {
				t.Errorf("the README names %s: %v", filepath.Join(m[2], name), err)
			}
		}
	}
}

// TestTopicsNames holds that the packages that help topics refer to are there.
func TestTopicsNames(t *testing.T) {
	for _, cmd := range topics() {
		for _, name := range regexp.MustCompile(`\b(venti|dhash|snapshot)/[a-z]+\b`).FindAllString(cmd.Long, -1) {
			if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
				t.Errorf("vdh help %s: %v", cmd.Name(), err)
			}
		}
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(line)) > 104 {
				t.Errorf("vdh help %s: line of %d letters: %s", cmd.Name(), len([]rune(line))-1, line)
			}
		}
	}
}
