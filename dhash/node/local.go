package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/venti"
	"ventidhash/venti/wire"
)

// ErrNotRunning says that no node runs for a folder.
var ErrNotRunning = errors.New("no node runs here")

// A Local is the node of this machine, as other programs see it. It may be used by many goroutines at once.
type Local struct {
	dir  string
	http *http.Client
}

// DialLocal finds the node that runs for folder dir. ErrNotRunning says that there is none.
func DialLocal(ctx context.Context, dir string) (*Local, error) {
	if dir == "" { // of an owner who was rescued
		return nil, ErrNotRunning
	}
	l := &Local{dir: dir}
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, err
	}
	conn.Close()
	l.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.dial(ctx)
	}}}
	return l, nil
}

func (l *Local) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(l.dir, socketFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %s (vdh node starts one)", ErrNotRunning, l.dir)
	}
	return conn, err
}

// Close releases connections.
func (l *Local) Close() error {
	l.http.CloseIdleConnections()
	return nil
}

// maxAnswer bounds the answers of the node in bytes.
const maxAnswer = 16 << 20

// do asks the node something, and reads the answer. Errors wrap venti.ErrUnavailable where the node cannot be reached, or
// says that others cannot.
func (l *Local) do(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := l.http.Do(req)
	if err != nil {
		return lostNode(ctx, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return lostNode(ctx, err)
	}
	if res.StatusCode != http.StatusOK {
		return said(res.StatusCode, b)
	}
	return json.Unmarshal(b, into)
}

// lostNode says that the node could not be asked.
func lostNode(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: asking the node: %w", venti.ErrUnavailable, err)
}

// said returns what a node says that does not do what it was asked for.
func said(status int, body []byte) error {
	body = bytes.TrimSpace(body)
	if status == http.StatusServiceUnavailable {
		return fmt.Errorf("%w: the node says: %s", venti.ErrUnavailable, body)
	}
	return fmt.Errorf("the node says: %s", body)
}

// errCount says that a node answered about another number of blocks than it was asked about.
func errCount(got, want int) error {
	return fmt.Errorf("%w: the node answered about %d of %d blocks", venti.ErrUnavailable, got, want)
}

// Status asks the node how it is.
func (l *Local) Status(ctx context.Context) (st Status, err error) {
	return st, l.do(ctx, http.MethodGet, "/v1/status", nil, &st)
}

// Members asks the node for its roster.
func (l *Local) Members(ctx context.Context) (list []MemberInfo, err error) {
	return list, l.do(ctx, http.MethodGet, "/v1/members", nil, &list)
}

// SetManifest gives the node a newer manifest, which it passes on to all members.
func (l *Local) SetManifest(ctx context.Context, m *member.Manifest) error {
	return l.do(ctx, http.MethodPut, "/v1/manifest", m.Encode(), new(Status))
}

// A Remote is a store of which this machine's node does the work, for one owner.
type Remote struct {
	*wire.Client
	l  *Local
	id string // of the session
}

// Blocks returns the swarm as a store. s.Grant is to be about the node's id (Status). Close it.
func (l *Local) Blocks(ctx context.Context, s Session) (*Remote, error) {
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, err
	}
	r, err := l.session(ctx, conn, s)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return r, nil
}

func (l *Local) session(ctx context.Context, conn net.Conn, s Session) (*Remote, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node/v1/blocks", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgrade)
	req.Header.Set("Vdh-Session", s.header())
	req.Header.Set(waitHeader, strconv.FormatInt(int64(s.Wait/time.Second), 10))
	if len(s.FormerMarks) > 0 {
		req.Header.Set(formerHeader, keysText(s.FormerMarks))
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return nil, fmt.Errorf("the node says: %s", bytes.TrimSpace(b))
	}
	_ = conn.SetDeadline(time.Time{})
	c, err := wire.NewClient(ctx, &begun{Conn: conn, r: in})
	if err != nil {
		return nil, err
	}
	return &Remote{c, l, res.Header.Get("Vdh-Session")}, nil
}

// Report says how safely the blocks are kept that were put. Sync before.
func (r *Remote) Report(ctx context.Context) (gateway.Report, gateway.Counts, error) {
	t, err := r.told(ctx)
	return t.Report, t.Counts, err
}

// Outage is gateway.Outage of the node.
func (r *Remote) Outage(ctx context.Context) (gateway.Outage, error) {
	t, err := r.told(ctx)
	return t.Outage, err
}

func (r *Remote) told(ctx context.Context) (t told, err error) {
	return t, r.l.do(ctx, http.MethodGet, "/v1/report/"+r.id, nil, &t)
}

// Survey asks the holders of blocks what they hold, and calls fn for each block in the order of scores.
func (r *Remote) Survey(ctx context.Context, scores []venti.Score, fn func(gateway.State) error) error {
	for len(scores) > 0 {
		n := min(len(scores), maxSurvey)
		var states []gateway.State
		if err := r.l.do(ctx, http.MethodPost, "/v1/survey/"+r.id, bodyOf(scores[:n]), &states); err != nil {
			return err
		}
		if len(states) != n {
			return errCount(len(states), n)
		}
		for _, st := range states {
			if err := fn(st); err != nil {
				return err
			}
		}
		scores = scores[n:]
	}
	return nil
}

// bodyOf returns scores as a request has them.
func bodyOf(scores []venti.Score) []byte {
	body := make([]byte, 0, len(scores)*venti.ScoreSize)
	for _, s := range scores {
		body = append(body, s[:]...)
	}
	return body
}
