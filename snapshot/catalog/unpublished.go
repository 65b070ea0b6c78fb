package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"ventidhash/venti"
)

const (
	// unpublishedName is a note of the snapshots that came on the list here and are not known to be published. A head that
	// was handed out may have reached members that are too few: that it is found again, by whomever, does not say that
	// nobody has pruned without having seen it.
	unpublishedName    = "unpublished"
	unpublishedVersion = 1
	maxUnpublished     = 1 << 16
	longestNote        = 1 + (maxUnpublished+1)*venti.ScoreSize // bytes
)

// encodeUnpublished returns the note of some snapshots.
func encodeUnpublished(scores map[venti.Score]bool) []byte {
	b := make([]byte, 1, 1+(len(scores)+1)*venti.ScoreSize)
	b[0] = unpublishedVersion
	for _, s := range slices.SortedFunc(maps.Keys(scores), compareScores) {
		b = append(b, s[:]...)
	}
	sum := venti.Sum(b)
	return append(b, sum[:]...)
}

func compareScores(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) }

// decodeUnpublished reads what encodeUnpublished wrote, of one snapshot or more.
func decodeUnpublished(b []byte) (map[venti.Score]bool, error) {
	if len(b) > 0 && b[0] != unpublishedVersion {
		return nil, fmt.Errorf("version %d, %w", b[0], errVersion)
	}
	end := len(b) - venti.ScoreSize
	if len(b) > longestNote {
		return nil, fmt.Errorf("longer than %d bytes", longestNote)
	}
	if end <= 1 || (end-1)%venti.ScoreSize != 0 || venti.Sum(b[:end]) != venti.Score(b[end:]) {
		return nil, errors.New("cut, or changed")
	}
	scores := make(map[venti.Score]bool, end/venti.ScoreSize)
	var last venti.Score // no snapshot has the zero score
	for s := range slices.Chunk(b[1:end], venti.ScoreSize) {
		if compareScores(last, venti.Score(s)) >= 0 {
			return nil, errOrder
		}
		last = venti.Score(s)
		scores[last] = true
	}
	return scores, nil
}

// loadUnpublished returns the snapshots that are noted, and the note; none if there is none.
func (c *Catalog) loadUnpublished() (scores map[venti.Score]bool, note []byte, err error) {
	name := filepath.Join(c.cfg.Dir, unpublishedName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return map[venti.Score]bool{}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	note, err = io.ReadAll(io.LimitReader(f, longestNote+1))
	if err != nil {
		return nil, nil, err
	}
	if scores, err = decodeUnpublished(note); err != nil {
		return nil, nil, corruptf("%s, which says what was not published yet, is damaged (%w); remove it, and see whether the "+
			"newest snapshots of this machine are whole (vdh check)", name, err)
	}
	return scores, note, nil
}

// doubt notes durably which snapshots are on the list and perhaps known to few: those that were noted before, and those that
// are on none of the lists elsewhere. What has left the list is not noted any more.
func (s *settling) doubt(found []venti.Head) error {
	scores := map[venti.Score]bool{}
	for i := range s.list.Snapshots {
		if score := s.list.Snapshots[i].Score; s.unpublished[score] || !s.elsewhere(found, score) {
			scores[score] = true
		}
	}
	if len(scores) > maxUnpublished {
		return fmt.Errorf("%d snapshots were not published yet, where %d can be noted; forget some", len(scores), maxUnpublished)
	}
	if len(scores) == 0 {
		return s.sure()
	}
	s.unpublished = scores
	note := encodeUnpublished(scores)
	if bytes.Equal(note, s.note) {
		return nil
	}
	if err := writeFile(filepath.Join(s.c.cfg.Dir, unpublishedName), note); err != nil {
		return err
	}
	s.note = note
	return syncDir(s.c.cfg.Dir)
}

// sure notes that all that is on the list was published. After a crash it may be noted as before, which only costs time.
func (s *settling) sure() error {
	if s.note == nil {
		return nil
	}
	if err := os.Remove(filepath.Join(s.c.cfg.Dir, unpublishedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.unpublished, s.note = map[venti.Score]bool{}, nil
	return nil
}
