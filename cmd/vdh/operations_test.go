package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// situations says how it came to each section of vdh help operations that has commands.
var situations = map[string]func(*setting){
	"WHAT TO WATCH": func(s *setting) {
		s.lab()
		s.use("first", "swarm")
	},
	"THE DISK WITH THE FILES IS LOST": func(s *setting) {
		s.folder()
		s.lose("srv")
	},
	"THE DISK WITH THE STORE IS LOST": func(s *setting) {
		s.folder()
		s.run("first", "vdh copy --to /mnt/usb/archive")
		s.lose("mnt/archive")
		s.lose("first")
	},
	"THE MACHINE IS LOST, THE STORE IS NOT": func(s *setting) {
		s.folder()
		s.lose("first")
		s.lose("srv")
	},
	"THE MACHINE IS LOST, THE SWARM IS NOT": func(s *setting) {
		s.lab("second", "third", "fourth", "fifth") // of which three are enough
		s.stop("fourth")
		s.lost = "fourth" // of which the place is not taken
		s.run("first", "cp ~/.local/share/vdh/swarm/swarm-key /mnt/usb/")
		s.run("second", "vdh backup --store swarm /srv /etc")
		s.stop("second")
		s.note("second")
		s.lose("second")
		s.lose("srv")
	},
	"THE DISK OF A MEMBER IS LOST": func(s *setting) {
		s.lab()
		s.stop("second")
		s.lose("second/.local/share/vdh/swarm/fragments")
		s.at = "second"
	},
	"A MEMBER IS AWAY": func(s *setting) {
		s.lab("second", "third", "fourth") // of three members that saw one vanish, each takes itself for cut off
		s.stop("third")
	},
	"A MEMBER IS TO LEAVE": func(s *setting) {
		s.lab()
		s.at = "third"
	},
	"THE SERVER MOVES": func(s *setting) {
		s.folder()
		s.lab()
		s.run("third", "vdh backup /srv")
		s.at, s.heir = "third", map[string]string{"new": "third"}
	},
	"THE SWARM GROWS": func(s *setting) { s.lab() },
	"A DISK IS FULL": func(s *setting) {
		s.folder()
		s.run("first", "vdh backup /srv")
		s.lab()
	},
	"SOMETHING IS DAMAGED": func(s *setting) {
		s.folder()
		s.run("first", "vdh copy --to /mnt/usb/archive")
	},
	"THE LIST OF SNAPSHOTS IS DAMAGED": func(s *setting) {
		s.folder()
		s.run("first", "vdh backup /srv")
		heads, err := filepath.Glob(filepath.Join(s.dir, "mnt/archive/owners/*/head"))
		s.do(err)
		s.do(os.WriteFile(heads[0], []byte("damaged"), 0o600))
	},
	"UPGRADING": func(s *setting) { s.lab() },
}

// folder has the first machine keep /srv in /mnt/archive, which its config file names.
func (s *setting) folder() {
	s.use("first", filepath.Join(s.dir, "mnt/archive"))
	s.run("first", "vdh backup /srv")
	s.note("first")
}

// TestOperations runs every command of vdh help operations, each section in a situation of its own.
func TestOperations(t *testing.T) {
	withoutRace(t)
	_, text := topic("operations")
	sections := map[string]string{}
	title := ""
	for line := range strings.Lines(text) {
		if name := strings.TrimSpace(line); name == strings.TrimSuffix(line, "\n") && heading(name) {
			title = name
		}
		sections[title] += line
	}
	for title := range situations {
		if sections[title] == "" {
			t.Errorf("there is no section %q", title)
		}
	}
	for title, text := range sections {
		list := stepsOf(text)
		if len(list) == 0 {
			continue
		}
		t.Run(strings.ToLower(strings.ReplaceAll(title, " ", "-")), func(t *testing.T) {
			t.Parallel()
			before := situations[title]
			if before == nil {
				t.Fatal("the section has commands, and no situation to run them in")
			}
			s := newSetting(t)
			before(s)
			s.steps(list)
			if b, err := os.ReadFile(filepath.Join(s.dir, "srv/www/index.html")); err != nil || string(b) != "hello" {
				t.Errorf("in the end a file of /srv has %q, %v", b, err)
			}
		})
	}
}
