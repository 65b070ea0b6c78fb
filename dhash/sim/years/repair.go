package years

import (
	"slices"
	"time"

	"ventidhash/dhash/placement"
	"ventidhash/dhash/repair"
)

// sweep visits a part of the blocks.
func (r *run) sweep(part int32) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(r.now, r.end)
	}
	blocks := len(r.swarm.keys)
	braked := r.braked()
	counts := r.now >= r.cfg.Warmup
	need := r.cfg.Code.Need
	for b := int32(int(part) * blocks / visits); b < int32((int(part)+1)*blocks/visits); b++ {
		if r.lost[b] {
			continue
		}
		if counts {
			if !r.cfg.Oracle {
				r.margins[int(r.swarm.present[b])-need+maxNeed]++
			}
			r.counted[r.swarm.counted[b]]++
		}
		if braked {
			continue
		}
		r.visit(b)
		if r.swarm.strays[b] {
			r.handOff(b)
		}
	}
}

// look decides about a block.
func (r *run) look(b int32) decision {
	present, counted := int(r.swarm.present[b]), int(r.swarm.counted[b])
	if r.cfg.Oracle {
		present = counted
	}
	return r.decided[present*(r.cfg.Code.Total+1)+counted-present]
}

// visit gives a block that wants it to its closest holder for repair.
func (r *run) visit(b int32) {
	d := r.look(b)
	if d.act < repair.Mend || r.doing[b] == hurrying || d.act == repair.Mend && r.doing[b] == mending {
		return
	}
	m := r.swarm.closest(b)
	if m == nobody {
		return
	}
	if d.act == repair.Urgent {
		r.hurry(m, b, d.count)
		return
	}
	r.doing[b] = mending
	o := &r.swarm.members[m]
	o.queue = append(o.queue, b)
	r.mend(m)
}

// mend lets a member that is not busy go on with its queue.
func (r *run) mend(m int32) {
	o := &r.swarm.members[m]
	for o.busy == nobody && len(o.queue) > 0 {
		b := o.queue[0]
		o.queue = o.queue[1:]
		if r.doing[b] != mending || r.lost[b] {
			continue
		}
		r.doing[b] = idle
		d := r.look(b)
		switch {
		case r.braked():
		case d.act == repair.Urgent:
			r.hurry(m, b, d.count)
		case d.act == repair.Mend:
			r.doing[b], o.busy = mending, b
			o.brake = max(o.brake, r.now) + r.lasts(r.cost(d.count), r.cfg.Rate)
			r.begin(m, b, d.count, false, o.brake)
		}
	}
}

// hurry begins an urgent repair: as fast as the line allows, but the brake gets to know the bytes.
func (r *run) hurry(m, b int32, count int) {
	o := &r.swarm.members[m]
	r.doing[b] = hurrying
	bytes := r.cost(count)
	o.uplink = max(o.uplink, r.now) + r.lasts(bytes, r.cfg.Uplink)
	o.brake = max(o.brake, r.now) + r.lasts(bytes, r.cfg.Rate)
	r.begin(m, b, count, true, o.uplink)
}

// begin reads what a repair needs: all fragments but the one that the member has.
func (r *run) begin(m, b int32, count int, urgent bool, done time.Duration) {
	bytes := int64(r.cfg.Code.Need-1) * r.payload()
	r.swarm.members[m].traffic += bytes
	r.spend(func(t *Traffic) {
		if urgent {
			t.UrgentRead += bytes
		} else {
			t.MendRead += bytes
		}
	})
	r.alarms.push(done, alarm{what: made, urgent: urgent, member: m, session: r.swarm.members[m].session, block: b, count: count})
}

// payload returns the bytes of a fragment, cost those of a repair that makes so many, and lasts how long that takes.
func (r *run) payload() int64 { return int64(r.cfg.Code.PayloadSize(r.cfg.Block)) }

func (r *run) cost(count int) int64 { return int64(r.cfg.Code.Need-1+count) * r.payload() }

func (r *run) lasts(bytes, rate int64) time.Duration {
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}

