package fragstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

// Claims stand in records and rows under the owner who made them. An owner that has handed over (claim.HandOver) has an
// heir, and wherever owners are compared the heir stands for both: so no record has to be written anew for it. Records keep
// the names that they have, also when they are written anew for another reason; only where the heir claims too is one
// claim left, the heir's. So the book is needed as long as the heir has anything here. The claims that other members are
// told of name the heir.

// heirs says who has handed over to whom. It is a value that does not change.
type heirs struct {
	to map[dhash.Owner]dhash.Owner   // of who has handed over: who has the claims now, at the end of the chain
	of map[dhash.Owner][]dhash.Owner // the inverse
}

// heirsOf returns who has handed over to whom by the books on them.
func heirsOf(books map[dhash.Owner]claim.Book) *heirs {
	h := &heirs{to: map[dhash.Owner]dhash.Owner{}, of: map[dhash.Owner][]dhash.Owner{}}
	for o, b := range books {
		if b.Heir == (dhash.Owner{}) {
			continue
		}
		end := b.Heir
		for range claim.MaxFormer { // more there are not, and no circle, unless somebody wrote the books by hand
			next := books[end].Heir
			if next == (dhash.Owner{}) {
				break
			}
			end = next
		}
		if end != o {
			h.to[o] = end
			h.of[end] = append(h.of[end], o)
		}
	}
	return h
}

// heir returns whose the claims of an owner are: its own, or those of whom it has handed over to.
func (h *heirs) heir(o dhash.Owner) dhash.Owner {
	if to, gone := h.to[o]; gone {
		return to
	}
	return o
}

// line returns an owner, and those who have handed over to it.
func (h *heirs) line(o dhash.Owner) line { return append(line{o}, h.of[o]...) }

// A line is an owner who speaks for claims, first, and those who have handed over to it.
type line []dhash.Owner

// latest returns when the youngest of the claims was made that a line has.
func (c claims) latest(l line) (at int64, has bool) {
	for _, o := range l {
		if i, ok := c.find(o); ok {
			at, has = max(at, c.at[i]), true
		}
	}
	return at, has
}

// among returns how many of a line's claims are there.
func (c claims) among(l line) (n int) {
	for _, o := range l {
		if _, ok := c.find(o); ok {
			n++
		}
	}
	return n
}

// release returns the claims without those of a line.
func (c claims) release(l line, now int64) claims {
	for _, o := range l {
		c = c.without(o, now)
	}
	return c
}

// join returns the claims with one of the line's, under its first name, in place of all of them. The mark is the newest
// owner's who has one.
func (c claims) join(l line) claims {
	at, has := c.latest(l)
	if !has {
		return c
	}
	best := dhash.Claim{}
	for _, o := range l {
		if i, ok := c.find(o); ok {
			best = c.of[i]
			break
		}
	}
	best.Owner = l[0]
	return c.release(l, 0).with(best, at)
}

// Heir returns whose the claims of an owner are by now: its own, or those of whom it has handed over to.
func (s *Store) Heir(o dhash.Owner) dhash.Owner { return s.heirs.Load().heir(o) }

// handedOver returns an error if an owner has handed over.
func (s *Store) handedOver(o dhash.Owner) error {
	if to := s.Heir(o); to != o {
		return fmt.Errorf("%w: to %x", dhash.ErrHandedOver, to[:])
	}
	return nil
}

// resolve returns claims under the names of those whose they are, one of each, in the order of the names.
func (h *heirs) resolve(list []dhash.Claim) []dhash.Claim {
	if !slices.ContainsFunc(list, func(c dhash.Claim) bool { return h.heir(c.Owner) != c.Owner }) {
		return list
	}
	own := map[dhash.Owner]bool{}
	for _, c := range list {
		own[c.Owner] = true
	}
	out := make([]dhash.Claim, 0, len(list))
	for _, c := range list {
		if to := h.heir(c.Owner); to != c.Owner {
			if own[to] {
				continue
			}
			own[to], c.Owner = true, to
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b dhash.Claim) int { return bytes.Compare(a.Owner[:], b.Owner[:]) })
	return out
}

// held returns what others are told of a fragment.
func (s *Store) held(r *row) Held {
	return Held{Name: r.name, Code: r.code, Length: r.length, Size: r.size(), Claims: s.heirs.Load().resolve(r.claims.of)}
}

// use returns what a line has here. The caller holds mu.
func (s *Store) use(l line) (all Use) {
	for _, o := range l {
		u := s.owners[o]
		all.add(u.Fragments, u.Bytes)
	}
	return all
}

