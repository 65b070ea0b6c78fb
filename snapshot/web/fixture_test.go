package web_test

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/vac"
	"ventidhash/snapshot/web"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// An archived is a store with snapshots of a tree.
type archived struct {
	*testing.T
	store  *ventitest.Memory
	sealer *seal.Sealer
	dir    string // what is archived

	mu   sync.Mutex // protects the following
	list []snapshot.Snapshot
	key  seal.RootKey
}

var odd = []string{"javascript:alert(1)", "a&b<c>\"d'.html", "sp ace", "not\xffutf8", "100%", "q?x#y", "ü", "new\nline", "..."}

// large is longer than what a shared block takes.
var large = ventitest.Random(7, 3<<20)

func newArchived(t *testing.T) *archived {
	t.Helper()
	sealer, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	a := &archived{T: t, store: ventitest.NewMemory(), sealer: sealer, dir: t.TempDir()}
	a.write("a.txt", []byte("hello\n"))
	a.write("sub/large", large)
	a.write("empty", nil)
	for _, name := range odd {
		a.write("odd/"+name, []byte(name))
	}
	for name, to := range map[string]string{"link": "sub/large", "abs": a.dir + "/a.txt", "dirlink": "sub", "up": "../../../../../../../../etc/passwd",
		"loop": "loop", "gone": "nowhere"} {
		a.must(os.Symlink(to, filepath.Join(a.dir, name)))
	}
	a.must(syscall.Mkfifo(filepath.Join(a.dir, "pipe"), 0o600))
	return a
}

func (a *archived) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *archived) write(name string, content []byte) {
	a.Helper()
	name = filepath.Join(a.dir, name)
	a.must(os.MkdirAll(filepath.Dir(name), 0o755))
	a.must(os.WriteFile(name, content, 0o644))
}

// backup makes a snapshot, and puts it into the list.
func (a *archived) backup(host string, at time.Time) snapshot.Snapshot {
	a.Helper()
	res, err := archive.Run(a.Context(), archive.Config{Store: a.store, Sealer: a.sealer, Source: a.source(), RootKey: a.key,
		Paths: []string{a.dir}, Host: host, Time: at})
	a.must(err)
	s := snapshot.Snapshot{Score: res.Ref.Score, Time: at, Host: host, Paths: []string{a.dir}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, s)
	return s
}

func (a *archived) source() *tree.Source { return tree.NewSource(a.store, a.sealer, 1<<20) }

// List implements web.Snapshots.
func (a *archived) List(context.Context) ([]snapshot.Snapshot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]snapshot.Snapshot(nil), a.list...), nil
}

// Open implements web.Snapshots.
func (a *archived) Open(ctx context.Context, s snapshot.Snapshot) (*vac.Tree, error) {
	return vac.OpenOwn(ctx, a.source(), a.key, s.Score)
}

// serve shows the snapshots until the test ends.
func (a *archived) serve(cfg web.Config) *site {
	a.Helper()
	if cfg.Tree == nil {
		cfg.Snapshots = a
	}
	cfg.Zone = time.UTC
	h, err := web.New(cfg)
	a.must(err)
	s := httptest.NewServer(h)
	a.Cleanup(s.Close)
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{a.T, s.URL, c, h}
}

// A site is a server, and a client of it.
type site struct {
	*testing.T
	url     string
	client  *http.Client
	handler http.Handler
}

// do sends a request, with headers as names and values in turn. path is as it stands in the request.
func (s *site) do(method, path, body string, headers ...string) (*http.Response, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(b)
}

// get expects a status code, and returns the answer.
func (s *site) get(code int, path string, headers ...string) (*http.Response, string) {
	s.Helper()
	res, body := s.do(http.MethodGet, path, "", headers...)
	if res.StatusCode != code {
		s.Fatalf("GET %s: %s, not %d: %.200s", path, res.Status, code, body)
	}
	return res, body
}

var (
	linkText = regexp.MustCompile(`<td><a href="([^"]*)">([^<]*)</a>`)
	rowText  = regexp.MustCompile(`(?m)^<tr><td>`)
)

// links returns what the page of a directory links to: paths by text.
func (s *site) links(path string) map[string]string {
	s.Helper()
	_, body := s.get(http.StatusOK, path)
	base, err := url.Parse(path)
	if err != nil {
		s.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range linkText.FindAllStringSubmatch(body, -1) {
		ref, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			s.Fatal(err)
		}
		out[html.UnescapeString(m[2])] = base.ResolveReference(ref).EscapedPath()
	}
	return out
}
