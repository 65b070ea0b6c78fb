package member

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	manifestVersion = 1
	maxGrace        = 366 * 24 * time.Hour

	// MaxBans bounds the bans of a manifest.
	MaxBans = 1024

	// MaxManifest is the length in bytes of the longest encoded manifest.
	MaxManifest = 1 + 32 + 10 + 1 + maxName + 3 + 3 + 2 + 5 + 2 + 32*MaxBans + 6 + ed25519.SignatureSize
)

// A Manifest is what all members of a swarm agree on, signed by the swarm's key. Of two manifests the one of the higher
// Revision holds.
type Manifest struct {
	Swarm    PublicKey
	Revision uint64 // from 1
	Name     string // for people

	MilliNines   int // target availability of a block in thousandths of a nine: 5000 is 99.999 %
	Availability int // of a member, as assumed, in millionths: 900000 is 90 %

	Code dhash.Code // for all blocks; zero leaves it to the policy of package codec

	// Grace is after how long a silence a member is gone, so that what it held is made anew: whole seconds, a year at
	// most. Zero is a day.
	Grace time.Duration

	// Bans are the ids of those who are shut out, ascending. The id of a delegated key bans everybody who was invited
	// with it.
	Bans []dhash.ID

	Time      time.Time // when it was signed, in whole seconds
	Signature [ed25519.SignatureSize]byte
}

// Nines returns the target availability as a number of nines.
func (m *Manifest) Nines() float64 { return float64(m.MilliNines) / 1000 }

// P returns the assumed availability of a member, 0 … 1.
func (m *Manifest) P() float64 { return float64(m.Availability) / 1e6 }

// bans reports whether the manifest shuts k out. A nil manifest bans nobody.
func (m *Manifest) bans(k PublicKey) bool {
	if m == nil {
		return false
	}
	_, found := slices.BinarySearch(m.Bans, k.ID())
	return found
}

// Validate returns an error that wraps ErrManifest and names the first field that cannot be. It does not look at the
// signature.
func (m *Manifest) Validate() error {
	err := errors.Join(checkText("name", m.Name, maxName), checkTime(m.Time))
	switch {
	case err != nil:
	case m.Revision == 0:
		err = errors.New("revision is 0")
	case m.MilliNines < 1 || m.MilliNines > 12000:
		err = fmt.Errorf("target of %d thousandths of a nine is not within 1 and 12000", m.MilliNines)
	case m.Availability < 1 || m.Availability > 999_999:
		err = fmt.Errorf("assumed availability of %d millionths is not within 1 and 999999", m.Availability)
	case m.Code != dhash.Code{} && m.Code.Validate() != nil:
		err = m.Code.Validate()
	case m.Grace < 0 || m.Grace > maxGrace || m.Grace%time.Second != 0:
		err = fmt.Errorf("grace period of %v is not in whole seconds within 0 and a year", m.Grace)
	case len(m.Bans) > MaxBans:
		err = fmt.Errorf("%d bans are over the bound of %d", len(m.Bans), MaxBans)
	}
	for i, id := range m.Bans {
		_, bad := KeyOf(id)
		if err == nil && (bad != nil || i > 0 && m.Bans[i-1] >= id) {
			err = errors.New("bans are not ids of members, ascending")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return nil
}

// Ban adds id to the bans and counts the revision up. The manifest must be signed anew.
func (m *Manifest) Ban(id dhash.ID) error {
	if _, err := KeyOf(id); err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	i, found := slices.BinarySearch(m.Bans, id)
	if !found {
		m.Bans = slices.Insert(slices.Clone(m.Bans), i, id)
	}
	m.Revision++
	return m.Validate()
}

// Sign signs the manifest with the swarm's key, and sets Swarm, Time and Signature.
func (m *Manifest) Sign(key ed25519.PrivateKey, now time.Time) error {
	m.Swarm = PublicOf(key)
	m.Time = now.UTC().Truncate(time.Second)
	if err := m.Validate(); err != nil {
		return err
	}
	m.Signature = labelManifest.sign(key, m.Swarm.Swarm(), m.body())
	return nil
}

func (m *Manifest) body() []byte {
	b := append([]byte{manifestVersion}, m.Swarm[:]...)
	b = venti.AppendUint(b, m.Revision)
	b = venti.AppendBytes(b, m.Name)
	b = venti.AppendUint(b, uint64(m.MilliNines))
	b = venti.AppendUint(b, uint64(m.Availability))
	b = append(b, byte(m.Code.Need), byte(m.Code.Total))
	b = venti.AppendUint(b, uint64(m.Grace/time.Second))
	b = venti.AppendUint(b, uint64(len(m.Bans)))
	for _, id := range m.Bans {
		b = append(b, id[len(idPrefix):]...)
	}
	return venti.AppendSeconds(b, m.Time)
}

// Encode returns the encoding of m, which is valid and signed.
func (m *Manifest) Encode() []byte { return append(m.body(), m.Signature[:]...) }

// ParseManifest reads what Encode wrote and nothing else, and checks that the swarm whose key is swarm signed it.
// Errors wrap ErrManifest.
func ParseManifest(b []byte, swarm PublicKey) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrManifest, len(b))
	}
	d := venti.NewDecoder(b)
	decodeVersion(d, manifestVersion)
	m := &Manifest{Swarm: decodeKey(d), Revision: d.Uint(1<<64 - 1), Name: string(d.Bytes(maxName))}
	m.MilliNines = int(d.Uint(12000))
	m.Availability = int(d.Uint(999_999))
	m.Code = dhash.Code{Need: int(d.Byte()), Total: int(d.Byte())}
	m.Grace = time.Duration(d.Uint(uint64(maxGrace/time.Second))) * time.Second
	for range d.Uint(min(MaxBans, uint64(d.Len()/len(PublicKey{})))) {
		m.Bans = append(m.Bans, decodeKey(d).ID())
	}
	m.Time = d.Seconds()
	m.Signature = decodeSignature(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Swarm != swarm {
		return nil, fmt.Errorf("%w: it is another swarm's", ErrManifest)
	}
	if !labelManifest.verify(swarm, swarm.Swarm(), b[:len(b)-ed25519.SignatureSize], m.Signature) {
		return nil, fmt.Errorf("%w: its signature is bad", ErrManifest)
	}
	return m, nil
}

// Newer reports whether m replaces old, which may be nil. Both are verified. An error, which wraps ErrManifest, says
// that m must be refused: its revision is lower, or the same with other content. The same manifest is no error.
func (m *Manifest) Newer(old *Manifest) (bool, error) {
	switch {
	case old == nil || m.Swarm == old.Swarm && m.Revision > old.Revision:
		return true, nil
	case m.Swarm != old.Swarm:
		return false, fmt.Errorf("%w: it is another swarm's", ErrManifest)
	case m.Revision < old.Revision:
		return false, fmt.Errorf("%w: revision %d is lower than %d, which is known", ErrManifest, m.Revision, old.Revision)
	case !bytes.Equal(m.body(), old.body()):
		return false, fmt.Errorf("%w: two manifests have revision %d; the holder of the swarm's key should sign a "+
			"higher one", ErrManifest, m.Revision)
	}
	return false, nil
}
