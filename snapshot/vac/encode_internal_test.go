package vac

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"ventidhash/venti"
)

// vectors reads a file of testdata: paragraphs of "key: value" lines, each of which has a name.
func vectors(t testing.TB, file string) []map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for paragraph := range strings.SplitSeq(string(b), "\n\n") {
		v := map[string]string{}
		for line := range strings.Lines(paragraph) {
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && line[0] != '#' {
				v[key] = value
			}
		}
		if v["name"] != "" {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no vectors", file)
	}
	return out
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// words is a Dir as the vectors write it.
func words(d *Dir) string {
	var xattrs []string
	for _, x := range d.Xattrs {
		xattrs = append(xattrs, fmt.Sprintf("%x:%x", x.Name, x.Value))
	}
	content := "empty"
	switch c := d.Content; c.Kind {
	case Sliced:
		content = fmt.Sprintf("slice %s %s %d %02x", c.Slice.Block.Score, c.Slice.Block.Key, c.Slice.Offset, c.Slice.Hash[0])
	case Stream:
		content = fmt.Sprintf("stream %d hole", c.Stream.Size)
		if !c.Stream.IsHole() {
			content = fmt.Sprintf("stream %d %d %s %s", c.Stream.Size, c.Stream.Depth, c.Stream.Top.Score, c.Stream.Top.Key)
		}
	case Nested:
		content = fmt.Sprintf("nested %x", c.Nested)
	}
	return fmt.Sprintf("name=%x type=%d mode=%o owner=%d:%d names=%x:%x mtime=%d.%09d ctime=%d.%09d inode=%d:%d links=%d "+
		"size=%d sparse=%t target=%x device=%d:%d xattrs=%s content=%s", d.Name, d.Type, d.Mode, d.UID, d.GID, d.User,
		d.Group, d.ModTime.Sec, d.ModTime.Nsec, d.ChangeTime.Sec, d.ChangeTime.Nsec, d.Device, d.Inode, d.Links, d.Size,
		d.Sparse, d.Target, d.Major, d.Minor, strings.Join(xattrs, ","), content)
}

// TestRecordVectors reads records that another program made, and makes the sound ones again.
func TestRecordVectors(t *testing.T) {
	for _, v := range vectors(t, "records.txt") {
		body := unhex(t, v["body"])
		var p prior
		if after := v["after"]; after != "" {
			before, err := parseBody(unhex(t, after), &p, texts{})
			if err != nil {
				t.Fatalf("%s: the record before: %v", v["name"], err)
			}
			p.next(before)
		}
		d, err := parseBody(body, &p, texts{})
		if text, ok := strings.CutPrefix(v["expect"], "error "); ok {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want an error that says %q", v["name"], err, text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v["name"], err)
			continue
		}
		if got := words(d); got != v["expect"] {
			t.Errorf("%s:\n%s, want\n%s", v["name"], got, v["expect"])
		}
		if again := appendBody(nil, &p, d); !bytes.Equal(again, body) {
			t.Errorf("%s: encoded again\n%x, read\n%x", v["name"], again, body)
		}
	}
}

// names reads a directory and writes its names, and an error after them.
func names(es *Entries) string {
	var out []string
	for {
		d, err := es.Next()
		if err == io.EOF {
			return strings.Join(out, " ")
		}
		if err != nil {
			if !errors.Is(err, venti.ErrCorrupt) {
				return "not ErrCorrupt: " + err.Error()
			}
			return strings.Join(append(out, "error "+err.Error()), " ")
		}
		out = append(out, strings.Trim(strconv.Quote(d.Name), `"`))
	}
}

func TestDirectoryVectors(t *testing.T) {
	for _, v := range vectors(t, "directories.txt") {
		got := names(NewEntries(t.Context(), nil, Content{Kind: Nested, Nested: unhex(t, v["bytes"])}))
		before, text, bad := strings.Cut(v["expect"], "error ")
		if bad && (!strings.HasPrefix(got, before+"error ") || !strings.Contains(got, text)) || !bad && got != v["expect"] {
			t.Errorf("%s: %s, want %s", v["name"], got, v["expect"])
		}
	}
}

func TestSharesVectors(t *testing.T) {
	for _, v := range vectors(t, "shares.txt") {
		table := unhex(t, v["bytes"])
		s, err := parseShares(table)
		if text, ok := strings.CutPrefix(v["expect"], "error "); ok {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want an error that says %q", v["name"], err, text)
			}
			continue
		}
		var got []string
		for i := range 256 {
			if row, ok := s[venti.Score(bytes.Repeat([]byte{byte(i)}, 32))]; ok {
				got = append(got, fmt.Sprint(i, ":", row.Size, ":", row.Used))
			}
		}
		if err != nil || strings.Join(got, " ") != v["expect"] {
			t.Errorf("%s: %v, %v, want %s", v["name"], got, err, v["expect"])
		}
		if again := appendShares(s); !bytes.Equal(again, table) {
			t.Errorf("%s: encoded again %x", v["name"], again)
		}
	}
}

// TestBounds holds that what a record may hold at most passes, and a little more does not.
func TestBounds(t *testing.T) {
	many := make([]Xattr, maxXattrs+1)
	for i := range many {
		many[i].Name = fmt.Sprintf("user.%06d", i)
	}
	long := strings.Repeat("x", maxText+1)
	nest := func(b string) Dir { return Dir{Type: Directory, Content: Content{Kind: Nested, Nested: []byte(b)}} }
	for name, d := range map[string]struct{ fits, over Dir }{
		"name":       {Dir{Name: long[:maxName]}, Dir{Name: long[:maxName+1]}},
		"user":       {Dir{User: long[:maxName]}, Dir{User: long[:maxName+1]}},
		"group":      {Dir{Group: long[:maxName]}, Dir{Group: long[:maxName+1]}},
		"target":     {Dir{Type: Symlink, Target: long[:maxText]}, Dir{Type: Symlink, Target: long}},
		"attribute":  {Dir{Xattrs: []Xattr{{"a", long[:maxText]}}}, Dir{Xattrs: []Xattr{{"a", long}}}},
		"attributes": {Dir{Xattrs: many[:maxXattrs]}, Dir{Xattrs: many}},
		"nested":     {nest(long[:nestMax]), nest(long[:nestMax+1])},
		"nanosecond": {Dir{ModTime: Stamp{Nsec: 999_999_999}}, Dir{ModTime: Stamp{Nsec: 1_000_000_000}}},
		"mode":       {Dir{Mode: 0o7777}, Dir{Mode: 0o10000}},
	} {
		for what, d := range map[string]Dir{"fits": d.fits, "over": d.over} {
			if d.Name == "" {
				d.Name = "x"
			}
			if d.Type == 0 {
				d.Type = File
			}
			d.Links = 1
			got, err := parseBody(appendBody(nil, &prior{}, &d), &prior{}, texts{})
			if (err == nil) != (what == "fits") || err == nil && words(got) != words(&d) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
}
