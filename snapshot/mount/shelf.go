package mount

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/layout"
	"ventidhash/snapshot/vac"
)

// fresh is how long the folders above the snapshots stay as they are, here and in the kernel.
const fresh = time.Second

// A shelf holds the folders above the snapshots, and reads the list again when it is asked for them and they are older
// than fresh.
type shelf struct {
	from Snapshots
	zone *time.Location
	log  *slog.Logger

	mu      sync.Mutex     // protects the following
	top     *layout.Folder // nil until the list has been read once
	read    time.Time      // when that was tried last
	reading bool
	failing bool
}

// folders returns the top folder. While the list cannot be read, it is the one that was.
func (s *shelf) folders(ctx context.Context) (*layout.Folder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.top != nil && (s.reading || time.Since(s.read) < fresh) {
		return s.top, nil
	}
	s.reading = true
	s.mu.Unlock()
	list, err := s.from.List(ctx)
	var top *layout.Folder
	if err == nil {
		top = layout.New(list, s.zone)
	}
	s.mu.Lock()
	s.reading, s.read = false, time.Now()
	switch {
	case err == nil:
		s.top, s.failing = top, false
	case s.top == nil:
		return nil, err
	case !s.failing:
		s.failing = true
		s.log.Warn("the list of snapshots cannot be read, the one before is shown", slog.Any("err", err))
	}
	return s.top, nil
}

// A volume is a snapshot that is shown, opened when somebody first looks into it.
type volume struct {
	snap snapshot.Snapshot
	name key

	mu   sync.Mutex
	tree *vac.Tree
}

// open returns the snapshot's tree. Two that come at once may both open it; it costs one block.
func (v *volume) open(ctx context.Context, from Snapshots) (*vac.Tree, error) {
	v.mu.Lock()
	t := v.tree
	v.mu.Unlock()
	if t != nil {
		return t, nil
	}
	t, err := from.Open(ctx, v.snap)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tree == nil {
		v.tree = t
	}
	return v.tree, nil
}
