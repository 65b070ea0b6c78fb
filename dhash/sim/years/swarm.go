package years

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
)

// nobody holds a fragment that was never made again, its holder being dead and gone.
const nobody = -1

// A swarm is who holds what. Of each block three numbers of its fragments are kept up to date at each event, so that
// nothing ever has to be counted:
//
//	intact   on a disk that is not lost
//	counted  at a member that does not count as gone
//	present  at a member that answers
//
// Fragment i of block b is at holder[b*total+i]. If a fragment was made again though its holder was not dead, the
// holder's own copy is spare: it is in its list of spares, and in no number.
type swarm struct {
	code                     dhash.Code
	keys                     []dhash.Key // of the blocks, sorted
	holder                   []int32
	intact, counted, present []uint8
	strays                   []bool // that a holder may be none of the expected ones

	members []member
	free    []int32 // places of members that are gone for good
	named   []int32 // member of each number in the events
	seed    uint64
	sites   int

	table *placement.Table // of all that are not gone; nil when somebody came or went
}

// A member is a machine with a disk.
type member struct {
	ident          placement.Member
	up, gone, dead bool
	joined         bool   // and is not dead and gone
	session        uint32 // is another one after each change
	blocks         []int32
	spares         []spare
	work
}

// A spare is a copy of a fragment that somebody else is the holder of.
type spare struct{ block, index int32 }

// A work is what a member does for repair.
type work struct {
	queue   []int32 // blocks to mend
	busy    int32   // the one being mended, or nobody
	brake   time.Duration
	uplink  time.Duration
	traffic int64 // bytes read and written
}

func newSwarm(cfg *Config) *swarm {
	s := &swarm{code: cfg.Code, seed: cfg.Seed, sites: cfg.Churn.Sites}
	rng := rand.New(rand.NewPCG(cfg.Seed, 2))
	s.keys = make([]dhash.Key, cfg.Blocks)
	for i := range s.keys {
		for j := 0; j < len(s.keys[i]); j += 8 {
			binary.BigEndian.PutUint64(s.keys[i][j:], rng.Uint64())
		}
	}
	slices.SortFunc(s.keys, func(a, b dhash.Key) int { return bytes.Compare(a[:], b[:]) })
	s.intact, s.counted, s.present = make([]uint8, cfg.Blocks), make([]uint8, cfg.Blocks), make([]uint8, cfg.Blocks)
	s.strays = make([]bool, cfg.Blocks)
	s.holder = make([]int32, cfg.Blocks*s.code.Total)
	for range cfg.Members {
		s.join()
	}
	return s
}

// join adds the next member of the events, which answers, and returns it.
func (s *swarm) join() int32 {
	number := len(s.named)
	m := int32(len(s.members))
	if n := len(s.free); n > 0 {
		m, s.free = s.free[n-1], s.free[:n-1]
	} else {
		s.members = append(s.members, member{})
	}
	s.named = append(s.named, m)
	var text [16]byte
	binary.BigEndian.PutUint64(text[:], s.seed)
	binary.BigEndian.PutUint64(text[8:], uint64(number))
	id := placement.Member{ID: nameOf(m), Key: sha256.Sum256(text[:])}
	if s.sites > 0 {
		id.Domain = fmt.Sprintf("s%d/m%d", number%s.sites, number)
	}
	was := &s.members[m]
	*was = member{ident: id, up: true, joined: true, session: was.session + 1, work: work{busy: nobody, traffic: was.traffic}}
	s.table = nil
	return m
}

// nameOf returns the id of the member in place m; placed is the way back. Ids are forgotten with the member.
func nameOf(m int32) dhash.ID { return dhash.ID(binary.BigEndian.AppendUint32(nil, uint32(m))) }

func placed(id dhash.ID) int32 { return int32(binary.BigEndian.Uint32([]byte(id))) }

// roster returns the table of all members that do not count as gone.
func (s *swarm) roster() *placement.Table {
	if s.table == nil {
		list := make([]placement.Member, 0, len(s.members))
		for i := range s.members {
			if m := &s.members[i]; m.joined && !m.gone {
				list = append(list, m.ident)
			}
		}
		s.table = placement.New(list)
	}
	return s.table
}