// succeed is settle for a hand-over, for who holds the owner's book.
func (s *Store) succeed(ctx context.Context, st *claim.Statement, env claim.Environment) (claim.Answer, error) {
	if err := acquire(ctx, s.handing); err != nil { // so that nobody else waits for two books
		return claim.Answer{}, err
	}
	defer func() { <-s.handing }()
	h := s.heirs.Load()
	n := claim.Succession{Owner: h.heir(st.Owner), Heir: h.heir(st.Heir)}
	n.Line = len(h.of[n.Heir]) + len(h.of[st.Owner]) + 1
	first, second := st.Owner, n.Heir
	if bytes.Compare(first[:], second[:]) > 0 {
		first, second = second, first
	}
	if err := s.hold(ctx, first); err != nil {
		return claim.Answer{}, err
	}
	defer s.unhold(first)
	if second != first {
		if err := s.hold(ctx, second); err != nil {
			return claim.Answer{}, err
		}
		defer s.unhold(second)
	}
	return s.succeedTo(ctx, st, n, env)
}

// succeedTo is succeed for who holds both books.
func (s *Store) succeedTo(ctx context.Context, st *claim.Statement, n claim.Succession,
	env claim.Environment) (claim.Answer, error) {
	env.Unmarked = env.Unmarked || s.unmarked()
	was, known := s.book(st.Owner)
	if !known {
		was = claim.NewBook(st.Owner, env.Now)
	}
	heir, heirKnown := s.book(n.Heir)
	if !heirKnown {
		heir = claim.NewBook(n.Heir, env.Now)
	}
	use := s.Owner(n.Heir)
	switch {
	case !known && s.raw(st.Owner) == 0 && use.Fragments == 0:
		return claim.Answer{Verdict: claim.Refused, Reason: claim.NoClaims, Now: env.Now}, nil
	case !known && s.full():
		return claim.Answer{Verdict: claim.Refused, Reason: claim.TooMany, Now: env.Now}, nil
	}
	d, heir := claim.Succeed(was, heir, st, n, env, s.cfg.Limits)
	if d.Apply {
		err := s.setBook(heir)
		if err == nil {
			err = s.at("inherited")
		}
		if err == nil {
			err = s.setBook(d.Book)
		}
		if err == nil {
			err = s.at("handed over")
		}
		if err != nil {
			return claim.Answer{}, err
		}
	}
	if d.Answer.Verdict == claim.Done { // also when it was interrupted last time
		if err := s.merge(ctx, st.Owner, n.Heir); err != nil {
			return claim.Answer{}, err
		}
	}
	use = s.Owner(n.Heir)
	d.Answer.Claims, d.Answer.ClaimBytes = use.Fragments, use.Bytes
	return d.Answer, nil
}

// raw returns how many fragments an owner claims under its own name.
func (s *Store) raw(o dhash.Owner) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[o].Fragments
}

// full reports whether there are as many books as can be.
func (s *Store) full() bool {
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	return len(s.books) >= maxOwnersHere
}

// merge makes one claim of two where both an owner and its heir have one, so that the fragment counts once for the heir.
func (s *Store) merge(ctx context.Context, was, heir dhash.Owner) error {
	whole := s.heirs.Load().line(heir)
	others := slices.DeleteFunc(slices.Clone(whole), func(o dhash.Owner) bool { return o == was })
	s.mu.Lock()
	both := s.owners[was].Fragments > 0 && s.use(others).Fragments > 0
	s.mu.Unlock()
	if !both {
		return nil
	}
	if err := acquire(ctx, s.listing); err != nil {
		return err
	}
	defer func() { <-s.listing }()
	err := s.rows(ctx, dhash.Key{}, dhash.LastKey(), func(r *row) error {
		if r.claims.among(whole) < 2 {
			return nil
		}
		_, _, err := s.change(ctx, r.name, func(c claims) (claims, bool) { return c.join(whole), c.among(whole) > 1 })
		s.x.FlushSoon()
		return err
	})
	if err != nil {
		return err
	}
	return s.commit(ctx)
}

// Owners returns what each owner has here; one that has handed over has nothing.
func (s *Store) Owners() map[dhash.Owner]Use {
	h := s.heirs.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(h.to) == 0 {
		return maps.Clone(s.owners)
	}
	all := make(map[dhash.Owner]Use, len(s.owners))
	for o, u := range s.owners {
		sum := all[h.heir(o)]
		sum.add(u.Fragments, u.Bytes)
		all[h.heir(o)] = sum
	}
	return all
}
