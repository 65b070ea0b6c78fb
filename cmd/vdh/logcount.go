package main

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A countingHandler counts what is logged, on its way to another handler.
type countingHandler struct {
	slog.Handler
	warned, failed *atomic.Int64
}

func newCountingHandler(h slog.Handler) *countingHandler {
	return &countingHandler{h, new(atomic.Int64), new(atomic.Int64)}
}

// Handle implements slog.Handler.
func (h *countingHandler) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Level >= slog.LevelError:
		h.failed.Add(1)
	case r.Level >= slog.LevelWarn:
		h.warned.Add(1)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *countingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &countingHandler{h.Handler.WithAttrs(attrs), h.warned, h.failed}
}

// WithGroup implements slog.Handler.
func (h *countingHandler) WithGroup(name string) slog.Handler {
	return &countingHandler{h.Handler.WithGroup(name), h.warned, h.failed}
}
