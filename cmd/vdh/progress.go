package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"ventidhash/snapshot/archive"
)

// A tally is what a long verb has done so far.
type tally struct {
	files, bytes int64
	current      string
	what         string // said in place of files and bytes, if not empty
}

// A tallyOf keeps the last progress that a library has told of.
type tallyOf[T any] struct{ last atomic.Pointer[T] }

func (t *tallyOf[T]) store(p T) { t.last.Store(&p) }

func (t *tallyOf[T]) load() (p T) {
	if last := t.last.Load(); last != nil {
		p = *last
	}
	return p
}

// An outlet writes to one writer and later to another one. It may be used by many goroutines at once.
type outlet struct {
	mu sync.Mutex // protects w
	w  io.Writer
}

// Write implements io.Writer.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// to makes w what is written to from now on.
func (o *outlet) to(w io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = w
}

// lineEvery is how often progress is printed where there is no terminal.
const lineEvery = 30 * time.Second

// watch shows progress on standard error until stop is called: a bar on a terminal, a line now and then elsewhere,
// nothing with --quiet. total is how many bytes there will be, 0 if that is not known. read may be called at any time.
func (a *app) watch(ctx context.Context, verb string, total int64, read func() tally) (stop func()) {
	switch {
	case a.quiet || a.json && !(a.told && isTerminal(a.stderr)):
		return func() {}
	case isTerminal(a.stderr):
		return a.bar(ctx, verb, total, read)
	}
	return a.lines(ctx, verb, read)
}

func (a *app) lines(ctx context.Context, verb string, read func() tally) func() {
	ctx, cancel := context.WithCancel(ctx)
	begin := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(lineEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.note("%s: %s, %s", verb, describe(read(), begin), printable(read().current))
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// describe says how much was done and how fast.
func describe(t tally, begin time.Time) string {
	if t.what != "" {
		return t.what
	}
	rate := float64(t.bytes) / max(time.Since(begin).Seconds(), 0.001)
	return fmt.Sprintf("%s files, %s, %s/s", humanize.Comma(t.files), size(t.bytes), size(int64(rate)))
}

func (a *app) bar(ctx context.Context, verb string, total int64, read func() tally) func() {
	begin := time.Now()
	p := mpb.NewWithContext(ctx, mpb.WithOutput(a.stderr), mpb.WithRefreshRate(150*time.Millisecond), mpb.WithWidth(30))
	left := func(decor.Statistics) string {
		t := read()
		if total <= 0 || t.bytes <= 0 || t.bytes >= total {
			return ""
		}
		eta := time.Duration(float64(time.Since(begin)) * float64(total-t.bytes) / float64(t.bytes))
		return "  about " + eta.Round(time.Second).String() + " left"
	}
	text := func(decor.Statistics) string { return verb + ": " + describe(read(), begin) }
	current := func(decor.Statistics) string { return "  " + shorten(read().current, columns(a)-100) }
	bar := p.New(max(total, 1), mpb.BarStyle().Rbound("]").Lbound("["),
		mpb.PrependDecorators(decor.Any(text)), mpb.AppendDecorators(decor.Any(left), decor.Any(current)), mpb.BarRemoveOnComplete())
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				bar.SetCurrent(min(read().bytes, max(total, 1)-1))
			case <-done:
				return
			}
		}
	})
	a.errs.to(p) // lines above the bar
	return func() {
		close(done)
		wg.Wait()
		bar.Abort(true)
		p.Wait()
		a.errs.to(a.stderr)
	}
}

// follow makes a run of the archiver report what it does.
func (a *app) follow(cfg *archive.Config) {
	cfg.Progress = &archive.Progress{}
	cfg.Warn = a.fileError
	if a.verbose {
		cfg.Saved = func(path string, what archive.Change, n int64) {
			fmt.Fprintf(a.errs, "%-9s %s (%s)\n", what, printable(path), size(n))
		}
	}
}

// archiveTally returns how to read the progress of a run of the archiver.
func archiveTally(p *archive.Progress) func() tally {
	return func() tally {
		t := tally{files: p.Files.Load(), bytes: p.Bytes.Load()}
		if c := p.Current.Load(); c != nil {
			t.current = *c
		}
		return t
	}
}

// columns returns the width of the terminal.
func columns(a *app) int {
	if f, ok := a.stderr.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 80
}

// shorten keeps the end of a path, with what cannot be printed quoted.
func shorten(path string, n int) string {
	path = printable(path)
	if runes := []rune(path); len(runes) > max(n, 16) {
		path = "…" + string(runes[len(runes)-max(n, 16):])
	}
	return path
}
