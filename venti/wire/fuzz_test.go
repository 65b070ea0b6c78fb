package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"ventidhash/venti"
)

// FuzzMessage holds the law of the codec: what is accepted has one encoding, and that is the bytes accepted.
func FuzzMessage(f *testing.F) {
	for _, v := range vectors(f) {
		if v.key == "message" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bufio.NewReader(bytes.NewReader(b))
		h, err := readHead(in)
		if err != nil {
			return
		}
		if low, high, _ := h.kind.fields(); h.size < low || h.size > high || h.size > venti.MaxBlock {
			t.Fatalf("size %d of kind %d is accepted", h.size, h.kind)
		}
		if h.size > len(b) {
			h.size = len(b) // a longer buffer would only make the fuzzer slow
		}
		body := make([]byte, h.size)
		m, err := readFields(in, h, body)
		if err != nil {
			return
		}
		again := append(m.appendTo(nil), m.data...)
		if !bytes.Equal(again, b[:headSize+h.size]) {
			t.Fatalf("%x is accepted and encodes to %x", b, again)
		}
		if m.kind == rError && m.err() == nil {
			t.Fatal("an rError without an error")
		}
	})
}

// FuzzLine holds the same law for version lines, and that reading one from a stream agrees with parsing it.
func FuzzLine(f *testing.F) {
	for _, v := range vectors(f) {
		if v.key == "line" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, again, err := decodeLine(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%q is accepted and encodes to %q", b, again)
		}
		in := bufio.NewReader(bytes.NewReader(b))
		chosen, rerr := readLine(in)
		if err != nil && rerr == nil && bytes.IndexByte(b, '\n') == len(b)-1 {
			t.Fatalf("%q chooses %q, and parsing says %v", b, chosen, err)
		}
		if err == nil && rerr != nil && !errors.Is(rerr, errDialect) {
			t.Fatalf("%q: %v", b, rerr)
		}
	})
}

// FuzzServer gives a server any bytes after the greeting.
func FuzzServer(f *testing.F) {
	for _, v := range vectors(f) {
		if v.key == "message" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		here, there := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			v := &service{
				Server: &Server{Store: none{}},
				log:    slog.New(slog.DiscardHandler),
				blocks: make(chan struct{}, maxBlocks),
				pool:   new(pool),
			}
			v.serve(context.Background(), there)
			if len(v.blocks) != 0 {
				t.Errorf("%d blocks are not given back", len(v.blocks))
			}
		}()
		go io.Copy(io.Discard, here)
		here.SetWriteDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(here, ownLine)
		here.Write((&message{kind: tHello, version: dialect}).appendTo(nil))
		here.Write(b)
		here.Close()
		<-done
	})
}

// FuzzClient gives a client, which waits for an answer, any bytes.
func FuzzClient(f *testing.F) {
	for _, v := range vectors(f) {
		if v.key == "message" {
			f.Add(v.data, byte(0))
			f.Add(v.data, byte(2))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, which byte) {
		here, there := net.Pipe()
		go io.Copy(io.Discard, there)
		go func() {
			io.WriteString(there, ownLine)
			there.Write((&message{kind: rHello, version: dialect}).appendTo(nil))
			there.Write(b)
			there.Close()
		}()
		c, err := NewClient(t.Context(), here)
		if err != nil {
			here.Close()
			return
		}
		defer c.Close()
		score := venti.Sum([]byte("x"))
		switch which % 4 {
		case 0:
			if block, err := c.Get(t.Context(), score); err == nil && venti.Sum(block) != score {
				t.Fatal("a wrong block")
			}
		case 1:
			if got, err := c.Put(t.Context(), []byte("x")); err == nil && got != score {
				t.Fatal("a wrong score")
			}
		case 2:
			if has, err := c.Has(t.Context(), []venti.Score{score, {}}); err == nil && len(has) != 2 {
				t.Fatal("a wrong number of answers")
			}
		case 3:
			c.Sync(t.Context())
		}
	})
}

// none is a store that has nothing and takes anything.
type none struct{}

func (none) Get(_ context.Context, s venti.Score) ([]byte, error)   { return nil, venti.ErrNotFound }
func (none) Put(_ context.Context, b []byte) (venti.Score, error)   { return venti.Sum(b), nil }
func (none) Has(_ context.Context, s []venti.Score) ([]bool, error) { return make([]bool, len(s)), nil }
func (none) Sync(context.Context) error                             { return nil }
