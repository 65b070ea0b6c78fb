package fragstore

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ventidhash/dhash"
)

const (
	// maxCodings is how many codings of one block may be claimed here, and ownCodings how many of them by one owner: a
	// new one and the one before it live side by side, and junk that somebody plants leaves room for what is real.
	maxCodings = 32
	ownCodings = 4

	// maxRows bounds the fragments of one block, trash and damaged ones included, and maxBlockClaims the claims on them all:
	// their rows are stored together.
	maxRows        = 2 * dhash.MaxTotal
	maxBlockClaims = 8192

	// maxOwnersHere is how many owners may have fragments here.
	maxOwnersHere = 1 << 16

	recordHeader = 20 // of a record in the arenas
)

// Put stores a fragment on behalf of an owner, who claims it from then on. When it returns nil, fragment and claim are
// durable; callers that come together share one fsync. Putting what is there already is cheap and no error. A fragment
// that is known to be damaged is replaced.
//
// coding is what the caller computed from the payload (Fragment.Coding): a fragment is stored under what it is, whatever
// it was sent as. Put does not keep or change f. Errors wrap dhash.ErrFragment, dhash.ErrFull, dhash.ErrQuota,
// dhash.ErrHandedOver, or venti.ErrUnavailable if the disk fails.
func (s *Store) Put(ctx context.Context, claim dhash.Claim, f *dhash.Fragment, coding dhash.Coding) error {
	if err := s.handedOver(claim.Owner); err != nil {
		return fmt.Errorf("storing a fragment: %w", err)
	}
	return s.PutClaimed(ctx, []dhash.Claim{claim}, f, coding)
}

// MaxClaims is how many claims PutClaimed takes at once.
const MaxClaims = 16

// PutClaimed is Put on behalf of 1 to MaxClaims owners, all different: a member that makes a fragment anew hands over who
// claims the block with it. An owner whose quota is used up here, or who may not have another claim on the block, is left
// out, so that it keeps nobody else's data from being repaired; if that goes for all, PutClaimed fails. A claim of an owner
// that has handed over becomes one of its heir: whoever sends it may not have heard.
func (s *Store) PutClaimed(ctx context.Context, list []dhash.Claim, f *dhash.Fragment, coding dhash.Coding) error {
	if len(list) == 0 || len(list) > MaxClaims {
		return fmt.Errorf("%w: it comes with %d claims, not 1 to %d", dhash.ErrFragment, len(list), MaxClaims)
	}
	if err := f.Validate(); err != nil {
		return fmt.Errorf("storing a fragment: %w", err)
	}
	r := row{name: Name{f.Score, coding, f.Index}, code: f.Code, length: f.Length}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	err := s.put(ctx, s.heirs.Load().resolve(list), r, f)
	if err == nil {
		err = s.sync(ctx)
	}
	s.x.FlushSoon()
	if err != nil {
		return fmt.Errorf("storing %v: %w", r.name, unavailable(err))
	}
	return nil
}

// put appends the fragment that r describes, or the claims if it is there already.
func (s *Store) put(ctx context.Context, list []dhash.Claim, r row, f *dhash.Fragment) error {
	key := r.name.rowKey(rowFragment)
	defer s.x.Lock(key).Unlock()
	rows, err := s.ofScore(ctx, r.name.Score)
	if err != nil {
		return err
	}
	was := named(rows, r.name)
	if was != nil && !was.bad {
		return s.claim(list, *was, rows)
	}
	if was != nil { // it was damaged: whoever needed it still does
		r.claims = was.claims
	} else if len(rows) >= maxRows {
		return fmt.Errorf("%w: %d fragments of block %s are here", dhash.ErrQuota, len(rows), r.name.Score.Short())
	}
	if list, err = s.heirs.Load().allowed(list, &r, rows); err != nil {
		return err
	}
	if err := s.room.Check(int(r.size()) + MaxOverhead); err != nil {
		return fmt.Errorf("%w: %w", dhash.ErrFull, err)
	}
	size, err := s.admit(was, &r, list, true)
	if err != nil {
		return err
	}
	buf := s.buffer(int(r.size()) + r.claims.size() + 1)
	defer s.buffers.Put(buf)
	data := f.Append(appendClaimsData((*buf)[:0], r.claims))
	if _, err = s.x.Append(kindFragment, r.name.recordKey(), data, key, r.indexRow()); err != nil {
		s.withdraw(was, &r, size)
		return full(err)
	}
	return nil
}

func recordSize(data int) int64 { return int64(recordHeader + recordLen + data) }

// full says that a disk is full in the words of the swarm.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", dhash.ErrFull, err)
	}
	return err
}

