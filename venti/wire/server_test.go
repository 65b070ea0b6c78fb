package wire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
	"ventidhash/venti/wire"
)

// The greeting, and messages, as a peer that is not this program would make them.
const (
	line       = "venti-vdh1-a test\n"
	hello      = "\x00\x00\x00\x08\x04\x00\x00\x04vdh1"
	helloBack  = "\x00\x00\x00\x08\x05\x00\x00\x04vdh1"
	greeting   = line + hello
	lineOfOurs = "venti-vdh1-vdh\n"
)

func frame(kind, tag byte, fields string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(2+len(fields)))) + string([]byte{kind, tag}) + fields
}

func TestMalformedClients(t *testing.T) {
	mem := ventitest.NewMemory()
	s := serve(t, &wire.Server{Store: mem}, listenUnix(t))
	good := dial(t, s)
	score := string(make([]byte, venti.ScoreSize))
	for name, send := range map[string]string{
		"garbage":                 "GET / HTTP/1.1\r\n\r\n",
		"endless line":            "venti-" + strings.Repeat("x", 5000),
		"another dialect":         "venti-02:04-libventi\n",
		"no hello":                line + frame(2, 0, ""),
		"hello with a tag":        line + "\x00\x00\x00\x08\x04\x07\x00\x04vdh1",
		"hello of another kind":   line + "\x00\x00\x00\x06\x04\x00\x00\x0204",
		"hello that lies":         line + "\x00\x00\x00\x08\x04\x00\xff\xffvdh1",
		"hello twice":             greeting + hello,
		"size 0":                  greeting + "\x00\x00\x00\x00\x02\x00",
		"size of all ones":        greeting + "\xff\xff\xff\xff\x0e\x00",
		"block too large":         greeting + "\x00\x40\x00\x03\x0e\x00",
		"answer for a request":    greeting + frame(13, 0, ""),
		"error for a request":     greeting + frame(1, 0, "\x01\x00\x00"),
		"unknown kind":            greeting + frame(30, 0, ""),
		"reserved kind":           greeting + frame(8, 0, ""),
		"ping with fields":        greeting + frame(2, 0, "x"),
		"read with half a score":  greeting + frame(12, 0, score[:16]),
		"has with a bit too much": greeting + frame(18, 0, score+"x"),
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t)
			defer conn.Close()
			if _, err := io.WriteString(conn, send); err != nil && !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
			got := string(readAll(t, conn))
			if got = strings.TrimPrefix(got, lineOfOurs); got != "" && got != helloBack {
				t.Errorf("the server answers %q", got)
			}
		})
	}
	if err := good.Ping(t.Context()); err != nil {
		t.Errorf("another client suffers: %v", err)
	}
	if mem.Len() != 0 {
		t.Errorf("%d blocks were stored", mem.Len())
	}
}

func TestHalfMessage(t *testing.T) {
	mem := ventitest.NewMemory()
	s := serve(t, &wire.Server{Store: mem}, listenUnix(t))
	whole := greeting + frame(14, 0, "a block that never comes whole")
	for n := range len(whole) {
		conn := s.dial(t)
		io.WriteString(conn, whole[:n])
		conn.(*net.UnixConn).CloseWrite()
		readAll(t, conn)
		conn.Close()
	}
	if mem.Len() != 0 {
		t.Error("half a block was stored")
	}
}

func TestGoodbye(t *testing.T) {
	s := serve(t, &wire.Server{Store: ventitest.NewMemory()}, listenUnix(t))
	conn := s.dial(t)
	defer conn.Close()
	io.WriteString(conn, greeting+frame(6, 0, ""))
	if got := string(readAll(t, conn)); got != lineOfOurs+helloBack {
		t.Errorf("the server answers %q", got)
	}
}

// Tags may be used again only after the answer.
func TestTagTwice(t *testing.T) {
	g := newGate(ventitest.NewMemory())
	s := serve(t, &wire.Server{Store: g}, listenUnix(t))
	conn := s.dial(t)
	defer conn.Close()
	io.WriteString(conn, greeting+frame(16, 9, "")+frame(16, 9, ""))
	if got := string(readAll(t, conn)); got != lineOfOurs+helloBack {
		t.Errorf("the server answers %q", got)
	}
}

func TestSilentClient(t *testing.T) {
	for name, c := range map[string]struct {
		send  string
		after time.Duration
	}{
		"nothing":         {"", 10 * time.Second},
		"half a line":     {line[:9], 10 * time.Second},
		"no hello":        {line, 10 * time.Second},
		"half a hello":    {line + hello[:7], 10 * time.Second},
		"half a message":  {greeting + frame(12, 1, string(make([]byte, 32)))[:20], 2 * time.Minute},
		"idle is allowed": {greeting + frame(2, 1, ""), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, &wire.Server{Store: ventitest.NewMemory()}, newPipes())
				conn := s.dial(t)
				defer conn.Close()
				start := time.Now()
				closed := make(chan time.Duration, 1)
				go func() {
					io.Copy(io.Discard, conn)
					closed <- time.Since(start)
				}()
				io.WriteString(conn, c.send)
				if c.after == 0 {
					time.Sleep(24 * time.Hour)
					if len(closed) != 0 {
						t.Errorf("closed after %v", <-closed)
					}
				} else if took := <-closed; took != c.after {
					t.Errorf("closed after %v, want %v", took, c.after)
				}
			})
		})
	}
}

