package member

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/venti"
)

const (
	rescueVersion = 1
	rescueHead    = 6 // version, verdict, length of the body
	maxRescue     = 32 + 3 + MaxManifest + 1 + MaxChain*maxCertificate + 1 + MaxAddrs*(2+maxAddr)
)

// A Rescue is what a member tells an owner who has nothing left but the key: how to be a client of the swarm. It is no
// secret; the chain is good for the owner's key alone. ParseRescue(r.Encode()) is r.
type Rescue struct {
	Swarm    PublicKey
	Manifest *Manifest      // the newest that the member knows
	Chain    Chain          // makes the owner's key a client for a while
	Addrs    []ma.Multiaddr // of members, each ending in /p2p/ID; at most MaxAddrs
}

// Encode returns the encoding of r, as PROTOCOL.md has it.
func (r *Rescue) Encode() []byte {
	b := append([]byte(nil), r.Swarm[:]...)
	b = venti.AppendBytes(b, r.Manifest.Encode())
	b = r.Chain.appendTo(b)
	b = append(b, byte(len(r.Addrs)))
	for _, a := range r.Addrs {
		b = venti.AppendBytes(b, a.Bytes())
	}
	return b
}

// ParseRescue reads what Encode wrote and nothing else. The manifest's signature is verified, the chain is not. Errors wrap
// ErrMessage.
func ParseRescue(b []byte) (*Rescue, error) {
	if len(b) > maxRescue {
		return nil, fmt.Errorf("%w: a rescue of %d bytes", ErrMessage, len(b))
	}
	d := venti.NewDecoder(b)
	r := &Rescue{Swarm: decodeKey(d)}
	if m := d.Bytes(MaxManifest); d.Err() == nil {
		var err error
		if r.Manifest, err = ParseManifest(m, r.Swarm); err != nil {
			d.Fail(err)
		}
	}
	r.Chain = decodeChain(d)
	r.Addrs = decodeAddrs(d)
	for _, a := range r.Addrs {
		if err := checkMemberAddr(a); err != nil {
			d.Fail(fmt.Errorf("address %v: %w", a, err))
		}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: rescue: %w", ErrMessage, err)
	}
	return r, nil
}

// verify checks that r is for owner, and by member, whom its connection has proven.
func (r *Rescue) verify(owner, member PublicKey, now time.Time) error {
	n := len(r.Chain)
	if n < 2 || r.Chain.Role() != RoleClient || r.Chain[n-2].Subject != member {
		return fmt.Errorf("%w: its certificates are not by itself, for a client", ErrMessage)
	}
	if off := r.Chain[n-1].Issued.Sub(now); off > MaxSkew || off < -MaxSkew {
		return fmt.Errorf("%w: it says %s, this machine says %s; set the clock that is wrong", ErrClock,
			r.Chain[n-1].Issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	_, err := r.Chain.Verify(r.Swarm, owner, now, r.Manifest)
	return err
}

// readRescueRequest reads a request, which is its version alone.
func readRescueRequest(r io.Reader) error {
	var b [2]byte
	n, err := io.ReadFull(r, b[:])
	if n != 1 || b[0] != rescueVersion {
		return fmt.Errorf("%w: request of a rescue", errors.Join(ErrMessage, err))
	}
	return nil
}

// appendRescueAnswer appends the answer that says r, or with nil that there is none.
func appendRescueAnswer(b []byte, r *Rescue) []byte {
	if r == nil {
		return append(b, rescueVersion, 0, 0, 0, 0, 0)
	}
	body := r.Encode()
	b = binary.BigEndian.AppendUint32(append(b, rescueVersion, 1), uint32(len(body)))
	return append(b, body...)
}

// readRescueAnswer reads an answer and nothing after it; nil is a refusal. The length is checked before anything is
// allocated for it. Errors wrap ErrMessage, unless they are the reader's own.
func readRescueAnswer(r io.Reader) (*Rescue, error) {
	var head [rescueHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[2:])
	switch {
	case head[0] != rescueVersion:
		return nil, fmt.Errorf("%w: version %d of a rescue is not known to this program", ErrMessage, head[0])
	case head[1] == 0 && n == 0:
		return nil, nil
	case head[1] != 1 || n > maxRescue:
		return nil, fmt.Errorf("%w: verdict %d of a rescue with %d bytes", ErrMessage, head[1], n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return ParseRescue(body)
}
