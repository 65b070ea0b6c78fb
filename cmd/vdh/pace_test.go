package main

import (
	"context"
	"testing"
	"time"
)

// TestPace holds that what passes has the rate, and that whoever waits can be stopped.
func TestPace(t *testing.T) {
	p := &pace{rate: 1 << 20}
	begin := time.Now()
	for range 6 {
		if err := p.pass(t.Context(), 32<<10); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took < 150*time.Millisecond { // the last passes when the five before it are through
		t.Errorf("192 KiB passed in %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.pass(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := p.pass(ctx, 1); err == nil {
		t.Error("it did not wait")
	}
	for code, want := range map[string]float64{"8/20": 2.5, "1/1": 1, "": 1, "20/8": 1, "0/3": 1} {
		if got := growthOf(code); got != want {
			t.Errorf("the growth of %q is %v", code, got)
		}
	}
}
