package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
	"ventidhash/venti/wire"
)

// fake returns a client whose server is script, which begins after the greeting and whose end closes the connection.
func fake(t *testing.T, script func(conn net.Conn)) *wire.Client {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		go io.WriteString(there, line)
		io.ReadFull(there, make([]byte, len(lineOfOurs)+len(hello)))
		io.WriteString(there, helloBack)
		script(there)
	}()
	c, err := wire.NewClient(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c
}

func TestSilentServer(t *testing.T) {
	for name, send := range map[string]string{
		"nothing": "", "half a line": line[:5], "no hello": line, "half a hello": line + helloBack[:7],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				try := func(ctx context.Context) (time.Duration, error) {
					here, there := net.Pipe()
					defer here.Close()
					defer there.Close()
					go io.Copy(io.Discard, there)
					go io.WriteString(there, send)
					start := time.Now()
					c, err := wire.NewClient(ctx, here)
					if c != nil {
						t.Error("a client")
					}
					return time.Since(start), err
				}
				if took, err := try(context.Background()); took != 10*time.Second || !errors.Is(err, wire.ErrLost) {
					t.Errorf("after %v: %v", took, err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if took, err := try(ctx); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", took, err)
				}
				if took, err := try(ctx); took != 0 || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

func TestMalformedGreeting(t *testing.T) {
	for name, send := range map[string]string{
		"garbage":           "SSH-2.0-OpenSSH\r\n",
		"another dialect":   "venti-04:02-libventi\n",
		"the end":           "",
		"half a line":       "venti-vdh1",
		"endless line":      strings.Repeat(line[:len(line)-1], 100),
		"error":             line + frame(1, 0, "\x06\x00\x02no"),
		"another version":   line + "\x00\x00\x00\x06\x05\x00\x00\x0204",
		"another tag":       line + "\x00\x00\x00\x08\x05\x01\x00\x04vdh1",
		"another kind":      line + frame(3, 0, ""),
		"a hello that lies": line + "\x00\x00\x00\x08\x05\x00\x00\x09vdh1",
		"huge":              line + "\xff\xff\xff\xff\x05\x00",
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			go io.Copy(io.Discard, there)
			go func() {
				io.WriteString(there, send)
				there.Close()
			}()
			if _, err := wire.NewClient(t.Context(), here); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestMalformedServers(t *testing.T) {
	score := string(make([]byte, venti.ScoreSize))
	for name, answer := range map[string]string{
		"nothing":                 "",
		"tag of nobody":           frame(13, 7, "x"),
		"another kind":            frame(17, 0, ""),
		"a request":               frame(12, 0, score),
		"unknown kind":            frame(99, 0, ""),
		"half a block":            frame(13, 0, "xxxxx")[:8],
		"too large":               "\x00\x40\x00\x03\x0d\x00",
		"all ones":                "\xff\xff\xff\xff\x0d\x00",
		"too short":               "\x00\x00\x00\x01\x0d\x00",
		"error of no known kind":  frame(1, 0, "\x09\x00\x00"),
		"error without text":      frame(1, 0, "\x01"),
		"error that is not UTF-8": frame(1, 0, "\x01\x00\x01\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			c := fake(t, func(conn net.Conn) {
				io.ReadFull(conn, make([]byte, 38))
				io.WriteString(conn, answer)
			})
			_, err := c.Get(t.Context(), venti.Sum([]byte("x")))
			if !errors.Is(err, wire.ErrLost) || !errors.Is(err, venti.ErrUnavailable) || errors.Is(err, venti.ErrNotFound) {
				t.Errorf("Get: %v", err)
			}
			if _, err := c.Put(t.Context(), nil); !errors.Is(err, wire.ErrLost) {
				t.Errorf("Put after that: %v", err)
			}
		})
	}
	t.Run("another number of answers", func(t *testing.T) {
		c := fake(t, func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 6+64))
			io.WriteString(conn, frame(19, 0, "\x01"))
		})
		if has, err := c.Has(t.Context(), make([]venti.Score, 2)); !errors.Is(err, wire.ErrLost) {
			t.Errorf("Has: %v, %v", has, err)
		}
	})
}

func TestLyingServer(t *testing.T) {
	other := venti.Sum([]byte("y"))
	c := fake(t, func(conn net.Conn) {
		io.ReadFull(conn, make([]byte, 38))
		io.WriteString(conn, frame(13, 0, "y"))
		io.ReadFull(conn, make([]byte, 7))
		io.WriteString(conn, frame(15, 1, string(other[:])))
		io.ReadFull(conn, make([]byte, 6))
		io.WriteString(conn, frame(17, 2, ""))
	})
	score := venti.Sum([]byte("x"))
	var be *venti.BlockError
	_, err := c.Get(t.Context(), score)
	if !errors.Is(err, venti.ErrCorrupt) || !errors.As(err, &be) || be.Score != score {
		t.Errorf("get: %v", err)
	}
	if _, err := c.Put(t.Context(), []byte("x")); !errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("put: %v", err)
	}
	if err := c.Sync(t.Context()); err != nil {
		t.Errorf("the connection is fine, and Sync says %v", err)
	}
}

