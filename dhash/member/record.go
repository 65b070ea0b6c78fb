package member

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	recordVersion = 1
	maxDomain     = 128
	maxProgram    = 32
	maxBytes      = 1 << 56 // of capacity
	maxSequence   = 1<<63 - 1

	// MaxRecord is the length in bytes of the longest encoded record.
	MaxRecord = 1 + 32 + 9 + 6 + 1 + 9 + 9 + 1 + maxProgram + 1 + maxName + 2 + maxDomain + 1 + MaxAddrs*(2+maxAddr) +
		1 + MaxChain*maxCertificate + ed25519.SignatureSize
)

// A State is what a member says that it is ready for.
type State byte

// The states of a member. Full or retiring it keeps what it has and takes nothing new.
const (
	Active   State = 1 + iota
	Full           // no room: the member decides, with some hysteresis
	Retiring       // on the way out of the swarm
	Wiped          // it has lost what it held, and others are to make that again at once
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Full:
		return "full"
	case Retiring:
		return "retiring"
	case Wiped:
		return "wiped"
	}
	return fmt.Sprintf("state %d", byte(s))
}

// An Info is what a member says about itself.
type Info struct {
	Name     string // for people
	Domain   string // failure domain, "site/host"
	Program  string // version of the program
	State    State
	Capacity int64 // bytes that it lends the swarm
	Free     int64 // bytes of Capacity that are free
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (i Info) Validate() error {
	err := errors.Join(checkText("name", i.Name, maxName), checkText("domain", i.Domain, maxDomain),
		checkText("program version", i.Program, maxProgram))
	switch {
	case err != nil:
		return err
	case i.State < Active || i.State > Wiped:
		return fmt.Errorf("%v is not known to this program", i.State)
	case i.Capacity < 0 || i.Capacity > maxBytes || i.Free < 0 || i.Free > i.Capacity:
		return fmt.Errorf("%d bytes free of a capacity of %d", i.Free, i.Capacity)
	}
	return nil
}

// A Record is a member's signed word about itself. The one of the highest Sequence holds.
type Record struct {
	Info
	Subject   PublicKey
	Sequence  uint64         // at most 2⁶³−1
	Time      time.Time      // when it was signed, in whole seconds
	Addrs     []ma.Multiaddr // where it listens, without /p2p/ID; at most MaxAddrs
	Chain     Chain          // makes Subject a member
	Signature [ed25519.SignatureSize]byte
}

// ID returns the member's id.
func (r *Record) ID() dhash.ID { return r.Subject.ID() }

// AddrInfo returns the member's id and addresses as libp2p wants them.
func (r *Record) AddrInfo() peer.AddrInfo { return peer.AddrInfo{ID: peer.ID(r.ID()), Addrs: r.Addrs} }

// Takes reports whether the member is to be given new fragments.
func (r *Record) Takes() bool { return (r.State == Active || r.State == Wiped) && r.Capacity > 0 }

func (r *Record) validate() error {
	if err := errors.Join(r.Info.Validate(), checkTime(r.Time)); err != nil {
		return err
	}
	switch {
	case r.Time.IsZero():
		return errors.New("no time")
	case r.Sequence > maxSequence:
		return errors.New("sequence over 2⁶³−1")
	case len(r.Addrs) > MaxAddrs:
		return fmt.Errorf("%d addresses are over the bound of %d", len(r.Addrs), MaxAddrs)
	case r.Chain.Role() != RoleMember:
		return fmt.Errorf("its certificate is that of a %v", r.Chain.Role())
	}
	for _, a := range r.Addrs {
		if n := len(a.Bytes()); n == 0 || n > maxAddr {
			return fmt.Errorf("an address of %d bytes", n)
		}
	}
	return nil
}

// Sign signs the record with the member's key, and sets Subject, Time and Signature.
func (r *Record) Sign(key ed25519.PrivateKey, swarm SwarmID, now time.Time) error {
	r.Subject = PublicOf(key)
	r.Time = now.UTC().Truncate(time.Second)
	if err := r.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	r.Signature = labelRecord.sign(key, swarm, r.body())
	return nil
}

func (r *Record) body() []byte {
	b := append([]byte{recordVersion}, r.Subject[:]...)
	b = venti.AppendUint(b, r.Sequence)
	b = venti.AppendSeconds(b, r.Time)
	b = append(b, byte(r.State))
	b = venti.AppendUint(b, uint64(r.Capacity))
	b = venti.AppendUint(b, uint64(r.Free))
	b = venti.AppendBytes(b, r.Program)
	b = venti.AppendBytes(b, r.Name)
	b = venti.AppendBytes(b, r.Domain)
	b = append(b, byte(len(r.Addrs)))
	for _, a := range r.Addrs {
		b = venti.AppendBytes(b, a.Bytes())
	}
	return r.Chain.appendTo(b)
}

// Encode returns the encoding of r, which is signed.
func (r *Record) Encode() []byte { return append(r.body(), r.Signature[:]...) }

// ParseRecord reads what Encode wrote and nothing else, and checks the member's signature. Whether the member belongs to
// the swarm is another question: see Chain.Verify. Errors wrap ErrRecord.
func ParseRecord(b []byte, swarm SwarmID) (*Record, error) {
	r, err := decodeRecord(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if !r.verify(b, swarm) {
		return nil, fmt.Errorf("%w: its signature is bad", ErrRecord)
	}
	return r, nil
}

// decodeRecord is ParseRecord without the signature.
func decodeRecord(b []byte) (*Record, error) {
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("%d bytes are too many", len(b))
	}
	d := venti.NewDecoder(b)
	decodeVersion(d, recordVersion)
	r := &Record{Subject: decodeKey(d), Sequence: d.Uint(maxSequence), Time: d.Seconds()}
	r.State = State(d.Byte())
	r.Capacity = int64(d.Uint(maxBytes))
	r.Free = int64(d.Uint(maxBytes))
	r.Program = string(d.Bytes(maxProgram))
	r.Name = string(d.Bytes(maxName))
	r.Domain = string(d.Bytes(maxDomain))
	r.Addrs = decodeAddrs(d)
	r.Chain = decodeChain(d)
	r.Signature = decodeSignature(d)
	if err := d.Finish(); err != nil {
		return nil, err
	}
	return r, r.validate()
}

// verify checks the signature of a record whose encoding is b.
func (r *Record) verify(b []byte, swarm SwarmID) bool {
	return labelRecord.verify(r.Subject, swarm, b[:len(b)-ed25519.SignatureSize], r.Signature)
}