// store places all blocks.
func (s *swarm) store() {
	t := s.roster()
	for b := range s.keys {
		for _, p := range t.Place(s.keys[b], s.code) {
			m := placed(p.Member.ID)
			s.holder[b*s.code.Total+p.Index] = m
			s.members[m].blocks = append(s.members[m].blocks, int32(b))
		}
		s.intact[b], s.counted[b], s.present[b] = uint8(s.code.Total), uint8(s.code.Total), uint8(s.code.Total)
	}
}

// holders returns who holds the fragments of block b, by index.
func (s *swarm) holders(b int32) []int32 {
	return s.holder[int(b)*s.code.Total : (int(b)+1)*s.code.Total]
}

// add makes a member, which answers, the holder of a fragment that another one was, or nobody.
func (s *swarm) add(b int32, index int, to int32) {
	at := &s.holders(b)[index]
	if from := *at; from == nobody {
		s.counted[b]++
		s.intact[b]++
		s.present[b]++
	} else {
		old := &s.members[from]
		old.blocks = without(old.blocks, b)
		if old.gone {
			s.counted[b]++
		}
		if !old.up {
			s.present[b]++
		}
		if old.dead {
			s.intact[b]++
		} else {
			old.spares = append(old.spares, spare{b, int32(index)})
		}
	}
	*at = to
	s.members[to].blocks = with(s.members[to].blocks, b)
}

// move makes to the holder of a fragment in place of from; both answer.
func (s *swarm) move(b int32, index int, from, to int32) {
	s.members[from].blocks = without(s.members[from].blocks, b)
	s.members[to].blocks = with(s.members[to].blocks, b)
	s.holders(b)[index] = to
}

// with returns a sorted list with b in it, which was not.
func with(list []int32, b int32) []int32 {
	i, _ := slices.BinarySearch(list, b)
	return slices.Insert(list, i, b)
}

// without returns a sorted list without b, which was in it.
func without(list []int32, b int32) []int32 {
	i, _ := slices.BinarySearch(list, b)
	return slices.Delete(list, i, i+1)
}

// closest returns the holder of a fragment of block b that answers and is closest to it, or nobody.
func (s *swarm) closest(b int32) int32 {
	best := int32(nobody)
	for _, m := range s.holders(b) {
		if m != nobody && s.members[m].up &&
			(best == nobody || s.keys[b].Compare(s.members[m].ident.Key, s.members[best].ident.Key) < 0) {
			best = m
		}
	}
	return best
}

// around returns the first and the last but one of the blocks that m may be expected to hold: those in the smallest part
// of the keyspace around it that is sure to have them. A block that shares n bits with m is closer to all members
// that share n+1 with the block; where these are enough, m is none of its first. Where failure domains have
// limits some of the closest are passed over, so twice as many are asked for.
func (s *swarm) around(m int32) (first, end int32) {
	enough := s.code.Total
	if s.sites > 0 {
		enough *= 2
	}
	key := s.members[m].ident.Key
	sharing := make([]int, 8*len(key)+2) // how many others share so many bits, and no more
	for i := range s.members {
		if o := &s.members[i]; o.joined && !o.gone && int32(i) != m {
			// They share the first n bits with m and differ in the next: closer than m to every block that does as they do.
			sharing[key.Common(o.ident.Key)]++
		}
	}
	bits := 0
	for bits < 8*len(key) && sharing[bits] >= enough {
		bits++
	}
	low, high := key, key
	for i := bits; i < 8*len(key); i++ {
		low[i/8] &^= 0x80 >> (i % 8)
		high[i/8] |= 0x80 >> (i % 8)
	}
	at := func(k dhash.Key) int32 {
		i, _ := slices.BinarySearchFunc(s.keys, k, func(a, b dhash.Key) int { return bytes.Compare(a[:], b[:]) })
		return int32(i)
	}
	return at(low), at(high)
}
