package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"ventidhash/dhash/node"
	"ventidhash/venti"
)

// What a node cannot do now is told from what it cannot do, on both sides of the socket.
func TestWhatTheNodeSays(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "node.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var say atomic.Pointer[http.HandlerFunc] // a request that was given up may still come
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*say.Load())(w, r) })}
	go s.Serve(l)
	defer s.Close()
	c, err := node.DialLocal(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	last := func(err error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(node.Progress{Done: 1, Of: 2})
			_ = json.NewEncoder(w).Encode(node.LastLine(node.Care{Trash: 7}, err))
		}
	}
	refuse := func(err error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { node.Fail(w, err) }
	}
	gone := fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)
	for _, test := range []struct {
		name         string
		say          http.HandlerFunc
		away, failed bool // whether a work fails, and because something cannot be reached
	}{
		{"done", last(nil), false, false},
		{"others are away", last(gone), true, true},
		{"broken", last(errors.New("bad disk")), false, true},
		{"stops in the middle", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"done":1,`) }, true, true},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, true},
		{"refuses for now", refuse(gone), true, true},
		{"refuses", refuse(errors.New("bad disk")), false, true},
	} {
		say.Store(&test.say)
		care, err := c.Work(t.Context(), node.WorkRepair, nil)
		if (err != nil) != test.failed || errors.Is(err, venti.ErrUnavailable) != test.away || err == nil && care.Trash != 7 {
			t.Errorf("%s: %+v, %v", test.name, care, err)
		}
		if test.name[0] == 'h' || test.name[0] == 'r' { // the others answer nothing but a work
			if _, err := c.Status(t.Context()); err == nil || errors.Is(err, venti.ErrUnavailable) != test.away {
				t.Errorf("%s: status: %v", test.name, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("canceled: %v", err)
	}
}