func TestYield(t *testing.T) {
	busy := fmt.Errorf("%w: busy", venti.ErrUnavailable)
	for name, c := range map[string]struct {
		yield func(context.Context) error
		want  error
		text  string
	}{
		"agrees":  {func(context.Context) error { return nil }, nil, ""},
		"busy":    {func(context.Context) error { return busy }, venti.ErrUnavailable, "busy"},
		"refuses": {nil, nil, "does not hand over"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := dial(t, serve(t, &wire.Server{Store: ventitest.NewMemory(), Yield: c.yield}, newPipes()))
			err := cl.Yield(t.Context())
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("Yield: %v", err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Yield: %v, want %v", err, c.want)
			}
			if errors.Is(err, wire.ErrLost) {
				t.Errorf("%v is a refusal, not a loss", err)
			}
		})
	}
}

// A server whose process ends because it yielded still answers.
func TestYieldEnds(t *testing.T) {
	var s *serving
	ready := make(chan struct{})
	srv := &wire.Server{Store: ventitest.NewMemory(), Yield: func(context.Context) error {
		<-ready
		s.stop()
		return nil
	}}
	s = serve(t, srv, listenUnix(t))
	close(ready)
	c := dial(t, s)
	if err := c.Yield(t.Context()); err != nil {
		t.Errorf("Yield: %v", err)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// careful is a venti.VitalStore that counts.
type careful struct {
	*ventitest.Memory
	vital atomic.Int32
}

func (c *careful) PutVital(ctx context.Context, block []byte) (venti.Score, error) {
	c.vital.Add(1)
	return c.Put(ctx, block)
}

func TestVital(t *testing.T) {
	mem := &careful{Memory: ventitest.NewMemory()}
	c := dial(t, serve(t, &wire.Server{Store: mem}, newPipes()))
	if s, err := venti.PutVital(t.Context(), c, []byte("a root")); err != nil || s != venti.Sum([]byte("a root")) {
		t.Errorf("PutVital: %v, %v", s, err)
	}
	if _, err := c.Put(t.Context(), []byte("a leaf")); err != nil {
		t.Error(err)
	}
	if n := mem.vital.Load(); n != 1 {
		t.Errorf("%d vital blocks arrived as such, want 1", n)
	}
	plain := dial(t, serve(t, &wire.Server{Store: mem.Memory}, newPipes()))
	if s, err := plain.PutVital(t.Context(), []byte("a root")); err != nil || s != venti.Sum([]byte("a root")) {
		t.Errorf("PutVital into a store that knows no difference: %v, %v", s, err)
	}
}

func TestErrorsTravel(t *testing.T) {
	mem := ventitest.NewMemory()
	c := dial(t, serve(t, &wire.Server{Store: mem}, newPipes()))
	score := venti.Sum([]byte("x"))
	all := []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt, venti.ErrTooLarge, syscall.ENOSPC}
	for _, want := range all {
		mem.Fail(fmt.Errorf("shelf 7: %w\n", want))
		_, get := c.Get(t.Context(), score)
		_, put := c.Put(t.Context(), []byte("x"))
		_, has := c.Has(t.Context(), []venti.Score{score})
		for op, err := range map[string]error{"get": get, "put": put, "has": has, "sync": c.Sync(t.Context())} {
			var be *venti.BlockError
			if block := op == "get" || op == "put"; errors.As(err, &be) != block {
				t.Errorf("%s: %#v", op, err)
			} else if block && (be.Score != score || be.Op != op) {
				t.Errorf("%s: the error says %s %v", op, be.Op, be.Score)
			}
			for _, other := range all {
				if errors.Is(err, other) != (other == want) {
					t.Errorf("%s: %v is %v: %v", op, err, other, other != want)
				}
			}
			if err == nil || !strings.Contains(err.Error(), "shelf 7: "+want.Error()) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q", op, err)
			}
		}
	}
	mem.Fail(venti.ErrNotFound)
	if _, err := c.Get(t.Context(), score); err.Error() != "get block "+score.String()+": block not found" {
		t.Errorf("Get: %q", err)
	}
	mem.Fail(errors.New(strings.Repeat("é", 5000)))
	if err := c.Sync(t.Context()); err == nil || errors.Is(err, wire.ErrLost) {
		t.Errorf("a long error: %v", err)
	}
	mem.Fail(nil)
	if err := c.Sync(t.Context()); err != nil {
		t.Errorf("after errors: %v", err)
	}
}
