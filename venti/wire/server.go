package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"ventidhash/venti"
)

const (
	perConn    = 8  // requests of one connection that are served at once
	perServer  = 16 // blocks in memory for all connections
	answerTime = time.Minute
)

// A Server serves a store. The fields may not change while Serve runs.
type Server struct {
	Store venti.Store
	Yield func(context.Context) error // what a request to give up the store does; nil refuses
	Log   *slog.Logger                // nil discards
}

// Serve accepts connections from l until ctx is done; then it closes l, answers what is being served, closes the
// connections, and returns when nothing of it runs any more. An error of l ends it likewise and is returned.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Log == nil {
		s = &Server{s.Store, s.Yield, slog.New(slog.DiscardHandler)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	blocks := make(chan struct{}, perServer)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			cancel()
			return err
		}
		wg.Go(func() {
			defer conn.Close()
			if err := s.serve(ctx, conn, blocks); err != nil && ctx.Err() == nil {
				s.Log.Warn("connection ended", "err", err)
			}
		})
	}
}

// A session is one connection at the server.
type session struct {
	*Server
	ctx    context.Context // of the requests; outlives the server's until they are answered
	conn   net.Conn
	blocks chan struct{}
	write  sync.Mutex
}

func (s *Server) serve(ctx context.Context, conn net.Conn, blocks chan struct{}) error {
	c := &session{Server: s, ctx: context.WithoutCancel(ctx), conn: conn, blocks: blocks}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetReadDeadline(time.Now().Add(helloTime))
	if ctx.Err() != nil {
		return nil
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	if err := c.hello(r); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Time{})
	if ctx.Err() != nil { // the deadline that was set by ctx must not be lost
		return nil
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, perConn)
	for {
		slots <- struct{}{}
		blocks <- struct{}{}
		m, _, err := readMessage(r, nil, maxBody)
		if err != nil || m.kind == tGoodbye {
			<-blocks
			if m.kind == tGoodbye || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer func() { <-blocks; <-slots }()
			c.answer(m)
		})
	}
}

func (c *session) hello(r *bufio.Reader) error {
	if _, err := c.conn.Write([]byte(versionLine)); err != nil {
		return err
	}
	if err := checkLine(r); err != nil {
		return err
	}
	m, _, err := readMessage(r, nil, maxText)
	if err != nil {
		return err
	}
	d := venti.NewDecoder(m.body)
	name := string(d.Bytes(16))
	if err := d.Finish(); err != nil || m.kind != tHello || name != token {
		return fmt.Errorf("%w: hello", errMessage)
	}
	return writeMessage(c.conn, rHello, m.tag)
}

// answer serves one request.
func (c *session) answer(m message) {
	body, err := c.do(m)
	kind := m.kind + 1
	if err != nil {
		kind, body = rError, appendError(nil, err)
	}
	c.write.Lock()
	defer c.write.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(answerTime))
	if err := writeMessage(c.conn, kind, m.tag, body); err != nil {
		c.conn.Close()
	}
}

func (c *session) do(m message) ([]byte, error) {
	switch m.kind {
	case tRead:
		s, err := parseScore(m.body)
		if err != nil {
			return nil, err
		}
		return c.Store.Get(c.ctx, s)
	case tWrite:
		s, err := c.Store.Put(c.ctx, m.body)
		return s[:], err
	case tHas:
		scores, err := parseScores(m.body)
		if err != nil {
			return nil, err
		}
		has, err := c.Store.Has(c.ctx, scores)
		return appendFlags(nil, has), err
	case tSync:
		return nil, c.Store.Sync(c.ctx)
	case tPing:
		return nil, nil
	case tYield:
		if c.Server.Yield == nil {
			return nil, errors.New("the store is not given up")
		}
		return nil, c.Server.Yield(c.ctx)
	}
	return nil, fmt.Errorf("%w: type %d", errMessage, m.kind)
}