// spend accounts bytes once the figures count.
func (r *run) spend(add func(*Traffic)) {
	if r.now >= r.cfg.Warmup {
		add(&r.bytes)
	}
}

// made ends a repair: the fragments go to their holders, if the member that made them is still there.
func (r *run) made(a alarm) {
	o := &r.swarm.members[a.member]
	there := o.session == a.session
	if a.urgent && r.doing[a.block] == hurrying {
		r.doing[a.block] = idle
	}
	if there && !a.urgent {
		o.busy = nobody
		if r.doing[a.block] == mending {
			r.doing[a.block] = idle
		}
	}
	if !there || r.lost[a.block] {
		r.aborted++
		if there {
			r.mend(a.member)
		}
		return
	}
	n := int64(r.place(a.block, a.count, a.urgent))
	o.traffic += n * r.payload()
	r.spend(func(t *Traffic) {
		if a.urgent {
			r.urgent++
			t.UrgentWritten += n * r.payload()
		} else {
			r.mended++
			t.MendWritten += n * r.payload()
		}
	})
	if !a.urgent {
		r.mend(a.member)
	}
}

// missing returns which fragments to make, those of members that are gone first; the others only in a hurry.
func (r *run) missing(b int32, urgent bool) []int {
	var gone, absent []int
	for i, m := range r.swarm.holders(b) {
		switch {
		case m == nobody || r.swarm.members[m].gone:
			gone = append(gone, i)
		case urgent && !r.swarm.members[m].up:
			absent = append(absent, i)
		}
	}
	return append(gone, absent...)
}

// place gives up to count fragments that are missing to the first of the order that answer and have none, and returns
// how many it gave.
func (r *run) place(b int32, count int, urgent bool) int {
	s := r.swarm
	missing := r.missing(b, urgent)
	missing = missing[:min(count, len(missing))]
	t := s.roster()
	given, seen, strays := 0, 0, false
	for extra := placement.Slack; given < len(missing); extra *= 4 {
		order := t.Holders(s.keys[b], s.code, extra)
		for rank := seen; rank < len(order) && given < len(missing); rank++ {
			m := placed(order[rank].ID)
			if !s.members[m].up || slices.Contains(s.holders(b), m) {
				continue
			}
			r.give(b, missing[given], m)
			given++
			strays = strays || rank >= s.code.Total
		}
		seen = len(order)
		if len(order) == t.Len() {
			break
		}
	}
	s.strays[b] = s.strays[b] || strays
	return given
}

// give makes m the holder of a fragment.
func (r *run) give(b int32, index int, m int32) {
	before := r.swarm.present[b]
	r.swarm.add(b, index, m)
	if need := uint8(r.cfg.Code.Need); !r.cfg.Oracle && before == need-1 && r.swarm.present[b] == need {
		r.readable(b)
	}
}

// handOff lets holders of block b that are none of the expected ones give their fragments to expected ones that have
// none. The holder's own copy goes when the other is confirmed, so that there is never one less.
func (r *run) handOff(b int32) {
	s := r.swarm
	order := s.roster().Holders(s.keys[b], s.code, r.cfg.Stray)
	expected := make([]int32, len(order))
	for i := range order {
		expected[i] = placed(order[i].ID)
	}
	holders := s.holders(b)
	rank, most, left := 0, min(s.code.Total, len(expected)), false
	for i, from := range holders {
		if from == nobody || slices.Contains(expected, from) {
			continue
		}
		left = true
		if !s.members[from].up {
			continue
		}
		for rank < most && (!s.members[expected[rank]].up || slices.Contains(holders, expected[rank])) {
			rank++
		}
		if rank == most {
			break
		}
		s.move(b, i, from, expected[rank])
		o := &s.members[from]
		o.brake = max(o.brake, r.now) + r.lasts(r.payload(), r.cfg.Rate)
		o.traffic += r.payload()
		r.spend(func(t *Traffic) { t.HandOff += r.payload() })
		r.moved++
	}
	s.strays[b] = left
}
