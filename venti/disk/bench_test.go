package disk_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/ventitest"
)

func BenchmarkOpenClose(b *testing.B) {
	for name, n := range map[string]int{"empty": 0, "small": 200} {
		b.Run(name, func(b *testing.B) {
			cfg := disk.Config{Dir: b.TempDir()}
			s := open(b, cfg)
			putN(b, s, 0, n, 100_000)
			closeStore(b, s)
			var opening, closing time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				s := open(b, cfg)
				opening += time.Since(began)
				if n > 0 {
					putN(b, s, n+i, 1, 1000) // as a command does
				}
				began = time.Now()
				closeStore(b, s)
				closing += time.Since(began)
			}
			b.ReportMetric(float64(opening.Microseconds())/1e3/float64(b.N), "open-ms")
			b.ReportMetric(float64(closing.Microseconds())/1e3/float64(b.N), "close-ms")
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{8 << 10, 128 << 10, 1 << 20} {
		for _, who := range []string{"owner", "guest"} {
			b.Run(fmt.Sprintf("%s/%dK", who, size>>10), func(b *testing.B) {
				cfg := disk.Config{Dir: b.TempDir()}
				s := open(b, cfg)
				if who == "guest" {
					s = open(b, cfg)
				}
				bl := ventitest.Random(1, size)
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					binary.BigEndian.PutUint64(bl, uint64(i))
					if _, err := s.Put(b.Context(), bl); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Sync(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.Log(resident())
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{8 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			s := open(b, disk.Config{Dir: b.TempDir()})
			const n = 64
			scores := putN(b, s, 0, n, size)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if _, err := s.Get(b.Context(), scores[i%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHas(b *testing.B) {
	s := open(b, disk.Config{Dir: b.TempDir()})
	const n = 20_000
	scores := putN(b, s, 0, n, 50)
	for i := range n {
		scores = append(scores, venti.Sum(block(n+i, 50)))
	}
	for b.Loop() {
		if _, err := s.Has(b.Context(), scores); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(scores))*float64(b.N)/b.Elapsed().Seconds(), "scores/s")
}

// BenchmarkRebuild deletes the index of a store with VDISK_ROWS blocks (default 100 000) and opens it.
func BenchmarkRebuild(b *testing.B) {
	n := 100_000
	if v := os.Getenv("VDISK_ROWS"); v != "" {
		fmt.Sscan(v, &n)
	}
	cfg := disk.Config{Dir: b.TempDir()}
	s := open(b, cfg)
	for i := range n {
		if _, err := s.Put(b.Context(), fmt.Appendf(nil, "%d", i)); err != nil {
			b.Fatal(err)
		}
	}
	closeStore(b, s)
	runtime.GC()
	b.Logf("resident after %d puts: %s", n, resident())
	for b.Loop() {
		if err := os.RemoveAll(filepath.Join(cfg.Dir, "index")); err != nil {
			b.Fatal(err)
		}
		closeStore(b, open(b, cfg))
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.Logf("resident after the rebuild: %s", resident())
	began := time.Now()
	s = open(b, cfg)
	b.Logf("open: %v", time.Since(began))
	st, err := s.Stats(b.Context())
	b.Logf("%+v %v", st, err)
}

// resident returns what Linux says of the memory of this process.
func resident() string {
	t, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, line := range strings.Split(string(t), "\n") {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "RssAnon") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, ", ")
}
