package member_test

import (
	"testing"

	"ventidhash/dhash/member"
)

func BenchmarkSeen(b *testing.B) {
	now := judged()
	r := openRoster(b, member.RosterConfig{}, now)
	add(b, r, recordOf(b, inviteTo(b, swarmKey, now, 0), "a", 1, now), now)
	id := idOf("a")
	for b.Loop() {
		r.Seen(id, now)
	}
}

func BenchmarkAdd(b *testing.B) {
	now := judged()
	v := inviteTo(b, swarmKey, now, 0)
	raw := recordOf(b, v, "a", 1, now).Encode()
	for b.Loop() {
		r := openRoster(b, member.RosterConfig{}, now)
		if _, added, err := r.Add(raw, now); !added || err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "bytes/record")
}
