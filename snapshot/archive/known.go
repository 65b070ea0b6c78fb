package archive

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// Known is a cache on the local disk of contents that are stored already: content hash → slice of a block. It saves
// work and space; it is never needed, and losing it loses nothing. What it says is believed only while the store still
// has the block.
//
// It is a folder of files that are written once (run.go): each flush adds one, and when there are many they are merged.
// Several processes may use one folder at the same time: each adds files of its own, and only the one that gets the
// lock merges. The zero Known remembers in memory, for one run.
type Known struct {
	dir   string
	store venti.Store
	left  vac.Shares // the parent's; blocks hardly used are not to be used again
	dry   bool

	// mu protects the following.
	mu      sync.Mutex
	runs    []*knownRun
	fresh   map[tree.Hash]place
	present map[venti.Score]bool
	asking  map[venti.Score]chan struct{} // closed when present has the answer
	ahead   int                           // how many shared blocks are asked for the next time
	sizes   map[venti.Score]uint32
}

// A place is where a content is.
type place struct {
	ref   venti.Ref
	off   uint32
	size  uint32
	block uint32 // length of the block's plaintext
}

const (
	freshMax = 32 << 10 // rows kept in memory before they go to a file
	runsMax  = 8        // files before they are merged
)

// OpenKnown opens the cache in folder dir, which is made if it is absent. Files that are not as they must be are
// removed.
func OpenKnown(dir string) (*Known, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k := &Known{dir: dir}
	names, err := filepath.Glob(filepath.Join(dir, "*.known"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) }) // newest first
	for _, name := range names {
		r, err := openRun(name)
		if os.IsNotExist(err) {
			continue // merged by another process meanwhile
		}
		if err != nil {
			os.Remove(name)
			continue
		}
		k.runs = append(k.runs, r)
	}
	return k, nil
}

// Close releases the files.
func (k *Known) Close() {
	for _, r := range k.runs {
		r.close()
	}
	k.runs = nil
}

// begin prepares for a run over store.
func (k *Known) begin(store venti.Store, left vac.Shares, dry bool) {
	k.store, k.left, k.dry, k.ahead = store, left, dry, 1
	k.fresh, k.present, k.sizes = map[tree.Hash]place{}, map[venti.Score]bool{}, map[venti.Score]uint32{}
	k.asking = map[venti.Score]chan struct{}{}
}

// end writes what the run added. Call it when the blocks are in the store.
func (k *Known) end() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dir == "" || k.dry {
		return nil
	}
	if err := k.flush(); err != nil {
		return err
	}
	if len(k.runs) > runsMax {
		return k.merge()
	}
	return nil
}

// Leaf implements what tree.Sink asks for.
func (k *Known) Leaf(ctx context.Context, h tree.Hash, size int) (venti.Ref, bool) {
	p, ok := k.slice(ctx, h, size)
	if !ok || p.off != 0 || p.block != p.size {
		return venti.Ref{}, false
	}
	return p.ref, true
}

// AddLeaf implements what tree.Sink asks for.
func (k *Known) AddLeaf(h tree.Hash, size int, ref venti.Ref) {
	k.add(h, place{ref: ref, size: uint32(size), block: uint32(size)})
}

// slice returns where a content is, if it is known and the store has the block.
func (k *Known) slice(ctx context.Context, h tree.Hash, size int) (place, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.fresh[h]
	for i := 0; !ok && i < len(k.runs); i++ {
		p, ok = k.runs[i].find(h)
	}
	if !ok || int(p.size) != size || sparse(k.left, p.ref.Score) || !k.has(ctx, p.ref.Score) {
		return place{}, false
	}
	if p.block != p.size {
		k.sizes[p.ref.Score] = p.block
	}
	return p, true
}

// has reports whether the store has a block, for which it is asked once in a run. mu is held, but not while the store is
// asked, which takes a swarm tens of milliseconds.
func (k *Known) has(ctx context.Context, score venti.Score) bool {
	for {
		if has, asked := k.present[score]; asked {
			return has
		}
		told := k.asking[score]
		if told == nil {
			k.ask(ctx, score)
			continue
		}
		k.mu.Unlock()
		select {
		case <-told:
		case <-ctx.Done():
		}
		k.mu.Lock()
		if ctx.Err() != nil {
			return false
		}
	}
}

// askMax is how many blocks the store is asked for at once.
const askMax = 256

// ask asks the store whether it has a block, and each time for twice as many of the shared blocks of the parent too: where
// all files were touched it has all answers after a few times, and where few were it asks for few. mu is held, but not
// meanwhile.
func (k *Known) ask(ctx context.Context, score venti.Score) {
	told := make(chan struct{})
	defer close(told)
	scores := []venti.Score{score}
	if _, shared := k.left[score]; shared {
		for other := range k.left {
			if len(scores) >= k.ahead {
				break
			}
			if _, asked := k.present[other]; !asked && k.asking[other] == nil && other != score {
				scores = append(scores, other)
			}
		}
		k.ahead = min(2*k.ahead, askMax)
	}
	for _, s := range scores {
		k.asking[s] = told
	}
	k.mu.Unlock()
	answer, err := k.store.Has(ctx, scores)
	if err != nil && len(scores) > 1 { // perhaps because of another one
		answer, err = k.store.Has(ctx, scores[:1])
	}
	k.mu.Lock()
	for _, s := range scores {
		delete(k.asking, s)
	}
	k.present[score] = err == nil && answer[0]
	for i, has := range answer {
		k.present[scores[i]] = has
	}
}

// add remembers where a content is.
func (k *Known) add(h tree.Hash, p place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fresh[h] = p
	k.present[p.ref.Score] = true
	if len(k.fresh) >= freshMax && k.dir != "" && !k.dry {
		if err := k.flush(); err != nil {
			clear(k.fresh) // it is a cache: the disk may be full
		}
	}
}

// blockSize returns the length of a shared block's plaintext, or 0 if it did not come up in this run.
func (k *Known) blockSize(score venti.Score) uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sizes[score]
}

// flush writes fresh to a file; mu is held.
func (k *Known) flush() error {
	if len(k.fresh) == 0 {
		return nil
	}
	rows := make([]knownRow, 0, len(k.fresh))
	for h, p := range k.fresh {
		rows = append(rows, knownRow{h, p})
	}
	slices.SortFunc(rows, compareRows)
	r, err := writeRun(k.dir, slices.Values(rows))
	if err != nil {
		return fmt.Errorf("write %s: %w", k.dir, err)
	}
	k.runs = slices.Insert(k.runs, 0, r)
	clear(k.fresh)
	return nil
}

// merge makes one file of all; mu is held. Rows whose block is known to be gone are dropped.
func (k *Known) merge() error {
	lock, err := os.OpenFile(filepath.Join(k.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // another process is at it
	}
	merged, err := writeRun(k.dir, mergeRuns(k.runs, func(p place) bool {
		has, asked := k.present[p.ref.Score]
		return has || !asked
	}))
	if err != nil {
		return err
	}
	for _, r := range k.runs {
		r.close()
		os.Remove(r.name)
	}
	k.runs = []*knownRun{merged}
	return nil
}
