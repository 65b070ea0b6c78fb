package member

import (
	"bytes"
	"time"
)

// ReadAny reads a message of whatever kind, and returns its kind and encoding.
func ReadAny(b []byte) (k byte, again []byte, err error) {
	r := bytes.NewReader(b)
	var all []kind
	for i := range 256 {
		all = append(all, kind(i))
	}
	m, err := readMessage(r, all...)
	if err != nil {
		return 0, nil, err
	}
	return byte(m.kind), append(m.appendTo(nil), b[len(b)-r.Len():]...), nil
}

// HelloBytes returns the hello that a service would say.
func (s *Service) HelloBytes() []byte { return s.hello(tHello).appendTo(nil) }

// DecodeFile reads what a roster's file has, without its hash.
func (r *Roster) DecodeFile(b []byte, now time.Time) error { return r.decode(b, now) }

// Reconcile makes two rosters the same as two services would, with digests of at most so many rows. It returns how many
// digests it took.
func Reconcile(a, b *Roster, most int, now time.Time) int {
	start := PublicKey{byte(now.UnixNano()), byte(now.UnixNano() >> 8)}
	for n := 1; ; n++ {
		start[0] += 77
		from, to, rows := a.digest(start, most)
		want, have := b.compare(from, to, rows, maxBatch)
		added := 0
		for _, raw := range have {
			if _, ok, err := a.Add(raw, now); ok && err == nil {
				added++
			}
		}
		for _, raw := range a.records(want, maxBatch) {
			b.Add(raw, now)
		}
		if added == 0 && len(want) == 0 && a.Sum() == b.Sum() || n == 100 {
			return n
		}
	}
}

// ReadRescue reads the answer of a rescue, and returns its encoding; nil is a refusal.
func ReadRescue(b []byte) (*Rescue, []byte, error) {
	r := bytes.NewReader(b)
	a, err := readRescueAnswer(r)
	if err != nil {
		return nil, nil, err
	}
	return a, append(appendRescueAnswer(nil, a), b[len(b)-r.Len():]...), nil
}

// MaxRescue is the bound on the body of an answer.
const MaxRescue = maxRescue
