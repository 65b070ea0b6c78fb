package peer_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
)

// flat is a Handler without work of its own, so that what is measured is the protocol and the hash at either end.
type flat struct {
	holder
	f *dhash.Fragment
}

func (h *flat) Put(context.Context, dhash.ID, dhash.Claim, *dhash.Fragment, dhash.Coding) (int64, error) {
	return 1, nil
}
func (h *flat) Get(context.Context, dhash.ID, peer.Want) (*dhash.Fragment, error) { return h.f, nil }

// BenchmarkPut and BenchmarkGet move fragments over loopback, TCP with TLS, both ends in this process.
func BenchmarkPut(b *testing.B) {
	eachSize(b, func(ctx context.Context, c *peer.Client, to dhash.ID, f *dhash.Fragment, _ peer.Want) error {
		_, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, f)
		return err
	})
}

func BenchmarkGet(b *testing.B) {
	eachSize(b, func(ctx context.Context, c *peer.Client, to dhash.ID, _ *dhash.Fragment, want peer.Want) error {
		_, _, err := c.Get(ctx, to, want)
		return err
	})
}

type operation func(ctx context.Context, c *peer.Client, to dhash.ID, f *dhash.Fragment, want peer.Want) error

func eachSize(b *testing.B, op operation) {
	for _, size := range []int{1 << 10, 8 << 10, 64 << 10, 128 << 10} {
		for _, at := range []int{1, 32} {
			b.Run(fmt.Sprintf("%dKiB/at-once-%d", size>>10, at), func(b *testing.B) {
				all, coding := block(1, 8*size, dhash.Code{Need: 8, Total: 20})
				c, to := pair(b, &flat{f: all[3]}, peer.ClientConfig{})
				run(b, size, at, func(ctx context.Context, _ int) error {
					return op(ctx, c, to, all[3], peer.Want{Score: all[3].Score, Coding: coding})
				})
			})
		}
	}
}

// BenchmarkChallenge has a member prove a leaf of each of 64 fragments of 128 KiB in one message.
func BenchmarkChallenge(b *testing.B) {
	all, coding := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	h := &holder{}
	c, to := pair(b, h, peer.ClientConfig{})
	if _, err := h.Put(b.Context(), to, dhash.Claim{}, all[3], coding); err != nil {
		b.Fatal(err)
	}
	list := slices.Repeat([]peer.Challenge{{Score: all[3].Score, Coding: coding, Nonce: 99}}, 64)
	run(b, 64*(128<<10), 1, func(ctx context.Context, _ int) error {
		_, err := c.Challenge(ctx, to, list)
		return err
	})
}

// BenchmarkBlocks is the heavy load: one client puts blocks of 1 MiB, the twenty fragments of each to twenty of 24
// members at once, four blocks at a time.
func BenchmarkBlocks(b *testing.B) {
	const members, code = 24, 20
	all, _ := block(1, 1<<20, dhash.Code{Need: 8, Total: code})
	a := newHost(b)
	c := client(b, a, peer.ClientConfig{})
	var ids []dhash.ID
	for range members {
		h := newHost(b)
		know(a, h)
		serve(b, h, &flat{}, everybody())
		ids = append(ids, idOf(h))
	}
	run(b, code*all[0].Code.PayloadSize(1<<20), 4, func(ctx context.Context, n int) error {
		done := make(chan error, code)
		for i, f := range all {
			go func() {
				_, err := c.Put(ctx, ids[(n+i)%members], dhash.Claim{Owner: owner}, f)
				done <- err
			}()
		}
		var failed error
		for range code {
			if err := <-done; err != nil {
				failed = err
			}
		}
		return failed
	})
}

// run runs op b.N times, at so many at once, and reports the time that both ends' CPUs worked.
func run(b *testing.B, size, at int, op func(ctx context.Context, n int) error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := op(ctx, 0); err != nil { // connects
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var next atomic.Int64
	done := make(chan error, at)
	before := cpu()
	b.ResetTimer()
	for range at {
		go func() {
			var err error
			for n := next.Add(1); n <= int64(b.N) && err == nil; n = next.Add(1) {
				err = op(ctx, int(n))
			}
			done <- err
		}()
	}
	for range at {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/1000/(float64(b.N)*float64(size)/1e6), "cpu-ms/MB")
}

// cpu returns the CPU time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