// buffer returns a buffer of at least n bytes, to be given back to buffers.
func (s *Store) buffer(n int) *[]byte {
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok || cap(*buf) < n {
		b := make([]byte, 0, n)
		buf = &b
	}
	return buf
}

// named returns the row of a fragment, or nil.
func named(rows []row, n Name) *row {
	for i := range rows {
		if rows[i].name == n {
			return &rows[i]
		}
	}
	return nil
}

// checkCodings refuses a coding that is one too many for its block, of which rows are those of all fragments.
func (h *heirs) checkCodings(owner dhash.Owner, n Name, rows []row) error {
	all, own := map[dhash.Coding]bool{}, map[dhash.Coding]bool{}
	claims, whole := 0, h.line(owner)
	for _, r := range rows {
		claims += len(r.claims.of)
		if r.bad || r.claims.trash() {
			continue
		}
		all[r.name.Coding] = true
		if r.claims.among(whole) > 0 {
			own[r.name.Coding] = true
		}
	}
	switch {
	case claims >= maxBlockClaims:
		return fmt.Errorf("%w: there are %d claims on block %s", dhash.ErrQuota, claims, n.Score.Short())
	case !all[n.Coding] && len(all) >= maxCodings:
		return fmt.Errorf("%w: %d codings of block %s are here", dhash.ErrQuota, len(all), n.Score.Short())
	case !own[n.Coding] && len(own) >= ownCodings:
		return fmt.Errorf("%w: the owner has %d codings of block %s here; release one first", dhash.ErrQuota, len(own),
			n.Score.Short())
	}
	return nil
}

// allowed returns those of list who may claim the fragment of r beside those who do: as many as may claim one fragment,
// and as many codings as one may have. It fails if none may. rows are those of all fragments of the block.
func (h *heirs) allowed(list []dhash.Claim, r *row, rows []row) (may []dhash.Claim, err error) {
	added := 0
	for _, c := range list {
		if has := r.claims.among(h.line(c.Owner)) > 0; !has && len(r.claims.of)+added >= maxOwners {
			err = errOwners
		} else if cerr := h.checkCodings(c.Owner, r.name, rows); cerr != nil {
			err = cerr
		} else {
			may = append(may, c)
			added++
		}
	}
	if len(may) > 0 {
		err = nil
	}
	return may, err
}

// admit gives row r the claims of those of list whose quotas allow it, replaces row old (nil if there is none) by it in
// the totals, and takes room for its record, whose length it returns; or it says why that cannot be. A record without
// the fragment is taken even when there is no room.
func (s *Store) admit(old, r *row, list []dhash.Claim, whole bool) (n int64, err error) {
	now, h := s.now(), s.heirs.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	given, some := r.claims, false
	for _, c := range list {
		whole := h.line(c.Owner)
		if qerr := s.checkQuota(old, r, whole); qerr != nil {
			err = qerr
		} else {
			given, some = given.release(whole[1:], now).with(c, now), true
		}
	}
	if !some {
		return 0, err
	}
	n = recordSize(1 + given.size())
	if whole {
		n += r.size()
		if s.used+n > s.cfg.Capacity {
			return 0, fmt.Errorf("%w: %d of %d MiB are used", dhash.ErrFull, s.used>>20, s.cfg.Capacity>>20)
		}
	}
	r.claims = given
	s.move(old, r, n)
	return n, nil
}

// checkQuota says whether an owner may have the fragment of r, in place of row old, which may be nil. The caller holds mu.
func (s *Store) checkQuota(old, r *row, owner line) error {
	use := s.use(owner)
	if use.Fragments == 0 && len(s.owners) >= maxOwnersHere {
		return fmt.Errorf("%w: %d owners have fragments here, and no more can", dhash.ErrQuota, len(s.owners))
	}
	if s.cfg.Quota != nil && !claimed(old, owner) {
		if quota := s.cfg.Quota(owner[0]); use.Bytes+r.size() > quota {
			return fmt.Errorf("%w: %d of %d MiB are used", dhash.ErrQuota, use.Bytes>>20, quota>>20)
		}
	}
	return nil
}

// claimed reports whether a row counts for an owner.
func claimed(r *row, owner line) bool { return r != nil && !r.bad && r.claims.among(owner) > 0 }

// withdraw takes admit back.
func (s *Store) withdraw(old, now *row, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(now, old, -n)
}

// move replaces a row by another in the totals, either of which may be nil, and adds n bytes. The caller holds mu.
func (s *Store) move(old, now *row, n int64) {
	if old != nil {
		s.account(old, -1)
	}
	if now != nil {
		s.account(now, 1)
	}
	s.used += n
}
