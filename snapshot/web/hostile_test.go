package web_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ventidhash/snapshot/web"
)

// TestMethods holds that nothing but reading is answered.
func TestMethods(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	for _, method := range []string{"PUT", "POST", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "PROPPATCH", "PATCH", "TRACE",
		"get", "NONSENSE"} {
		for _, path := range []string{"/", "/latest" + a.dir + "/a.txt", "/new"} {
			res, _ := s.do(method, path, "x", "Destination", s.url+"/latest/b")
			if res.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(res.Header.Get("Allow"), "PROPFIND") {
				t.Errorf("%s %s: %s, %q", method, path, res.Status, res.Header.Get("Allow"))
			}
		}
	}
	if res, _ := s.do("OPTIONS", "/", ""); res.StatusCode != http.StatusOK || res.Header.Get("DAV") != "1" ||
		res.Header.Get("Allow") != "GET, HEAD, OPTIONS, PROPFIND" {
		t.Errorf("OPTIONS: %s, %v", res.Status, res.Header)
	}
}

// TestPaths holds that no path leads out of the snapshots.
func TestPaths(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	for _, path := range []string{"/../etc/passwd", "/latest/../../etc/passwd", "/%2e%2e/etc/passwd", "/latest/%2e%2e%2f%2e%2e%2fetc/passwd",
		"//etc/passwd", "/latest//etc", "/./latest", "/latest/.", "/latest/..", "/latest/%00", "/latest" + a.dir + "//",
		"/" + strings.Repeat("a/", 300), "//evil.example/%2e%2e"} {
		for _, method := range []string{"GET", "PROPFIND"} {
			if res, body := s.do(method, path, "", "Depth", "1"); res.StatusCode != http.StatusBadRequest || strings.Contains(body, "root:") {
				t.Errorf("%s %s: %s", method, path, res.Status)
			}
		}
	}
	for _, path := range []string{"/etc/passwd", "/latest/etc/passwd", `/latest/..\..\etc`, "/latest/%ff", "/hosts/..%2f..", "/ids/x"} {
		if res, _ := s.do("GET", path, ""); res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

// TestHosts holds that without a login only requests to localhost are answered.
func TestHosts(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	for host, ok := range map[string]bool{"localhost": true, "LOCALHOST:1": true, "127.0.0.1:80": true, "127.9.9.9": true, "[::1]:80": true,
		"[::1]": true, "localhost.:80": true, "evil.example": false, "evil.example:80": false, "localhost.evil.example": false,
		"192.0.2.1": false, "127.0.0.1.evil.example": false, "0.0.0.0": false} {
		if res, _ := s.do("GET", "/", "", "Host", host); (res.StatusCode == http.StatusOK) != ok {
			t.Errorf("%s: %s", host, res.Status)
		}
	}
}

// TestLogin holds who is let in with a password.
func TestLogin(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	file := filepath.Join(t.TempDir(), "login")
	const password = "long: enough"
	write := func(text string, mode os.FileMode) {
		t.Helper()
		a.must(os.WriteFile(file, []byte(text), 0o600))
		a.must(os.Chmod(file, mode))
	}
	for text, want := range map[string]string{"anna": "NAME:PASSWORD", "": "NAME:PASSWORD", "anna:short": "12", ":" + password: "empty",
		"anna:" + password + "\nmore": "one line", "anna:" + strings.Repeat("x", 2000): "one line"} {
		write(text, 0o600)
		if _, err := web.ReadLogin(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	write("anna:"+password+"\n", 0o640)
	if _, err := web.ReadLogin(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read it: %v", err)
	}
	write("anna:"+password+"\n", 0o400)
	login, err := web.ReadLogin(file)
	a.must(err)
	s := a.serve(web.Config{Login: login})
	for _, c := range []struct {
		name, password string
		code           int
	}{{"anna", password, 200}, {"anna", "", 401}, {"", password, 401}, {"bert", password, 401}, {"anna", password + " ", 401},
		{"anna:long", " enough", 200}} { // the two are one text; a name has no colon, so nobody has the last one
		for _, method := range []string{"GET", "PROPFIND", "OPTIONS", "PUT"} {
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/", nil)
			a.must(err)
			req.Host = "archive.example"
			req.Header.Set("Depth", "0")
			req.SetBasicAuth(c.name, c.password)
			res, err := s.client.Do(req)
			a.must(err)
			res.Body.Close()
			if (res.StatusCode == 401) != (c.code == 401) || c.code == 401 && res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s as %q with %q: %s", method, c.name, c.password, res.Status)
			}
		}
	}
	if res, _ := s.do("GET", "/", ""); res.StatusCode != 401 {
		t.Errorf("without: %s", res.Status)
	}
	if res, _ := s.do("GET", "/", "", "Authorization", "Basic !!!"); res.StatusCode != 401 {
		t.Errorf("with nonsense: %s", res.Status)
	}
}

// A multistatus is the answer to PROPFIND.
type multistatus struct {
	Responses []struct {
		Href  string `xml:"href"`
		Props []struct {
			Status string `xml:"status"`
			Type   struct {
				Collection *struct{} `xml:"collection"`
			} `xml:"prop>resourcetype"`
			Name   string `xml:"prop>displayname"`
			Length int64  `xml:"prop>getcontentlength"`
			Tag    string `xml:"prop>getetag"`
		} `xml:"propstat"`
	} `xml:"response"`
}

// TestPropfind lists as WebDAV does.
func TestPropfind(t *testing.T) {
	a := newArchived(t)
	a.backup("h", july)
	s := a.serve(web.Config{})
	top := "/latest" + a.dir + "/"
	list := func(path, depth, body string) (m multistatus) {
		t.Helper()
		res, text := s.do("PROPFIND", path, body, "Depth", depth)
		if res.StatusCode != http.StatusMultiStatus {
			t.Fatalf("%s: %s: %s", path, res.Status, text)
		}
		a.must(xml.Unmarshal([]byte(text), &m))
		return m
	}
	got := map[string]string{}
	for _, r := range list(top, "1", "").Responses[1:] {
		p := r.Props[0]
		got[r.Href] = p.Name
		path := strings.TrimSuffix(r.Href, "/")
		want, err := os.Stat(filepath.Join(a.dir, filepath.Base(path)))
		a.must(err)
		if isDir := p.Type.Collection != nil; isDir != want.IsDir() || isDir != strings.HasSuffix(r.Href, "/") {
			t.Errorf("%s: a collection: %v", r.Href, isDir)
		} else if !isDir {
			res, _ := s.get(http.StatusOK, r.Href)
			if p.Length != want.Size() || p.Tag == "" || p.Tag != res.Header.Get("ETag") {
				t.Errorf("%s: %d bytes, ETag %s", r.Href, p.Length, p.Tag)
			}
		}
	}
	want := map[string]string{top + "a.txt": "a.txt", top + "abs": "abs", top + "dirlink/": "dirlink", top + "empty": "empty", top + "link": "link",
		top + "odd/": "odd", top + "sub/": "sub"}
	if !slices.Equal(keys(got), keys(want)) {
		t.Errorf("%q", got)
	}
	n := 0
	for _, r := range list(top+"odd/", "1", "").Responses[1:] {
		u, err := url.Parse(r.Href)
		a.must(err)
		if _, body := s.get(http.StatusOK, r.Href); body != filepath.Base(u.Path) {
			t.Errorf("%s leads to %q", r.Href, body)
		}
		n++
	}
	if n != len(odd) {
		t.Errorf("%d odd names", n)
	}
	if m := list("/", "1", ""); len(m.Responses) != 5 || m.Responses[0].Href != "/" {
		t.Errorf("the top: %+v", m)
	}
	if m := list("/latest", "0", `<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`); len(m.Responses) != 1 ||
		m.Responses[0].Props[0].Type.Collection == nil {
		t.Errorf("one: %+v", m)
	}
	if m := list(top+"link", "1", ""); len(m.Responses) != 1 || m.Responses[0].Props[0].Length != int64(len(large)) {
		t.Errorf("a link: %+v", m)
	}

	for _, c := range []struct {
		path, depth, body string
		code              int
	}{{top, "infinity", "", 403}, {top, "", "", 403}, {top, "2", "", 403}, {top + "nothing", "0", "", 404}, {top + "pipe", "0", "", 207},
		{top, "0", "<nonsense", 400}, {top, "0", `<propfind xmlns="DAV:">` + strings.Repeat("<a>", 100_000), 400}} {
		if res, _ := s.do("PROPFIND", c.path, c.body, "Depth", c.depth); res.StatusCode != c.code {
			t.Errorf("PROPFIND %s, depth %q, %.20q: %s, not %d", c.path, c.depth, c.body, res.Status, c.code)
		}
	}
}

// FuzzRequest holds that no path and no body makes the server do anything but answer in one of its ways.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/latest/../x", "", "")
	f.Add("PROPFIND", "/", "1", `<propfind xmlns="DAV:"><allprop/></propfind>`)
	f.Add("PROPFIND", "/latest/tmp", "0", `<propfind xmlns="DAV:"><propname/></propfind>`)
	var handler http.Handler
	f.Fuzz(func(t *testing.T, method, path, depth, body string) {
		if handler == nil {
			a := newArchived(t)
			tree, err := a.Open(t.Context(), a.backup("h", july))
			a.must(err)
			if handler, err = web.New(web.Config{Tree: tree}); err != nil {
				t.Fatal(err)
			}
		}
		r := &http.Request{Method: method, URL: &url.URL{Path: path}, Host: "localhost", Header: http.Header{"Depth": {depth}},
			Body: http.NoBody}
		if body != "" {
			r = httptest.NewRequest("GET", "http://localhost/", strings.NewReader(body))
			r.Method, r.URL.Path = method, path
			r.Header.Set("Depth", depth)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		switch w.Code {
		case 200, 207, 301, 400, 403, 404, 405, 500:
		default:
			t.Errorf("%q %q: %d", method, path, w.Code)
		}
		if w.Code == 500 && method != "PROPFIND" && !strings.Contains(path, "loop") {
			t.Errorf("%q %q: %s", method, path, w.Body)
		}
	})
}
