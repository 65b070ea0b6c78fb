package member_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/venti/ventitest"
)

const refused = "refused"

// judged is the time at which the vectors are judged.
func judged() time.Time { return time.Unix(1_800_000_000, 0).UTC() }

// A vector is one case of testdata/vectors.txt, which testdata/vectors.py made from FORMAT.md and PROTOCOL.md.
type vector struct {
	name, kind string
	data       []byte
	expect     string
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	for _, r := range ventitest.Vectors(t, 160) {
		name, kind, data, expect := r.Parts(t)
		v := vector{name, kind, []byte(data), expect}
		if kind != "invitation" {
			v.data = r.Bytes(t, kind)
		}
		all = append(all, v)
	}
	return all
}

// decode reads data as its kind says. It returns what that means, in the words of vectors.py, and its encoding.
func decode(kind string, data []byte) (meaning string, again []byte, sentinel, err error) {
	swarm, peer := publicOf(swarmKey), publicOf("a")
	switch kind {
	case "manifest":
		m, err := member.ParseManifest(data, swarm)
		if err != nil {
			return "", nil, member.ErrManifest, err
		}
		return fmt.Sprintf("revision %d name %s nines %d p %d code %s grace %d bans %d", m.Revision, m.Name, m.MilliNines,
			m.Availability, m.Code, m.Grace/time.Second, len(m.Bans)), m.Encode(), nil, nil
	case "chain":
		c, err := member.ParseChain(data)
		if err != nil {
			return "", nil, dhash.ErrStranger, err
		}
		role, err := c.Verify(swarm, peer, judged(), nil)
		return role.String(), c.Encode(), dhash.ErrStranger, err
	case "record":
		r, err := member.ParseRecord(data, swarm.Swarm())
		if err != nil {
			return "", nil, member.ErrRecord, err
		}
		var addrs []string
		for _, a := range r.Addrs {
			addrs = append(addrs, a.String())
		}
		return fmt.Sprintf("sequence %d state %v free %d of %d program %s name %s domain %s addrs %s chain %d", r.Sequence,
			r.State, r.Free, r.Capacity, r.Program, r.Name, r.Domain, strings.Join(addrs, " "), len(r.Chain)), r.Encode(), nil, nil
	case "grant":
		g, err := member.ParseGrant(data, swarm.Swarm(), peer, judged())
		if err != nil {
			return "", nil, member.ErrGrant, err
		}
		return fmt.Sprintf("owner %x expires %d", g.Owner[:], g.Expires.Unix()), g.Encode(), nil, nil
	case "invitation":
		v, err := member.ParseInvitation(string(data))
		if err != nil {
			return "", nil, member.ErrInvitation, err
		}
		last := v.Chain[len(v.Chain)-1]
		return fmt.Sprintf("expires %d uses %d label %s addrs %d", v.Expires().Unix(), last.Uses, last.Label,
			len(v.Addrs)), []byte(v.String()), nil, nil
	case "rescue":
		r, again, err := member.ReadRescue(data)
		if err != nil || r == nil {
			return "none", again, nil, err
		}
		return fmt.Sprintf("revision %d chain %d addrs %d", r.Manifest.Revision, len(r.Chain), len(r.Addrs)), again, nil, nil
	case "message":
		k, again, err := member.ReadAny(data)
		return fmt.Sprint("kind ", k), again, nil, err
	}
	return "", nil, nil, fmt.Errorf("kind %q", kind)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.kind+" "+v.name, func(t *testing.T) {
			meaning, again, sentinel, err := decode(v.kind, v.data)
			if v.expect == refused {
				if err == nil {
					t.Fatalf("accepted as %s", meaning)
				}
				if sentinel != nil && !errors.Is(err, sentinel) {
					t.Errorf("%v does not wrap %v", err, sentinel)
				}
				return
			}
			if err != nil || meaning != v.expect {
				t.Fatalf("%q, %v; want %q", meaning, err, v.expect)
			}
			if !bytes.Equal(again, v.data) {
				t.Errorf("encodes to\n%x, was\n%x", again, v.data)
			}
		})
	}
}

// FuzzDecode: what is accepted encodes to the same bytes.
func FuzzDecode(f *testing.F) {
	kinds := []string{"manifest", "chain", "record", "grant", "invitation", "message", "rescue"}
	for _, v := range vectors(f) {
		for i, k := range kinds {
			if k == v.kind {
				f.Add(byte(i), v.data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, k byte, data []byte) {
		kind := kinds[int(k)%len(kinds)]
		_, again, _, err := decode(kind, data)
		if kind == "invitation" {
			data = bytes.TrimSpace(data)
		}
		if err == nil && !bytes.Equal(again, data) {
			t.Errorf("%s: encodes to\n%x, was\n%x", kind, again, data)
		}
	})
}
