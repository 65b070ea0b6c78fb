package sweep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"
)

// A cursor says where a round has got to.
type cursor struct {
	position uint64    // where the next region begins; 0 begins a round
	due      time.Time // when it is to be swept
}

const (
	cursorVersion = 1
	cursorLen     = 1 + 8 + 8 + 32
)

var errCursor = errors.New("no cursor of a sweep")

func (c cursor) encode() []byte {
	b := make([]byte, 0, cursorLen)
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, c.position)
	b = binary.BigEndian.AppendUint64(b, uint64(c.due.Unix()))
	h := blake3.Sum256(b)
	return append(b, h[:]...)
}

func parseCursor(b []byte) (c cursor, err error) {
	if len(b) != cursorLen || b[0] != cursorVersion {
		return c, fmt.Errorf("%w: %d bytes, or another version", errCursor, len(b))
	}
	if h := blake3.Sum256(b[:cursorLen-32]); string(h[:]) != string(b[cursorLen-32:]) {
		return c, fmt.Errorf("%w: its hash is wrong", errCursor)
	}
	return cursor{binary.BigEndian.Uint64(b[1:]), time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0)}, nil
}

// loadCursor returns what the file says, or else the beginning of a round. The first round of all begins at a time
// within an eighth of the interval that this member's id chooses, so that a swarm that starts does not sweep all at
// once.
func (s *Sweeper) loadCursor(now time.Time) cursor {
	if s.cfg.Cursor != "" {
		b, err := os.ReadFile(s.cfg.Cursor)
		var c cursor
		if err == nil {
			c, err = parseCursor(b)
		}
		if err == nil {
			if latest := now.Add(s.cfg.Interval); c.due.After(latest) { // the clock jumped
				c.due = latest
			}
			return c
		}
		if !errors.Is(err, os.ErrNotExist) {
			s.cfg.Log.Warn("sweep: a round begins anew", "why", err)
		}
	}
	key := s.cfg.Self.Key()
	return cursor{0, now.Add(s.cfg.Interval / 8 / 256 * time.Duration(key[0]))}
}

// saveCursor replaces the file in one step. It is not synced: an old one, or none, costs some sweeping.
func (s *Sweeper) saveCursor(c cursor) {
	if s.cfg.Cursor == "" {
		return
	}
	next := filepath.Join(filepath.Dir(s.cfg.Cursor), "."+filepath.Base(s.cfg.Cursor)+".next")
	err := os.WriteFile(next, c.encode(), 0o600)
	if err == nil {
		err = os.Rename(next, s.cfg.Cursor)
	}
	if err != nil {
		s.cfg.Log.Warn("sweep: where it has got to is not kept", "why", err)
	}
}
