package fragstore

import (
	"context"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// A Diversion says that a fragment that belongs here went to another member because this one was full.
type Diversion struct {
	Name
	To dhash.ID
}

// maxDiversions bounds how many diversions are kept, and ofBlock how many of one block.
const (
	maxDiversions = 1 << 16
	ofBlock       = dhash.MaxTotal
)

// Divert notes where a fragment went. A later note about the same fragment takes the place of the one before. It
// returns when the note is durable; it works in a full store too. Errors wrap dhash.ErrFull if there are too many.
func (s *Store) Divert(ctx context.Context, d Diversion) error {
	if len(d.To) == 0 || len(d.To) > maxID {
		return fmt.Errorf("diverting %v: the id of the member has %d bytes, not 1 to %d", d.Name, len(d.To), maxID)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.divert(ctx, d); err != nil {
		return fmt.Errorf("diverting %v: %w", d.Name, unavailable(err))
	}
	return s.commit(ctx)
}

func (s *Store) divert(ctx context.Context, d Diversion) error {
	key := d.rowKey(rowDiversion)
	defer s.x.Lock(key).Unlock()
	here, err := s.diversions(ctx, d.Score)
	if err != nil {
		return err
	}
	isNew := true
	for _, h := range here {
		if h == d {
			return nil
		}
		isNew = isNew && h.Name != d.Name
	}
	s.mu.Lock()
	all := s.count.diversions
	s.mu.Unlock()
	if isNew && (len(here) >= ofBlock || all >= maxDiversions) {
		return fmt.Errorf("%w: there are %d notes of diverted fragments", dhash.ErrFull, all)
	}
	data := appendDiversionData(nil, diverted{d.Coding, d.To})
	loc, err := s.x.Append(kindDiversion, d.recordKey(), data, key, diversionRow(d.Name, d.To, arena.Loc{}))
	if err != nil {
		return full(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += int64(loc.Length)
	if isNew {
		s.count.diversions++
	}
	return nil
}

// Diverted returns where fragments of a block went.
func (s *Store) Diverted(ctx context.Context, score venti.Score) ([]Diversion, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	list, err := s.diversions(ctx, score)
	if err != nil {
		return nil, fmt.Errorf("looking where fragments of %s went: %w", score.Short(), unavailable(err))
	}
	return list, nil
}

func (s *Store) diversions(ctx context.Context, score venti.Score) (list []Diversion, err error) {
	err = s.x.Group(ctx, groupKey(rowDiversion, score), func(key []byte, x index.Row, err error) error {
		if err != nil {
			return err
		}
		d, err := parseDiversionRow(key, x)
		if err != nil {
			return err
		}
		if d.Score == score {
			list = append(list, d)
		}
		return nil
	})
	return list, err
}

// Undivert forgets where a fragment went. The note may come back if the index has to be built anew: it is a hint.
func (s *Store) Undivert(ctx context.Context, n Name) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	key := n.rowKey(rowDiversion)
	defer s.x.Lock(key).Unlock()
	_, ok, err := s.x.Lookup(ctx, key)
	if err != nil {
		return fmt.Errorf("forgetting where %v went: %w", n, unavailable(err))
	}
	if ok {
		s.x.Remove(key)
		s.mu.Lock()
		s.count.diversions--
		s.mu.Unlock()
	}
	return nil
}
