package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ventidhash/venti/wire"
)

// keepUpEvery is how often at most a mount or a server asks what other machines have done to the list.
const keepUpEvery = time.Minute

// keepingUp takes in what other machines do to the list of snapshots, for as long as somebody looks at it again and again.
// Whoever looks does not wait for that: he sees it when he looks the next time.
type keepingUp struct {
	take   func(context.Context) error
	log    *slog.Logger
	wanted chan struct{} // has room for one
}

// keepUp begins to take in what other machines do to the list that is shown. stop returns when that has ended.
func (a *app) keepUp(ctx context.Context, log *slog.Logger) (k *keepingUp, stop func()) {
	k = newKeepingUp(a.takeInLater, log)
	if !a.shared {
		return k, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { k.run(ctx) })
	return k, func() { cancel(); work.Wait() }
}

func newKeepingUp(take func(context.Context) error, log *slog.Logger) *keepingUp {
	return &keepingUp{take, log, make(chan struct{}, 1)}
}

// looked says that somebody looks at the list. Of nil it does nothing.
func (k *keepingUp) looked() {
	if k == nil {
		return
	}
	select {
	case k.wanted <- struct{}{}:
	default:
	}
}

// run takes in what others have done until ctx is done. It begins by waiting: all is known then.
func (k *keepingUp) run(ctx context.Context) {
	failing := false
	for {
		select {
		case <-time.After(keepUpEvery):
		case <-ctx.Done():
			return
		}
		select {
		case <-k.wanted:
		case <-ctx.Done():
			return
		}
		err := k.take(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			k.log.Warn("the list of snapshots may be out of date, for what other machines have done to it could not be found out",
				slog.Any("err", cause(err)))
		}
		failing = err != nil
	}
}

// takeInLater is takeInOnly for a program that goes on for long, and may have lost the node of this machine meanwhile.
func (a *app) takeInLater(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	st, err := a.blocks(ctx, false)
	if err != nil {
		return err
	}
	if err = a.takeInOnly(ctx); errors.Is(err, wire.ErrLost) {
		a.leave(st) // the next time it is opened anew
	}
	return err
}
