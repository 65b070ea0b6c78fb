package web_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot/vac"
	"ventidhash/snapshot/web"
	"ventidhash/venti"
)

var july = time.Date(2026, 7, 1, 2, 3, 4, 0, time.UTC)

// keys returns the keys in order.
func keys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// TestFolders goes through the folders above the snapshots.
func TestFolders(t *testing.T) {
	a := newArchived(t)
	first := a.backup("www", july)
	a.write("a.txt", []byte("changed\n"))
	last := a.backup("db/1", july.AddDate(0, 0, 1))
	s := a.serve(web.Config{})
	for _, c := range []struct {
		path string
		want []string
	}{
		{"/", []string{"dates/", "hosts/", "ids/", "latest/"}},
		{"/ids/", []string{"../", first.Score.String() + "/", last.Score.String() + "/"}},
		{"/dates/2026/07/", []string{"../", "01/", "02/"}},
		{"/dates/2026/07/01/", []string{"../", "0203/"}},
		{"/hosts/", []string{"../", "db%2F1/", "www/"}},
		{"/hosts/www/", []string{"../", "dates/", "ids/", "latest/"}},
	} {
		slices.Sort(c.want)
		if got := keys(s.links(c.path)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"/latest": "changed\n", "/ids/" + first.Score.String(): "hello\n", "/dates/2026/07/02/0203": "changed\n",
		"/hosts/www/latest": "hello\n", "/hosts/db%252F1/latest": "changed\n",
	} {
		if _, body := s.get(http.StatusOK, path+a.dir+"/a.txt"); body != want {
			t.Errorf("%s: %q, want %q", path, body, want)
		}
	}
	s.get(http.StatusNotFound, "/ids/"+first.Score.Short()+"/")
	s.get(http.StatusNotFound, "/nothing")

	third := a.backup("www", july.AddDate(0, 0, 2))
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // it appears within a second
		if _, ok := s.links("/ids/")[third.Score.String()+"/"]; ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a new snapshot does not appear")
		}
	}
}

// TestFiles reads files in all ways that HTTP has.
func TestFiles(t *testing.T) {
	a := newArchived(t)
	old := a.backup("h", july)
	a.write("a.txt", []byte("changed\n"))
	a.backup("h", july.AddDate(0, 0, 1))
	s := a.serve(web.Config{})
	top := "/latest" + a.dir

	res, body := s.get(http.StatusOK, top+"/sub/large")
	tag := res.Header.Get("ETag")
	if body != string(large) || tag == "" || res.ContentLength != int64(len(large)) || res.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("large: %d bytes, %v", len(body), res.Header)
	}
	if res, body := s.get(http.StatusPartialContent, top+"/sub/large", "Range", "bytes=1000000-1000009"); body != string(large[1000000:1000010]) ||
		res.Header.Get("Content-Range") != "bytes 1000000-1000009/"+strconv.Itoa(len(large)) {
		t.Errorf("a range: %q, %v", body, res.Header)
	}
	if _, body := s.get(http.StatusPartialContent, top+"/sub/large", "Range", "bytes=-5"); body != string(large[len(large)-5:]) {
		t.Errorf("the end: %q", body)
	}
	if _, body := s.get(http.StatusPartialContent, top+"/sub/large", "Range", "bytes=0-1,9-9"); !strings.Contains(body, "Content-Range: bytes 9-9/") {
		t.Errorf("two ranges: %q", body)
	}
	s.get(http.StatusRequestedRangeNotSatisfiable, top+"/sub/large", "Range", "bytes=99999999-")
	s.get(http.StatusNotModified, top+"/sub/large", "If-None-Match", tag)
	s.get(http.StatusPreconditionFailed, top+"/sub/large", "If-Match", `"x"`)
	if res, body := s.do(http.MethodHead, top+"/sub/large", ""); res.StatusCode != http.StatusOK || body != "" || res.ContentLength != int64(len(large)) {
		t.Errorf("HEAD: %s, %d bytes", res.Status, len(body))
	}

	before, _ := s.get(http.StatusOK, "/ids/"+old.Score.String()+a.dir+"/sub/large")
	if before.Header.Get("ETag") != tag {
		t.Error("the same content has another ETag in another snapshot")
	}
	one, _ := s.get(http.StatusOK, "/ids/"+old.Score.String()+a.dir+"/a.txt")
	two, _ := s.get(http.StatusOK, top+"/a.txt")
	if x, y := one.Header.Get("ETag"), two.Header.Get("ETag"); x == y || x == "" || y == "" {
		t.Errorf("other content, ETags %s and %s", x, y)
	}
	if ct := two.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || two.Header.Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("%v", two.Header)
	}
	if _, body := s.get(http.StatusOK, top+"/empty"); body != "" {
		t.Errorf("empty: %q", body)
	}
	if res, _ := s.get(http.StatusMovedPermanently, top+"/sub"); res.Header.Get("Location") != top+"/sub/" {
		t.Errorf("to %q", res.Header.Get("Location"))
	}
	s.get(http.StatusNotFound, top+"/a.txt/")
	s.get(http.StatusNotFound, top+"/a.txt/b")
	s.get(http.StatusForbidden, top+"/pipe")
}

