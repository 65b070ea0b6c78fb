package prune

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"ventidhash/venti"
	"ventidhash/venti/durable"
)

const (
	forgottenVersion = 1
	forgottenFile    = "forgotten"
	maxForgotten     = 1 << 16
	maxForgottenTime = 1 << 40
	sumSize          = 32
	maxForgottenFile = 16 + maxForgotten*(venti.ScoreSize+6) + sumSize
)

// A Forgotten is a snapshot that left the catalog, and whose blocks were not let go yet.
type Forgotten struct {
	Score venti.Score
	Time  time.Time // when it was forgotten
}

// Forget notes in a folder that snapshots leave the catalog. Call it before they do: one that is still in the catalog
// keeps all of its blocks whatever is noted. The folder is made if need be.
func Forget(ctx context.Context, dir string, now time.Time, scores ...venti.Score) error {
	return changeForgotten(ctx, dir, func(list []Forgotten) []Forgotten {
		for _, s := range scores {
			list = append(list, Forgotten{s, now.UTC().Truncate(time.Second)})
		}
		return list
	})
}

// LetGo takes snapshots off the note, whose blocks were let go or need not be.
func LetGo(ctx context.Context, dir string, scores ...venti.Score) error {
	return changeForgotten(ctx, dir, func(list []Forgotten) []Forgotten {
		return slices.DeleteFunc(list, func(f Forgotten) bool { return slices.Contains(scores, f.Score) })
	})
}

// ReadForgotten returns the snapshots noted in a folder, by score. A note that is missing or damaged is empty.
func ReadForgotten(dir string) ([]Forgotten, error) {
	b, err := durable.ReadFile(filepath.Join(dir, forgottenFile), maxForgottenFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrTooLong) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := parseForgotten(b)
	if err != nil {
		return nil, nil // the retain sets find what it said
	}
	return list, nil
}

func parseForgotten(b []byte) ([]Forgotten, error) {
	if len(b) < sumSize {
		return nil, errors.New("too short")
	}
	body := b[:len(b)-sumSize]
	if sum := blake3.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, errors.New("the sum does not fit")
	}
	d := venti.NewDecoder(body)
	if v := d.Byte(); v != forgottenVersion {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
	n := d.Uint(maxForgotten)
	var list []Forgotten
	for i := 0; i < int(n) && d.Err() == nil; i++ {
		f := Forgotten{}
		copy(f.Score[:], d.Fixed(venti.ScoreSize))
		f.Time = time.Unix(int64(d.Uint(maxForgottenTime)), 0).UTC()
		if i > 0 && compareForgotten(list[i-1], f) >= 0 {
			d.Fail(errors.New("scores are not in order"))
		}
		list = append(list, f)
	}
	return list, d.Finish()
}

func compareForgotten(a, b Forgotten) int { return bytes.Compare(a.Score[:], b.Score[:]) }

// encodeForgotten encodes a list, of which only the newest fit if it is too long.
func encodeForgotten(list []Forgotten) []byte {
	if len(list) > maxForgotten {
		slices.SortStableFunc(list, func(a, b Forgotten) int { return b.Time.Compare(a.Time) })
		list = list[:maxForgotten]
	}
	slices.SortStableFunc(list, compareForgotten)
	list = slices.CompactFunc(list, func(a, b Forgotten) bool { return a.Score == b.Score })
	out := venti.AppendUint([]byte{forgottenVersion}, uint64(len(list)))
	for _, f := range list {
		out = append(out, f.Score[:]...)
		out = venti.AppendUint(out, uint64(min(max(f.Time.Unix(), 0), maxForgottenTime)))
	}
	sum := blake3.Sum256(out)
	return append(out, sum[:]...)
}

// changeForgotten replaces the note; writers take turns.
func changeForgotten(ctx context.Context, dir string, change func([]Forgotten) []Forgotten) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "forgotten.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := takeLock(ctx, lock); err != nil {
		return err
	}
	list, err := ReadForgotten(dir)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, forgottenFile), encodeForgotten(change(list)))
}

// lockGap is how often a lock that another program holds is tried again.
const lockGap = 10 * time.Millisecond

func takeLock(ctx context.Context, f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-time.After(lockGap):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s, which another program holds: %w", f.Name(), ctx.Err())
		}
	}
}
