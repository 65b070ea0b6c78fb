package fragstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// many makes different fragments of blocks of their own, quickly: no proof, and payloads that differ in a few bytes.
func many(size int) func(i int) piece {
	payload := make([]byte, size)
	return func(i int) piece {
		p := append([]byte(nil), payload...)
		copy(p, fmt.Sprint(i))
		f := &dhash.Fragment{Score: venti.Sum(p[:16]), Length: size, Code: dhash.Code{Need: 1, Total: 1}, Payload: p}
		return piece{fragstore.Name{Score: f.Score, Coding: f.Coding()}, f.Code, size, f.Append(nil), f}
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10} {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dK/%d", size>>10, callers), func(b *testing.B) {
				s := open(b, config(b))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				var next atomic.Int64
				var wg sync.WaitGroup
				list := make([]piece, b.N)
				mk := many(size)
				for i := range list {
					list[i] = mk(i)
				}
				b.ResetTimer()
				for range callers {
					wg.Go(func() {
						for {
							i := int(next.Add(1)) - 1
							if i >= b.N {
								return
							}
							p := list[i]
							f, err := dhash.ParseFragment(p.encoded) // as whoever received it does
							if err == nil {
								err = s.Put(b.Context(), mark(alice), f, f.Coding())
							}
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				var bytes int64
				for _, p := range list {
					bytes += int64(len(p.encoded))
				}
				closeStore(b, s)
				st := s.Stats()
				b.ReportMetric(float64(st.ArenaBytes+st.IndexBytes)/float64(bytes), "disk/byte")
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			s := open(b, config(b))
			const n = 1000
			var list []piece
			mk := many(size)
			for i := range n {
				list = append(list, mk(i))
				put(b, s, alice, list[i])
			}
			if err := fragstore.Flush(s); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, dhash.MaxFragment+fragstore.MaxOverhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, _, err := s.Get(b.Context(), list[i%n].Score, nil, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHave(b *testing.B) {
	s := open(b, config(b))
	const n = 20_000
	mk := many(10)
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := g; i < n; i += 32 {
				put(b, s, alice, mk(i))
			}
		})
	}
	wg.Wait()
	if err := fragstore.Flush(s); err != nil {
		b.Fatal(err)
	}
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprint("hit=", hit), func(b *testing.B) {
			var scores []venti.Score
			for i := range 1000 {
				sc := mk(i * 17).Score
				if !hit {
					sc[3]++
				}
				scores = append(scores, sc)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Have(b.Context(), scores); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/score")
		})
	}
}

// BenchmarkSettle releases 30,000 of 100,000 small fragments, which takes a confirmation, and retains 10,000 of the others.
func BenchmarkSettle(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newWriter(b, 1)
		s := open(b, swarmConfig(b, w))
		mk := many(64)
		list := make([]piece, 100_000)
		var wg sync.WaitGroup
		for g := range 256 {
			wg.Go(func() {
				for i := g; i < len(list); i += 256 {
					list[i] = mk(i)
					put(b, s, w.owner, list[i])
				}
			})
		}
		wg.Wait()
		w.settle(s, w.heartbeat(), claim.Done, claim.NoReason, 0)
		w.now = w.now.Add(4 * day)
		b.StartTimer()
		step := func(name string, raw []byte, v claim.Verdict, r claim.Reason, n int64) {
			began := time.Now()
			w.settle(s, raw, v, r, n)
			b.ReportMetric(time.Since(began).Seconds(), name+"-s")
		}
		for _, c := range []struct {
			name string
			sign func() []byte
			n    int64
		}{
			{"release", func() []byte { return w.release(list[:30_000]...) }, 30_000},
			{"retain", func() []byte { return w.retain(3*day, list[30_000:40_000]...) }, 60_000},
		} {
			raw := c.sign()
			step(c.name+"-braked", raw, claim.Waits, claim.Braked, c.n)
			confirm := w.confirm(raw)
			w.now = w.now.Add(day)
			w.settle(s, confirm, claim.Done, claim.NoReason, 0)
			step(c.name, raw, claim.Done, claim.NoReason, c.n)
			step(c.name+"-again", raw, claim.Done, claim.NoReason, c.n)
		}
	}
}
