package lenders

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
	"ventidhash/venti/durable"
)

const (
	handedFile = "handed"

	// handAgain is how long it is taken for granted that a lender knows of a hand-over: its books may be lost.
	handAgain = 30 * 24 * time.Hour

	maxHanded     = 1 << 16
	maxHandedFile = 16 + maxHanded*(32+2+maxID+6+1) + sumSize
)

// Handed is what a lender made of a hand-over to the owner.
type Handed struct {
	ID     dhash.ID
	Former dhash.Owner // who handed over
	At     time.Time   // when the lender answered, by the owner's clock

	// Other says that it refused, because the former owner has handed over to somebody else there, or never can to this
	// one: claims under the former key are lost to the owner at that lender, until they lapse.
	Other bool
}

// HandOver tells members that those of Config.Former have handed over to the owner, all but those that are known to know.
// Heartbeat does so too. It returns how many members know now of all of them, or have nothing to do with them, and the
// errors of those that were not reached, by member; the error is that of the files.
func (l *Ledger) HandOver(ctx context.Context, members []dhash.ID) (told int, missed map[dhash.ID]error, err error) {
	errs := make([]error, len(members))
	each(beats, len(members), func(i int) { errs[i] = l.handOver(ctx, members[i]) })
	missed = map[dhash.ID]error{}
	for i, id := range members {
		if errs[i] != nil {
			missed[id] = errs[i]
		}
	}
	return len(members) - len(missed), missed, l.saveHanded()
}

// Handed returns what lenders made of hand-overs to the owner, by former owner and lender.
func (l *Ledger) Handed() []Handed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.handed)
}

// ReadHanded is Ledger.Handed of the ledger in dir; nobody is kept from writing meanwhile.
func ReadHanded(dir string) ([]Handed, error) {
	b, err := readFile(filepath.Join(dir, handedFile), maxHandedFile)
	if err != nil || b == nil {
		return nil, err
	}
	list, err := parseHanded(b)
	if err != nil {
		return nil, nil // as good as missing: it is all said again
	}
	return list, nil
}

// handOver tells a member of the hand-overs that it is not known to know of. The newest comes first: so a lender that
// knows only the oldest of several owners has the newest as its heir at once.
func (l *Ledger) handOver(ctx context.Context, id dhash.ID) error {
	for _, former := range l.cfg.Former {
		now := time.Now()
		owner := dhash.Owner(former.Public().(ed25519.PublicKey))
		l.mu.Lock()
		i, has := l.findHanded(owner, id)
		has = has && now.Sub(l.handed[i].At).Abs() < handAgain
		l.mu.Unlock()
		if has {
			continue
		}
		if ctx.Err() != nil {
			return errNever
		}
		a, err := l.sayHandOver(ctx, former, id, now)
		if err != nil {
			return err
		}
		switch {
		case a.Verdict == claim.Refused && a.Reason == claim.NoClaims:
		case a.Verdict == claim.Done:
			l.noteHanded(Handed{id, owner, time.Now().Truncate(time.Second), false})
		case a.Reason == claim.HandedOver, a.Reason == claim.BadHeir:
			l.noteHanded(Handed{id, owner, time.Now().Truncate(time.Second), true})
		default:
			return fmt.Errorf("the member does not take the hand-over: %v", a.Reason)
		}
	}
	return nil
}

func (l *Ledger) sayHandOver(ctx context.Context, former ed25519.PrivateKey, id dhash.ID, now time.Time) (claim.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	raw, _, err := claim.SignHandOver(former, l.cfg.Key, l.cfg.Swarm, claim.Statement{Lender: id,
		Number: uint64(max(1, now.UnixMilli())), Date: now.Truncate(time.Second)})
	if err != nil {
		return claim.Answer{}, err
	}
	return l.bring(ctx, id, raw)
}

// findHanded returns where the note on a former owner and a lender is, or would be; mu is held.
func (l *Ledger) findHanded(former dhash.Owner, id dhash.ID) (int, bool) {
	return slices.BinarySearchFunc(l.handed, Handed{ID: id, Former: former}, compareHanded)
}

func compareHanded(a, b Handed) int {
	return cmp.Or(bytes.Compare(a.Former[:], b.Former[:]), cmp.Compare(a.ID, b.ID))
}

// noteHanded notes what a lender made of a hand-over.
func (l *Ledger) noteHanded(h Handed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, has := l.findHanded(h.Former, h.ID)
	switch {
	case has:
		l.handed[i] = h
	case len(l.handed) < maxHanded:
		l.handed = slices.Insert(l.handed, i, h)
	}
	l.handedNew = true
}

// saveHanded writes the notes on hand-overs if there are new ones.
func (l *Ledger) saveHanded() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.handedNew {
		return nil
	}
	if err := durable.WriteFile(filepath.Join(l.cfg.Dir, handedFile), encodeHanded(l.handed)); err != nil {
		return err
	}
	l.handedNew = false
	return nil
}

func encodeHanded(list []Handed) []byte {
	out := venti.AppendUint([]byte{version}, uint64(len(list)))
	for i := range list {
		h := &list[i]
		out = venti.AppendBytes(append(out, h.Former[:]...), string(h.ID))
		out = venti.AppendSeconds(out, h.At)
		if h.Other {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	return seal(out)
}

func parseHanded(b []byte) ([]Handed, error) {
	d, err := unseal(b)
	if err != nil {
		return nil, err
	}
	n := d.Uint(maxHanded)
	var list []Handed
	for i := uint64(0); i < n && d.Err() == nil; i++ {
		h := Handed{Former: dhash.Owner(d.Fixed(len(dhash.Owner{}))), ID: dhash.ID(d.Bytes(maxID)), At: d.Seconds()}
		switch other := d.Byte(); {
		case other > 1:
			d.Fail(fmt.Errorf("other is %d", other))
		case h.At.IsZero() || len(h.ID) == 0 || i > 0 && compareHanded(list[i-1], h) >= 0:
			d.Fail(errors.New("hand-overs are not in order"))
		default:
			h.Other = other == 1
		}
		list = append(list, h)
	}
	return list, d.Finish()
}
