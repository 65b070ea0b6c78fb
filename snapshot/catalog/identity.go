package catalog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The identity file: four lines, of which the second is for whoever opens it by chance; in version 2, one more for each
// former owner.
const (
	identityName  = "identity"
	identityTitle = "ventidhash identity 1\n"
	identityNext  = "ventidhash identity 2\n"
	identityNote  = "# Whoever has this file can read and sign for everything of its owner. Keep it secret.\n"
	identityKey   = "entropy "
	identityOwner = "owner "
	identityWas   = "former "

	maxIdentity = 1 << 12 // bytes
)

// appendIdentity appends the text of the identity file of o.
func appendIdentity(b []byte, o *Owner) []byte {
	title := identityTitle
	if len(o.former) > 0 {
		title = identityNext
	}
	b = append(b, title+identityNote...)
	b = fmt.Appendf(b, "%s%x\n", identityKey, o.entropy)
	b = fmt.Appendf(b, "%s%x\n", identityOwner, o.PublicKey())
	for _, f := range o.former {
		b = fmt.Appendf(b, "%s%x\n", identityWas, f.entropy)
	}
	return b
}

// parseIdentity reads what appendIdentity wrote, and nothing else.
func parseIdentity(text []byte) (*Owner, error) {
	rest, ok := bytes.CutPrefix(text, []byte(identityTitle))
	if !ok {
		rest, ok = bytes.CutPrefix(text, []byte(identityNext))
	}
	if !ok {
		return nil, corruptf("not an identity file of a version that is known to this program")
	}
	rest, ok = bytes.CutPrefix(rest, []byte(identityNote+identityKey))
	if !ok || len(rest) < 2*entropySize {
		return nil, corruptf("the identity file is damaged")
	}
	var entropy [entropySize]byte
	if _, err := hex.Decode(entropy[:], rest[:2*entropySize]); err != nil {
		return nil, corruptf("the identity file is damaged: the entropy is not hex digits")
	}
	o, err := ownerOf(entropy)
	if err == nil {
		o.former, err = parseFormer(rest)
	}
	if err != nil {
		return nil, err
	}
	if o, err = o.Follow(); err != nil { // which leaves out what cannot be
		return nil, corruptf("the identity file is damaged: %w", err)
	}
	if !bytes.Equal(appendIdentity(nil, o), text) {
		return nil, corruptf("the identity file is damaged: entropy and public key do not fit each other")
	}
	return o, nil
}

// parseFormer reads the former owners in an identity file; the caller checks that they are written as they should be.
func parseFormer(text []byte) (list []*Owner, err error) {
	for line := range bytes.Lines(text) {
		digits, ok := bytes.CutPrefix(line, []byte(identityWas))
		if !ok {
			continue
		}
		var entropy [entropySize]byte
		if _, err := hex.Decode(entropy[:], digits[:min(2*entropySize, len(digits))]); err != nil {
			return nil, corruptf("the identity file is damaged: a former entropy is not hex digits")
		}
		f, err := ownerOf(entropy)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// LoadOwner reads the owner from the identity file in dir. Without one the error is fs.ErrNotExist. A file that others
// than its user may read or write is refused.
func LoadOwner(dir string) (*Owner, error) {
	name := filepath.Join(dir, identityName)
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%s holds the owner's secret, and its permissions %#o let others at it; "+
			"if nobody can have read it: chmod 600 %s", name, perm, name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return nil, err
	}
	o, err := parseIdentity(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; the recovery phrase makes it anew, once the damaged file is moved away", name, err)
	}
	return o, nil
}

// SaveOwner writes o as the identity file in dir, which it makes if need be, and returns the owner that the file then
// holds. It never replaces an identity: where there is one already, also one that another process has just written, that
// one is returned instead of o. The file and its folder are for the user only.
func SaveOwner(dir string, o *Owner) (*Owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, identityName)
	if _, err := os.Lstat(name); err == nil {
		return LoadOwner(dir)
	}
	tmp, err := os.CreateTemp(dir, identityName+".tmp-") // for the user only
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	if err := fillFile(tmp, appendIdentity(nil, o)); err != nil {
		return nil, err
	}
	// A link, unlike a rename, fails if the name is taken.
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return LoadOwner(dir)
}