func TestLost(t *testing.T) {
	g := newGate(ventitest.NewMemory())
	n := listenUnix(t)
	s := serve(t, &wire.Server{Store: g}, n)
	conn := s.dial(t)
	c, err := wire.NewClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const outstanding = 100 // more than travel at once
	done := make(chan error)
	for range outstanding {
		go func() { done <- c.Sync(context.Background()) }()
	}
	<-g.in
	defer close(g.open) // with so many outstanding the server reads no more, and can't notice
	conn.Close()
	for range outstanding {
		if err := <-done; !errors.Is(err, wire.ErrLost) || !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("outstanding: %v", err)
		}
	}
	if err := c.Ping(t.Context()); !errors.Is(err, wire.ErrLost) {
		t.Errorf("later: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestClose(t *testing.T) {
	g := newGate(ventitest.NewMemory())
	c := dial(t, serve(t, &wire.Server{Store: g}, listenUnix(t)))
	done := make(chan error)
	go func() { done <- c.Sync(context.Background()) }()
	<-g.in
	for range 3 {
		go c.Close()
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; !errors.Is(err, wire.ErrLost) {
		t.Errorf("outstanding: %v", err)
	}
	if _, err := c.Has(t.Context(), make([]venti.Score, 1)); !errors.Is(err, wire.ErrLost) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCancelWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := ventitest.NewMemory()
		block := ventitest.Random(1, 100_000)
		score, _ := mem.Put(t.Context(), block)
		g := newGate(mem)
		c := dial(t, serve(t, &wire.Server{Store: g}, newPipes()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		const callers = 80 // more than travel at once, so some wait for a tag and some for the server
		done := make(chan error, callers)
		start := time.Now()
		for i := range callers {
			go func() {
				var err error
				if i%2 == 0 {
					_, err = c.Get(ctx, score)
				} else {
					_, err = c.Put(ctx, block)
				}
				done <- err
			}()
		}
		for range callers {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, wire.ErrLost) {
				t.Errorf("cancelled: %v", err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("returned after %v", took)
		}
		close(g.open) // now the late answers come
		got, err := c.Get(context.Background(), score)
		if err != nil || !bytes.Equal(got, block) {
			t.Errorf("afterwards: %d bytes, %v", len(got), err)
		}
	})
}

// The block of a Put that is cancelled half-way reaches the server as it was, though the caller has changed it since.
func TestCancelWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := ventitest.Random(1, 300_000)
		want, buf := bytes.Clone(block), bytes.Clone(block)
		goOn := make(chan struct{})
		c := fake(t, func(conn net.Conn) {
			got := make([]byte, 6+len(want))
			io.ReadFull(conn, got[:100_000])
			<-goOn
			io.ReadFull(conn, got[100_000:])
			if !bytes.Equal(got[6:], want) {
				t.Error("the server got other bytes")
			}
			var sync [6]byte
			io.ReadFull(conn, sync[:])
			io.WriteString(conn, frame(17, sync[5], ""))
			io.WriteString(conn, frame(15, 0, string(make([]byte, venti.ScoreSize))))
			io.ReadFull(conn, sync[:])
			io.WriteString(conn, frame(17, sync[5], ""))
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := c.Put(ctx, buf)
			clear(buf)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, wire.ErrLost) {
			t.Errorf("Put: %v", err)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Sync(gone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the rest is on its way: %v", err)
		}
		close(goOn)
		for range 2 {
			if err := c.Sync(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		}
	})
}

// Closing does not wait for a server that does not read.
func TestCloseWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		c := fake(t, func(conn net.Conn) { <-end })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error, 2)
		go func() {
			_, err := c.Put(ctx, make([]byte, 1000))
			done <- err
		}()
		go func() { done <- c.Sync(context.Background()) }()
		<-ctx.Done()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for range 2 {
			if err := <-done; !errors.Is(err, wire.ErrLost) && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		close(end)
	})
}

// A write that was answered is seen by a read on any connection.
func TestOrder(t *testing.T) {
	s := serve(t, &wire.Server{Store: ventitest.NewMemory()}, listenUnix(t))
	a, b := dial(t, s), dial(t, s)
	for i := range uint64(300) {
		block := ventitest.Random(i, 500)
		score, err := a.Put(t.Context(), block)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*wire.Client{a, b} {
			if got, err := c.Get(t.Context(), score); err != nil || !bytes.Equal(got, block) {
				t.Fatalf("block %d: %v", i, err)
			}
		}
	}
}
