package catalog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// MaxFormer is how many owners can have been followed by one, one after the other.
const MaxFormer = 32

// A Former is, on a List, whom the owner has followed: what the former owner sealed can be read with this alone.
type Former struct {
	Stamp   uint64 // 1 and up
	Entropy [entropySize]byte
}

// String does not show the secret.
func (f Former) String() string { return fmt.Sprintf("former owner, stamp %d", f.Stamp) }

// GoString is String.
func (f Former) GoString() string { return f.String() }

// Next makes the owner that follows o, from 32 bytes of random: with keys of its own, and o and those before it as former
// owners.
func (o *Owner) Next(random io.Reader) (*Owner, error) {
	next, err := NewOwner(random)
	if err != nil {
		return nil, err
	}
	return next.Follow(o)
}

// Follow returns o with others, and those whom they followed, as former owners, in front of those that it has; an owner
// that it has already, and o itself, are passed over.
func (o *Owner) Follow(others ...*Owner) (*Owner, error) {
	next := *o
	next.former = nil
	for _, f := range append(slices.Clone(others), o.former...) {
		for _, f := range append([]*Owner{f}, f.former...) {
			has := func(h *Owner) bool { return h.entropy == f.entropy }
			if f.entropy == o.entropy || slices.ContainsFunc(next.former, has) {
				continue
			}
			alone := *f
			alone.former = nil
			next.former = append(next.former, &alone)
		}
	}
	if len(next.former) > MaxFormer {
		return nil, fmt.Errorf("an identity can have followed %d others, not %d; make a new one with vdh init, in another "+
			"XDG_DATA_HOME", MaxFormer, len(next.former))
	}
	return &next, nil
}

// Former returns whom o has followed, the last one first. They have no former owners themselves.
func (o *Owner) Former() []*Owner { return slices.Clone(o.former) }

// FormerRootKeys returns the keys that sealed the roots of those whom o has followed.
func (o *Owner) FormerRootKeys() (keys []seal.RootKey) {
	for _, f := range o.former {
		keys = append(keys, f.root)
	}
	return keys
}

// FormerMarkKeys returns the keys of the marks of those whom o has followed.
func (o *Owner) FormerMarkKeys() (keys [][32]byte) {
	for _, f := range o.former {
		keys = append(keys, f.mark)
	}
	return keys
}

// ReplaceOwner writes next as the identity file in dir in place of that of was, in one step, and returns the owner that the
// file then holds. Where the file does not hold was any more the error says so, and nothing is written.
func ReplaceOwner(ctx context.Context, dir string, was, next *Owner) (_ *Owner, err error) {
	unlock, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	now, err := LoadOwner(dir)
	if err != nil {
		return nil, err
	}
	if now.entropy != was.entropy {
		return nil, fmt.Errorf("%s: another identity was put there meanwhile, and it stays", filepath.Join(dir, identityName))
	}
	if err := writeFile(filepath.Join(dir, identityName), appendIdentity(nil, next)); err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return LoadOwner(dir)
}

func appendFormer(b []byte, f *Former) []byte {
	b = venti.AppendUint(append(b, kindFormer), f.Stamp)
	return append(b, f.Entropy[:]...)
}

func compareFormer(a, b Former) int {
	return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), bytes.Compare(a.Entropy[:], b.Entropy[:]))
}

// former takes the record of a former owner.
func (r *reader) former(d *venti.Decoder, stamp uint64) error {
	f := Former{stamp, [entropySize]byte(d.Fixed(entropySize))}
	n := len(r.list.Former)
	switch {
	case d.Finish() != nil:
		return d.Err()
	case n == MaxFormer:
		return fmt.Errorf("more than %d former owners", MaxFormer)
	case n > 0 && compareFormer(r.list.Former[n-1], f) >= 0:
		return fmt.Errorf("former owners %w", errOrder)
	case slices.ContainsFunc(r.list.Former, func(g Former) bool { return g.Entropy == f.Entropy }):
		return errors.New("a former owner is there twice")
	}
	r.list.Former = append(r.list.Former, f)
	r.buf = appendFormer(r.buf[:0], &f)
	return nil
}

