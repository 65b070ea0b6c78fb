package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/venti"
	"ventidhash/venti/wire"
)

// waitHeader says how long blocks of a session wait for the swarm.
const waitHeader = "Vdh-Wait"

// upgrade is the protocol of a connection that turns from HTTP to package wire's.
const upgrade = "vdh-blocks/1"

const (
	maxSessions = 16
	maxSurvey   = 4096 // scores in one request
)

// A Session is what a program tells the node of this machine that is to act for an owner.
type Session struct {
	Owner   dhash.Owner
	Grant   []byte   // the owner's word, about the node that acts (member.Grant)
	MarkKey [32]byte // the owner's

	// Wait is how long blocks wait for the swarm while it is out of reach (gateway.Config), in seconds, at most MaxWait.
	Wait time.Duration
}

// MaxWait bounds Session.Wait.
const MaxWait = 7 * 24 * time.Hour

// control is the node's side of the socket in its folder, for programs of the same user. FORMAT.md lists the requests.
type control struct {
	n   *Node
	log *slog.Logger

	mu       sync.Mutex
	sessions map[string]*gateway.Gateway
}

// serve answers until ctx is done.
func (c *control) serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", c.status)
	mux.HandleFunc("GET /v1/members", c.members)
	mux.HandleFunc("PUT /v1/manifest", c.manifest)
	mux.HandleFunc("POST /v1/blocks", func(w http.ResponseWriter, r *http.Request) { c.blocks(ctx, w, r) })
	mux.HandleFunc("GET /v1/report/{session}", c.report)
	mux.HandleFunc("POST /v1/survey/{session}", c.survey)
	mux.HandleFunc("POST /v1/prove/{session}", c.prove)
	mux.HandleFunc("POST /v1/renew/{session}", c.renew)
	mux.HandleFunc("PUT /v1/state/{member}", c.state)
	mux.HandleFunc("GET /v1/lent", c.lent)
	mux.HandleFunc("GET /v1/heads/{owner}", c.heads)
	mux.HandleFunc("PUT /v1/head", c.publish)
	mux.HandleFunc("GET /v1/roots/{owner}", c.roots)
	mux.HandleFunc("POST /v1/work/{work}", c.work)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(c.log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	err := s.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// listen makes the socket in dir. One that is there is left over: the folder's lock is held.
func listen(dir string) (net.Listener, error) {
	name := filepath.Join(dir, socketFile)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("the socket for programs of this machine: %w", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone, then
}

// fail says that what was asked for failed, and whether it may work later.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusBadGateway
	if errors.Is(err, venti.ErrUnavailable) {
		code = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), code)
}

func (c *control) status(w http.ResponseWriter, r *http.Request) {
	answer(w, c.n.Status())
}

func (c *control) members(w http.ResponseWriter, r *http.Request) {
	answer(w, c.n.Members())
}

func (c *control) manifest(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, member.MaxManifest+1))
	if err == nil {
		err = c.n.setManifest(b)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, c.n.Status())
}

// sessionOf reads what a program says about the owner that it acts for.
func sessionOf(r *http.Request) (s Session, err error) {
	b, err := hex.DecodeString(r.Header.Get("Vdh-Session"))
	if err != nil || len(b) < len(s.Owner)+len(s.MarkKey) {
		return s, errors.New("Vdh-Session: want owner, key of marks and grant in hexadecimal")
	}
	copy(s.Owner[:], b)
	copy(s.MarkKey[:], b[len(s.Owner):])
	s.Grant = b[len(s.Owner)+len(s.MarkKey):]
	if text := r.Header.Get(waitHeader); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 32)
		if s.Wait = time.Duration(seconds) * time.Second; err != nil || s.Wait > MaxWait {
			return s, fmt.Errorf("%s: want at most %d seconds", waitHeader, MaxWait/time.Second)
		}
	}
	return s, nil
}

func (s Session) header() string {
	b := append(append(append([]byte(nil), s.Owner[:]...), s.MarkKey[:]...), s.Grant...)
	return hex.EncodeToString(b)
}

// blocks turns a connection into one of package wire's, whose store is a gateway for the owner named.
func (c *control) blocks(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	s, err := sessionOf(r)
	if err == nil && r.Header.Get("Upgrade") != upgrade {
		err = fmt.Errorf("want Upgrade: %s", upgrade)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.n.meet(r.Context())
	g, err := c.n.Gateway(s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	defer g.Close()
	id, err := c.begin(g)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer c.end(id)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
		"Upgrade: %s\r\nVdh-Session: %s\r\n\r\n", upgrade, id)
	if err != nil {
		return
	}
	server := &wire.Server{Store: g, Log: c.log}
	if err := server.Serve(ctx, newLone(conn, rw.Reader)); err != nil && !errors.Is(err, net.ErrClosed) {
		c.log.Debug("session ended", slog.Any("err", err))
	}
}

// meetTime is how long a node that has just begun may need to learn who is in its swarm.
const meetTime = 5 * time.Second

// meet waits until this node knows the members as another one does, or has had the time for it: how many there are says how
// blocks are coded. Who founded a swarm and knows nobody else is alone in it.
func (n *Node) meet(ctx context.Context) {
	if n.cfg.Folder.Founder != nil && n.p.roster.Len() <= 1 {
		return
	}
	rest := time.NewTimer(time.Until(n.started.Add(meetTime)))
	defer rest.Stop()
	select {
	case <-n.p.service.Agreed():
	case <-rest.C:
	case <-ctx.Done():
	}
}

func (c *control) begin(g *gateway.Gateway) (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	id := hex.EncodeToString(b[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		return "", fmt.Errorf("%d programs use this node already", maxSessions)
	}
	c.sessions[id] = g
	return id, nil
}

func (c *control) end(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, id)
}

func (c *control) session(w http.ResponseWriter, r *http.Request) *gateway.Gateway {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.sessions[r.PathValue("session")]
	if g == nil {
		http.Error(w, "there is no such session", http.StatusNotFound)
	}
	return g
}

// about returns the session that a request is for, and the blocks that it is about; nil if it said that there is no such
// session, or that the scores are not right.
func (c *control) about(w http.ResponseWriter, r *http.Request, most int) (*gateway.Gateway, []venti.Score) {
	g := c.session(w, r)
	if g == nil {
		return nil, nil
	}
	scores, err := readScores(r.Body, most)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, nil
	}
	return g, scores
}

func (c *control) report(w http.ResponseWriter, r *http.Request) {
	if g := c.session(w, r); g != nil {
		answer(w, told{g.Report(), g.Counts(), g.Outage()})
	}
}

// told is the answer to a report.
type told struct {
	Report gateway.Report
	Counts gateway.Counts
	Outage gateway.Outage
}

// survey reads scores, and answers with what the holders of each say.
func (c *control) survey(w http.ResponseWriter, r *http.Request) {
	g, scores := c.about(w, r, maxSurvey)
	if g == nil {
		return
	}
	states := make([]gateway.State, 0, len(scores))
	err := g.Survey(r.Context(), scores, func(st gateway.State) error {
		states = append(states, st)
		return nil
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, states)
}