// TestLinks holds that links are followed within their snapshot, and not out of it.
func TestLinks(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	top := "/latest" + a.dir
	if _, body := s.get(http.StatusOK, top+"/link"); body != string(large) {
		t.Errorf("link: %d bytes", len(body))
	}
	if _, body := s.get(http.StatusOK, top+"/abs"); body != "hello\n" {
		t.Errorf("abs: %q", body)
	}
	if _, body := s.get(http.StatusOK, top+"/dirlink/large"); body != string(large) {
		t.Errorf("dirlink: %d bytes", len(body))
	}
	for _, name := range []string{"up", "gone"} {
		s.get(http.StatusNotFound, top+"/"+name)
	}
	s.get(http.StatusInternalServerError, top+"/loop")
	want := []string{"../", "a.txt", "abs", "dirlink/", "empty", "link", "odd/", "sub/"}
	if got := keys(s.links(top + "/")); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, body := s.get(http.StatusOK, top+"/"); len(rowText.FindAllString(body, -1)) != len(want)+4 || !strings.Contains(body, "gone &rarr; nowhere") {
		t.Errorf("what cannot be opened is listed: %s", body)
	}
}

// TestOddNames follows every link of a page to a file whose name is its content.
func TestOddNames(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	n := 0
	for text, path := range s.links("/latest" + a.dir + "/odd/") {
		if text == "../" {
			continue
		}
		n++
		if _, body := s.get(http.StatusOK, path); strings.ToValidUTF8(body, "\ufffd") != text {
			t.Errorf("%q leads to %q", text, body)
		}
	}
	if n != len(odd) {
		t.Errorf("%d of %d", n, len(odd))
	}
}

// TestOneTree shows one snapshot alone.
func TestOneTree(t *testing.T) {
	a := newArchived(t)
	tree, err := a.Open(t.Context(), a.backup("h", july))
	a.must(err)
	s := a.serve(web.Config{Tree: tree})
	if _, body := s.get(http.StatusOK, a.dir+"/a.txt"); body != "hello\n" {
		t.Errorf("%q", body)
	}
	s.get(http.StatusOK, "/")
	s.get(http.StatusNotFound, "/latest/")
	for _, cfg := range []web.Config{{}, {Tree: tree, Snapshots: a}} {
		if _, err := web.New(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// TestDamage holds that what is unavailable, missing or damaged is told apart, and works again when it is back.
func TestDamage(t *testing.T) {
	a := newArchived(t)
	snap := a.backup("h", july)
	tree, err := a.Open(t.Context(), snap)
	a.must(err)
	d, err := tree.Lookup(t.Context(), a.dir+"/sub/large")
	a.must(err)
	var leaves []venti.Score
	a.must(tree.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
		if u.Role == vac.RoleFile && u.Leaf {
			leaves = append(leaves, u.Ref.Score)
		}
		return true, err
	}))
	if len(leaves) < 2 || d.Content.Kind != vac.Stream {
		t.Fatalf("the large file has %d leaves", len(leaves))
	}
	path := a.dir + "/sub/large"
	show := func() *site { // with an empty cache
		tree, err := a.Open(t.Context(), snap)
		a.must(err)
		return a.serve(web.Config{Tree: tree})
	}
	s := show()
	for _, leaf := range leaves {
		a.store.Unavailable(leaf, true)
	}
	if res, _ := s.get(http.StatusServiceUnavailable, path); res.Header.Get("Retry-After") == "" || res.Header.Get("ETag") != "" {
		t.Errorf("%v", res.Header)
	}
	for _, leaf := range leaves {
		a.store.Unavailable(leaf, false)
	}
	if _, body := s.get(http.StatusOK, path); body != string(large) {
		t.Errorf("back again: %d bytes", len(body))
	}

	s = show()
	last := leaves[len(leaves)-1]
	a.store.Unavailable(last, true)
	res, err := s.client.Get(s.url + path)
	a.must(err)
	body, err := io.ReadAll(res.Body)
	if err == nil || len(body) >= len(large) || !bytes.HasPrefix(large, body) {
		t.Errorf("a file that cannot be read to its end: %d bytes, %v", len(body), err)
	}
	res.Body.Close()
	a.store.Unavailable(last, false)

	a.store.Corrupt(leaves[0])
	if _, body := show().get(http.StatusInternalServerError, path); !strings.Contains(body, "damaged") {
		t.Errorf("%s", body)
	}
	a.store.Drop(leaves[0])
	if _, body := show().get(http.StatusInternalServerError, path); !strings.Contains(body, "missing") {
		t.Errorf("%s", body)
	}
}