// mergeFormer returns the former owners of several lists, each with its highest stamp.
func mergeFormer(lists []List) (out []Former) {
	for _, l := range lists {
		for _, f := range l.Former {
			i := slices.IndexFunc(out, func(g Former) bool { return g.Entropy == f.Entropy })
			if i < 0 {
				out = append(out, f)
			} else {
				out[i].Stamp = max(out[i].Stamp, f.Stamp)
			}
		}
	}
	slices.SortFunc(out, compareFormer)
	return out[max(0, len(out)-MaxFormer):]
}

// Former returns whom the owner has followed by what the list says, the last one first.
func (c *Catalog) Former(ctx context.Context) (owners []*Owner, err error) {
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range slices.Backward(l.Former) {
		o, err := ownerOf(f.Entropy)
		if err != nil {
			return nil, err
		}
		owners = append(owners, o)
	}
	return owners, nil
}

const (
	inheritedName = "inherited-" // and the public key of the former owner: its head that was taken in
	heirName      = "heir"       // the public key of who has followed the owner, by which Followed goes
)

// Inherits reports whether the catalog in dir, of a former owner, says anything that this one has not taken in.
func (c *Catalog) Inherits(dir string, former *Owner) (bool, error) {
	from := &Catalog{cfg: Config{Dir: dir, Owner: former}}
	head, err := from.Head()
	if errors.Is(err, ErrNoHead) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was, err := os.ReadFile(c.inherited(former))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return !bytes.Equal(was, head.Append(nil)), nil
}

func (c *Catalog) inherited(former *Owner) string {
	return filepath.Join(c.cfg.Dir, fmt.Sprintf("%s%x", inheritedName, former.PublicKey()))
}

// Inherit takes the list in dir, of a former owner, into this one, together with who all the former owners are, and notes in
// dir who the heir is. The sequence goes on from that of the former owner. It can be interrupted and repeated; Inherits says
// whether it was done. Nothing is published: Refresh does that.
func (c *Catalog) Inherit(ctx context.Context, dir string, former *Owner) (err error) {
	if c.cfg.Store == nil {
		return errors.New("catalog: without a store it cannot be changed")
	}
	cfg := Config{Dir: dir, Store: c.cfg.Store, Owner: former}
	from, err := newCatalog(cfg)
	if err != nil {
		return err
	}
	head, err := from.Head()
	if err != nil {
		return err
	}
	l, err := from.read(ctx, newBlocks(&cfg), head.Score)
	if err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := c.inherit(ctx, l, head.Sequence); err != nil {
		return err
	}
	if err := writeFile(c.inherited(former), head.Append(nil)); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, heirName), heirText(c.cfg.Owner.PublicKey())); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), syncDir(c.cfg.Dir))
}

// inherit writes the list with l taken in. The lock is held.
func (c *Catalog) inherit(ctx context.Context, l List, above uint64) error {
	s, err := c.begin(ctx)
	if err != nil {
		return err
	}
	s.above = max(above, l.stamp())
	next, err := s.next()
	if err != nil {
		return err
	}
	var followed List
	for i, f := range slices.Backward(c.cfg.Owner.former) { // the last one has the highest stamp
		stamp := next - min(next-1, uint64(i))
		followed.Former = append(followed.Former, Former{stamp, f.entropy})
	}
	s.list = Merge(s.list, l, followed)
	if err := s.write(ctx, next, time.Now()); err != nil {
		return err
	}
	if s.wrote {
		s.b.tidy()
	}
	return nil
}

// ErrFollowed says that the owner of a catalog was followed by another one, who has taken the list over: nothing is added to
// it or forgotten any more, since the other may prune what it does not know of.
var ErrFollowed = errors.New("this identity was followed by another one")

// Followed returns an error that wraps ErrFollowed if the catalog's owner was followed by another one, as far as the folder
// says. No change is made then, and none if what the folder says of it is damaged, which wraps venti.ErrCorrupt.
func (c *Catalog) Followed() error {
	name := filepath.Join(c.cfg.Dir, heirName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != ed25519.PublicKeySize || !bytes.Equal(b, heirText(key)) {
		return corruptf("%s is damaged: it should hold the public key of the identity that has followed this one; if none has "+
			"(vdh key rotate), remove it", name)
	}
	return fmt.Errorf("%w, %x…", ErrFollowed, key[:4])
}

// heirText is what the file of the heir holds.
func heirText(key ed25519.PublicKey) []byte { return fmt.Appendf(nil, "%x\n", []byte(key)) }
