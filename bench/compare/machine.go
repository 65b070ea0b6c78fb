package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// A machine is what figures depend on beside the programs.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	SHA        bool   `json:"sha_instructions"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	Filesystem string `json:"filesystem"` // of the folder in which everything happens
	Go         string `json:"go"`
	Load       string `json:"load"` // load averages before the first run: above zero means that somebody else is at work
}

// describe reads what the kernel tells. What it does not tell stays empty.
func describe(dir string) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Filesystem: filesystemOf(dir)}
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			m.CPU = strings.TrimSpace(value)
		case "flags", "Features":
			m.SHA = strings.Contains(value, " sha_ni") || strings.Contains(value, " sha2")
		}
	}
	_, memory, _ := strings.Cut(read("/proc/meminfo"), "MemTotal:")
	memory, _, _ = strings.Cut(memory, "\n")
	m.Memory = strings.TrimSpace(memory)
	m.Kernel = strings.TrimSpace(read("/proc/sys/kernel/osrelease"))
	if load := strings.Fields(read("/proc/loadavg")); len(load) > 2 {
		m.Load = strings.Join(load[:3], " ")
	}
	return m
}

// filesystemOf returns the type of the file system that is mounted deepest on the way to dir.
func filesystemOf(dir string) string {
	kind, deepest := "", -1
	for line := range strings.Lines(read("/proc/self/mounts")) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		at := strings.TrimSuffix(fields[1], "/")
		if (dir == at || strings.HasPrefix(dir, at+"/")) && len(at) >= deepest {
			kind, deepest = fields[2], len(at)
		}
	}
	return kind
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

func (m machine) print(w io.Writer) {
	instructions := "without SHA instructions"
	if m.SHA {
		instructions = "with SHA instructions"
	}
	fmt.Fprintf(w, "machine: %d × %s %s, %s, Linux %s, %s, %s\n", m.Cores, m.CPU, instructions, m.Memory, m.Kernel,
		m.Filesystem, m.Go)
	fmt.Fprintf(w, "load before: %s\n", m.Load)
}
