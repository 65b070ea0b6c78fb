package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// A pace lets bytes pass so that there are no more of them in a second than its rate, on average. A block passes as a
// whole; what comes next waits for as long as that would have taken.
type pace struct {
	rate int64

	mu   sync.Mutex
	free time.Time // when what has passed until now would be through
}

// pass waits until n bytes may pass.
func (p *pace) pass(ctx context.Context, n int) error {
	p.mu.Lock()
	now := time.Now()
	at := p.free
	if at.Before(now) {
		at = now
	}
	p.free = at.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	p.mu.Unlock()
	if at == now {
		return ctx.Err()
	}
	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pacedFolder is a store in a folder that is written to at a pace: it may lie on another machine's disk.
type pacedFolder struct {
	*disk.Store
	pace *pace
}

// Put implements venti.Store.
func (s pacedFolder) Put(ctx context.Context, block []byte) (venti.Score, error) {
	if err := s.pace.pass(ctx, len(block)); err != nil {
		return venti.Score{}, err
	}
	return s.Store.Put(ctx, block)
}

// pacedSwarm is a swarm that blocks go to, and come from, at a pace. Of a block that is put, each member gets a fragment:
// together they are larger than the block by what its code says.
type pacedSwarm struct {
	swarmStore
	pace   *pace
	growth float64
}

// Put implements venti.Store.
func (s *pacedSwarm) Put(ctx context.Context, block []byte) (venti.Score, error) {
	if err := s.pace.pass(ctx, int(float64(len(block))*s.growth)); err != nil {
		return venti.Score{}, err
	}
	return s.swarmStore.Put(ctx, block)
}

// PutVital implements venti.VitalStore.
func (s *pacedSwarm) PutVital(ctx context.Context, block []byte) (venti.Score, error) {
	if err := s.pace.pass(ctx, int(float64(len(block))*s.growth)); err != nil {
		return venti.Score{}, err
	}
	return s.swarmStore.PutVital(ctx, block)
}

// Get implements venti.Store.
func (s *pacedSwarm) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	b, err := s.swarmStore.Get(ctx, score)
	if err == nil {
		err = s.pace.pass(ctx, len(b)) // how long it is, is known now; the next one waits for it
	}
	return b, err
}

// growthOf returns how much larger the fragments of a block are than the block, by a code like 8/20.
func growthOf(code string) float64 {
	need, total, _ := strings.Cut(code, "/")
	k, err := strconv.Atoi(need)
	n, err2 := strconv.Atoi(total)
	if err != nil || err2 != nil || k < 1 || n < k {
		return 1
	}
	return float64(n) / float64(k)
}

// growth returns how much larger than a block that is what goes to the members of a swarm for it.
func growth(ctx context.Context, s swarmStore) float64 {
	switch s := s.(type) {
	case *byNode:
		if st, err := s.local.Status(ctx); err == nil {
			return growthOf(st.Code)
		}
	case *byClient:
		return growthOf(s.Client.Status().Code)
	}
	return 1
}
