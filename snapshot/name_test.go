package snapshot_test

import (
	"strings"
	"testing"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

var (
	digits     = strings.Repeat("0123456789abcdef", 4)
	score      = mustScore(digits)
	capability = strings.Repeat("fe", 32)
)

func mustScore(text string) venti.Score {
	s, err := venti.ParseScore(text)
	if err != nil {
		panic(err)
	}
	return s
}

func TestParseName(t *testing.T) {
	key := venti.Key(mustScore(capability))
	for text, want := range map[string]snapshot.Name{
		digits:                             {Score: score},
		"vac:" + digits:                    {Score: score},
		"vac:" + digits + "/":              {Score: score},
		"vac:" + digits + "/srv/x":         {Score: score, SubPath: "/srv/x"},
		digits + "//srv/./y/../x/":         {Score: score, SubPath: "/srv/x"},
		digits + "/../..":                  {Score: score},
		digits + "/a#b@c:/d\xff":           {Score: score, SubPath: "/a#b@c:/d\xff"},
		"vac:" + digits + "#" + capability: {Score: score, Capability: key},
		digits + "#" + capability + "/x":   {Score: score, Capability: key, SubPath: "/x"},
		"01234567":                         {Prefix: "01234567"},
		"vac:" + digits[:63] + "/a":        {Prefix: digits[:63], SubPath: "/a"},
		"latest":                           {Latest: true},
		"latest/":                          {Latest: true},
		"latest/srv/x":                     {Latest: true, SubPath: "/srv/x"},
		"latest/a:/b":                      {Latest: true, SubPath: "/a:/b"},
		"latest@srv1":                      {Latest: true, Host: "srv1"},
		"latest@srv1/etc":                  {Latest: true, Host: "srv1", SubPath: "/etc"},
		"latest@fe80::1":                   {Latest: true, Host: "fe80::1"},
		"latest@me@here":                   {Latest: true, Host: "me@here"},
		"latest@srv1:/srv/x":               {Latest: true, Host: "srv1", Path: "/srv/x", SubPath: "/srv/x"},
		"latest@srv1:/srv/x/../y//":        {Latest: true, Host: "srv1", Path: "/srv/y", SubPath: "/srv/y"},
		"latest@:/srv":                     {Latest: true, Path: "/srv", SubPath: "/srv"},
		"latest@srv1:/":                    {Latest: true, Host: "srv1", Path: "/"},
		"latest@" + strings.Repeat("h", 70) + "/x": {Latest: true, Host: strings.Repeat("h", 70), SubPath: "/x"},
	} {
		if got, err := snapshot.ParseName(text); err != nil || got != want {
			t.Errorf("ParseName(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for text, hint := range map[string]string{
		"":                                     "names no snapshot",
		"newest":                               "names no snapshot",
		"latests":                              "names no snapshot",
		"/srv":                                 "names no snapshot",
		"vac:":                                 "hex digits",
		"vac:latest":                           "hex digits",
		"0123456":                              "at least 8",
		"vac:" + strings.ToUpper(digits):       "lower-case",
		digits + "0":                           "64 digits, not 65",
		digits[:40]:                            "SHA-1",
		"vac:" + digits[:40] + "/x":            "64 digits",
		digits[:63] + "#" + capability:         "whole score",
		digits + "#":                           "64 lower-case",
		digits + "#" + capability[1:]:          "64 lower-case",
		digits + "#" + capability + "#":        "64 lower-case",
		digits + "#" + strings.Repeat("0", 64): "opens nothing",
		strings.Repeat("0", 64):                "names nothing",
		"latest@":                              "host is missing",
		"latest@/srv":                          "host is missing",
		"latest@srv1:":                         "path is missing",
		"latest#" + capability:                 "names no snapshot",
	} {
		got, err := snapshot.ParseName(text)
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("ParseName(%q) = %+v, %v; want an error with %q", text, got, err, hint)
		}
		if got != (snapshot.Name{}) {
			t.Errorf("ParseName(%q) returned %+v beside its error", text, got)
		}
	}
}

func TestParseNameHidesCapability(t *testing.T) {
	for _, text := range []string{digits[:63] + "#" + capability, digits + "0#" + capability, digits + "#" + capability[1:], "vac:x#" + capability, "0123#" + capability} {
		if _, err := snapshot.ParseName(text); err == nil || strings.Contains(err.Error(), capability[:4]) {
			t.Errorf("the error shows the capability: %v", err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"latest@h:/p", "vac:" + digits + "#" + capability + "/x", "0123456789/a", "latest/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := snapshot.ParseName(text)
		if err != nil {
			return
		}
		set := 0
		for _, is := range []bool{!n.Score.IsZero(), n.Prefix != "", n.Latest} {
			if is {
				set++
			}
		}
		if set != 1 {
			t.Fatalf("%q: %+v", text, n)
		}
		for _, p := range []string{n.SubPath, n.Path} {
			if p != "" && p[0] != '/' || strings.Contains(p+"/", "/../") || strings.Contains(p, "//") {
				t.Fatalf("%q: path %q is not clean", text, p)
			}
		}
	})
}
