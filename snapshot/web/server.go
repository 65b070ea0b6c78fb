package web

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/layout"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

const (
	fresh     = time.Second // for which a list of snapshots is used
	patience  = time.Minute // that a client has for each part of an answer
	maxBody   = 64 << 10    // of a request, in bytes
	maxTrees  = 64          // opened snapshots that are kept
	maxDepth  = 256         // names in a path
	retryTime = "30"        // seconds after which to ask again for what is unavailable
)

// Snapshots is a list of snapshots to show. Its methods may be called from many goroutines at once.
type Snapshots interface {
	// List returns the snapshots there are now. It is called about once a second while somebody looks.
	List(ctx context.Context) ([]snapshot.Snapshot, error)

	// Open opens one of them.
	Open(ctx context.Context, s snapshot.Snapshot) (*vac.Tree, error)
}

// A Config says what to show, and to whom. Either Snapshots or Tree must be set.
type Config struct {
	Snapshots Snapshots
	Tree      *vac.Tree

	Login *Login         // nil lets in whoever is on this machine
	Zone  *time.Location // of dates; nil means this machine's
	Log   *slog.Logger   // told what could not be read; nil discards
}

// Validate reports the first field that cannot be.
func (c *Config) Validate() error {
	if (c.Snapshots == nil) == (c.Tree == nil) {
		return errors.New("web: want either Snapshots or Tree")
	}
	return nil
}

// A Server is an http.Handler that shows snapshots. It may be used by many goroutines at once.
type Server struct {
	cfg Config

	mu    sync.Mutex     // protects the following
	top   *layout.Folder // nil until the list was read
	read  time.Time      // when it was
	trees map[venti.Score]*vac.Tree
}

// New returns a Server.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Zone == nil {
		cfg.Zone = time.Local
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, trees: map[venti.Score]*vac.Tree{}}, nil
}

// allowed are the methods that are answered.
const allowed = "GET, HEAD, OPTIONS, PROPFIND"

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = &patientWriter{w, http.NewResponseController(w)}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'")
	switch {
	case s.cfg.Login == nil && !toLoopback(r.Host):
		http.Error(w, "this archive is shown under the name localhost alone", http.StatusMisdirectedRequest)
		return
	case s.cfg.Login != nil && !s.cfg.Login.admits(r):
		h.Set("WWW-Authenticate", `Basic realm="vdh", charset="UTF-8"`)
		http.Error(w, "a name and a password are needed", http.StatusUnauthorized)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch r.Method {
	case http.MethodGet, http.MethodHead, "PROPFIND":
	case http.MethodOptions:
		h.Set("Allow", allowed)
		h.Set("DAV", "1")
		h.Set("MS-Author-Via", "DAV")
		return
	default:
		h.Set("Allow", allowed)
		http.Error(w, "this archive can be read, not changed", http.StatusMethodNotAllowed)
		return
	}
	name, dir, ok := nameOf(r.URL)
	if !ok {
		http.Error(w, "there is no such path", http.StatusBadRequest)
		return
	}
	v := &view{ctx: r.Context(), s: s}
	if r.Method == "PROPFIND" {
		v.propfind(w, r)
		return
	}
	if err := v.get(w, r, name, dir); err != nil {
		s.fail(w, r, err)
	}
}

// nameOf returns the path of a request as package fs has it, and whether it ends as that of a directory.
func nameOf(u *url.URL) (name string, dir, ok bool) {
	path, ok := strings.CutPrefix(u.Path, "/")
	if !ok {
		return "", false, false
	}
	if path == "" {
		return ".", true, true
	}
	path, dir = strings.CutSuffix(path, "/")
	parts := strings.Split(path, "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsRune(p, 0) {
			return "", false, false
		}
	}
	return path, dir, len(parts) <= maxDepth
}

// toLoopback reports whether a request names this machine as its host.
func toLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	code, text := statusOf(err)
	if code >= 500 && r.Context().Err() == nil {
		s.cfg.Log.Warn("cannot be shown", slog.String("path", r.URL.Path), slog.Any("err", err))
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryTime)
	}
	for _, about := range []string{"ETag", "Last-Modified", "Content-Type"} { // they were of the file
		w.Header().Del(about)
	}
	http.Error(w, text, code)
}

// statusOf returns how an error is answered.
func statusOf(err error) (code int, text string) {
	switch {
	case errors.Is(err, venti.ErrUnavailable):
		return http.StatusServiceUnavailable, "this is unavailable now; later may work"
	case errors.Is(err, venti.ErrNotFound):
		return http.StatusInternalServerError, "blocks of this are missing (vdh check says more)"
	case errors.Is(err, venti.ErrCorrupt):
		return http.StatusInternalServerError, "this is damaged (vdh check says more)"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return http.StatusNotFound, "there is no such file or directory"
	case errors.Is(err, errInert):
		return http.StatusForbidden, "this is neither a file nor a directory"
	}
	return http.StatusInternalServerError, "this cannot be read"
}

// folders returns the top folder of the snapshots there are now.
func (s *Server) folders(ctx context.Context) (*layout.Folder, error) {
	s.mu.Lock()
	top, read := s.top, s.read
	s.mu.Unlock()
	if top != nil && time.Since(read) < fresh {
		return top, nil
	}
	begin := time.Now()
	list, err := s.cfg.Snapshots.List(ctx)
	if err != nil {
		return nil, err
	}
	top = layout.New(list, s.cfg.Zone)
	s.mu.Lock()
	defer s.mu.Unlock()
	if begin.After(s.read) {
		s.top, s.read = top, begin
	}
	return top, nil
}

// open returns the tree of a snapshot. Two that come at once may both open it; it costs one block.
func (s *Server) open(ctx context.Context, snap *snapshot.Snapshot) (*vac.Tree, error) {
	s.mu.Lock()
	t := s.trees[snap.Score]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	t, err := s.cfg.Snapshots.Open(ctx, *snap)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.trees) >= maxTrees {
		clear(s.trees)
	}
	s.trees[snap.Score] = t
	return t, nil
}

// A patientWriter gives the client a while for each part of an answer, rather than for the whole.
type patientWriter struct {
	http.ResponseWriter
	c *http.ResponseController
}

// Write implements io.Writer.
func (w *patientWriter) Write(b []byte) (int, error) {
	_ = w.c.SetWriteDeadline(time.Now().Add(patience)) // where there is none to set, as in a test, there is no client to wait for
	return w.ResponseWriter.Write(b)
}
