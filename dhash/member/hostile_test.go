package member_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/venti"
)

// say sends bytes to a node on a new stream and returns the kind and body of the answer, or an error if there is none.
func say(ctx context.Context, t *testing.T, h host.Host, to *node, b []byte) (byte, []byte, error) {
	t.Helper()
	if err := h.Connect(ctx, to.info()); err != nil {
		t.Fatal(err)
	}
	st, err := h.NewStream(ctx, to.host.ID(), member.Protocol)
	if err != nil {
		return 0, nil, err
	}
	defer st.Reset()
	st.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := st.Write(b); err != nil {
		return 0, nil, err
	}
	if err := st.CloseWrite(); err != nil {
		return 0, nil, err
	}
	a, err := io.ReadAll(st)
	if err != nil || len(a) < 6 {
		return 0, nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return a[1], a[6:], nil
}

func frame(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{1, kind}, uint32(len(body))), body...)
}

// helloOf is the hello of whom a record is about.
func helloOf(r *member.Record) []byte { return frame(1, venti.AppendBytes([]byte{0, 1}, r.Encode())) }

func TestHostileHello(t *testing.T) {
	now := time.Now()
	v := inviteTo(t, swarmKey, now, 0)
	a := plan{invitation: v, limits: quick()}.start(t, "a")
	b := plan{invitation: v, limits: quick()}.start(t, "b")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stranger := newHost(t, "stranger", new(member.Gate))

	skewed := func(by time.Duration) *member.Record {
		r := recordOf(t, v, "stranger", 1, now)
		if err := r.Sign(keyOf("stranger"), v.Swarm.Swarm(), now.Add(by)); err != nil {
			t.Fatal(err)
		}
		return r
	}
	badSignature := recordOf(t, v, "stranger", 1, now)
	badSignature.Signature[5] ^= 1
	client, err := accept(t, v, publicOf("b"), now).Issue(keyOf("b"), v.Swarm, now, member.Certificate{
		Role: member.RoleClient, Subject: publicOf("somebody's client"), Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		b     []byte
		fault byte
	}{
		{"hello of another member, replayed", b.service.HelloBytes(), 1},
		{"hello of another's client, replayed", frame(1, venti.AppendBytes([]byte{0, 2}, client.Encode())), 1},
		{"a member's chain as a client's", frame(1, venti.AppendBytes([]byte{0, 2},
			accept(t, v, publicOf("stranger"), now).Encode())), 1},
		{"another swarm's", helloOf(recordOf(t, inviteTo(t, "another swarm", now, 0), "stranger", 1, now)), 1},
		{"bad signature", helloOf(badSignature), 4},
		{"clock ahead", helloOf(skewed(3 * time.Hour)), 3},
		{"clock behind", helloOf(skewed(-3 * time.Hour)), 3},
		{"no record", frame(1, []byte{0, 1, 0}), 4},
		{"ping before hello", frame(3, make([]byte, 34)), 1},
		{"pull before hello", frame(9, nil), 1},
		{"push before hello", frame(7, []byte{0, 0}), 1},
		{"an oversized hello", append([]byte{1, 1}, 0, 1, 0, 0), 1},
		{"unknown kind", frame(77, nil), 1},
		{"unknown version", append([]byte{2}, frame(1, nil)[1:]...), 1},
	} {
		kind, body, err := say(ctx, t, stranger, a, c.b)
		if err != nil || kind != 255 || body[0] != c.fault {
			t.Errorf("%s: kind %d, %q, %v; want fault %d", c.name, kind, body, err, c.fault)
		}
		if a.service.Admitted(dhash.ID(stranger.ID())) {
			t.Fatalf("%s: admitted", c.name)
		}
	}
}

// TestHostileMember has a member say what is malformed, forged or half good.
func TestHostileMember(t *testing.T) {
	now := time.Now()
	v := inviteTo(t, swarmKey, now, 0)
	a := plan{invitation: v, limits: quick()}.start(t, "a")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stranger := newHost(t, "stranger", new(member.Gate))
	if kind, _, err := say(ctx, t, stranger, a, helloOf(recordOf(t, v, "stranger", 1, now))); err != nil || kind != 2 {
		t.Errorf("an honest hello: kind %d, %v", kind, err)
	}
	if kind, body, err := say(ctx, t, stranger, a, frame(3, make([]byte, 35))); err != nil || kind != 255 || body[0] != 4 {
		t.Errorf("a malformed ping of a member: kind %d, %v", kind, err)
	}
	forged := manifestOf(t, "another swarm", 9, now)
	forged.Swarm = v.Swarm
	for _, m := range [][]byte{forged.Encode(), manifestOf(t, "another swarm", 9, now).Encode()} {
		kind, body, err := say(ctx, t, stranger, a, frame(7, append(venti.AppendBytes(nil, m), 0)))
		if err != nil || kind != 255 || body[0] != 4 || a.roster.Manifest() != nil {
			t.Errorf("a forged manifest: kind %d, %v", kind, err)
		}
	}
	// A push of records that are no good changes nothing; the good one among them is taken.
	good, bad := recordOf(t, v, "c", 1, now).Encode(), recordOf(t, v, "d", 1, now).Encode()
	bad[len(bad)-1] ^= 1
	body := append([]byte{0}, venti.AppendUint(nil, 3)...)
	for _, r := range [][]byte{bad, []byte("junk"), good} {
		body = venti.AppendBytes(body, r)
	}
	if kind, _, err := say(ctx, t, stranger, a, frame(7, body)); err != nil || kind != 8 {
		t.Errorf("push: kind %d, %v", kind, err)
	}
	if !a.service.IsMember(idOf("c")) || a.service.IsMember(idOf("d")) {
		t.Error("of a good and a bad record the wrong one was taken")
	}
}

// TestHalfMessages has strangers hold all that they may, and a member gets through none the less.
func TestHalfMessages(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	config := func(c *member.Config) { c.Timeout = 2 * time.Second }
	a := plan{invitation: v, limits: quick(), config: config}.start(t, "a")
	b := plan{invitation: v, limits: quick(), config: config}.start(t, "b")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.service.Hello(ctx, a.info()); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	var held []network.Stream
	for i := range 10 {
		h := newHost(t, "stranger "+string(rune('0'+i)), new(member.Gate))
		if err := h.Connect(ctx, a.info()); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			st, err := h.NewStream(ctx, a.host.ID(), member.Protocol)
			if err != nil {
				t.Fatal(err)
			}
			st.Write([]byte{1, 1, 0, 0, 1}) // half a head
			held = append(held, st)
		}
	}
	if kind, _, err := say(ctx, t, b.host, a, frame(3, make([]byte, 34))); err != nil || kind != 4 {
		t.Errorf("a ping of a member: kind %d, %v", kind, err)
	}
	reset := 0
	for _, st := range held {
		st.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := st.Read(make([]byte, 1)); errors.Is(err, network.ErrReset) {
			reset++
		}
	}
	if reset != len(held) {
		t.Errorf("%d of %d half messages were reset", reset, len(held))
	}
	// With them gone, a new member is admitted.
	c := plan{invitation: v, limits: quick(), config: config}.start(t, "c")
	if err := c.service.Hello(ctx, a.info()); err != nil {
		t.Error(err)
	}
	t.Logf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// TestLyingMember answers hello with another member's record, with rubbish, and with endless bytes.
func TestLyingMember(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	config := func(c *member.Config) { c.Timeout = 2 * time.Second }
	a := plan{invitation: v, limits: quick(), config: config}.start(t, "a")
	b := plan{invitation: v, limits: quick()}.start(t, "b")
	ctx := context.Background()
	replay := b.service.HelloBytes()
	replay[1] = 2
	liar := newHost(t, "liar", new(member.Gate))
	for _, c := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"another's record", replay, dhash.ErrStranger},
		{"rubbish", bytes.Repeat([]byte("junk"), 100), member.ErrMessage},
		{"an answer to something else", frame(8, nil), member.ErrMessage},
		{"oversized", []byte{1, 2, 255, 255, 255, 255}, member.ErrMessage},
		{"half", replay[:len(replay)/2], venti.ErrUnavailable},
		{"nothing", nil, venti.ErrUnavailable},
		{"busy", frame(255, append([]byte{2, 2}, "no"...)), dhash.ErrBusy},
	} {
		liar.SetStreamHandler(member.Protocol, func(st network.Stream) {
			io.Copy(io.Discard, st)
			st.Write(c.answer)
			st.Close()
		})
		if err := a.service.Hello(ctx, peer.AddrInfo{ID: liar.ID(), Addrs: liar.Addrs()}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if a.service.Admitted(dhash.ID(liar.ID())) {
			t.Errorf("%s: admitted", c.name)
		}
	}
	if slices.ContainsFunc(a.roster.List(time.Now()), func(s member.Status) bool { return s.Record.ID() == b.id() }) {
		t.Error("a replayed record entered the roster") // it would do no harm; but it need not
	}
}
