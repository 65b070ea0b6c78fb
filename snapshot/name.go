package snapshot

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"ventidhash/venti"
)

const (
	scheme     = "vac:"
	latest     = "latest"
	minPrefix  = 8  // digits of the shortest prefix of a score that is taken as a name
	fullDigits = 64 // of a score
	oldDigits  = 40 // of a score of the classic vac
)

// A Name is what people write to mean a snapshot, or a file in one. Exactly one of Score, Prefix and Latest is set.
//
//	vac:SCORE  SCORE         by its 64 digits; vac: may always be left out
//	vac:PREFIX PREFIX        by the first digits of its score, 8 or more, if no other in the list begins so
//	vac:SCORE#CAPABILITY     somebody else's: 64 more digits, which open it
//	latest                   the newest one that is no share
//	latest@HOST              the newest one of a host
//	latest@HOST:/PATH        the newest one of a host that has the path in it; without HOST, of any host
//
// Each but the last may have a /path behind it, which means the file of that path inside the snapshot; in the last, the
// path itself does.
type Name struct {
	Score      venti.Score
	Prefix     string    // lower-case hex digits
	Latest     bool      // the newest, of Host and with Path where they are set
	Host       string    // of a Latest; empty is any
	Path       string    // of a Latest: one of the snapshot's Paths is this or contains it
	SubPath    string    // clean, absolute, inside the snapshot; empty is the whole snapshot
	Capability venti.Key // zero if the name has none
}

// HasCapability reports whether the name opens its snapshot by itself, so that no owner and no list is needed.
func (n Name) HasCapability() bool { return n.Capability != venti.Key{} }

// ParseName reads a Name. It does not look anything up: an error is a slip in the writing. Errors do not show the
// capability, which is a secret.
func ParseName(text string) (Name, error) {
	if rest, ok := strings.CutPrefix(text, latest); ok && (rest == "" || rest[0] == '/' || rest[0] == '@') {
		return parseLatest(text, rest)
	}
	id, sub := text, ""
	if i := strings.IndexByte(text, '/'); i >= 0 {
		id, sub = text[:i], cleanSub(text[i:])
	}
	digits, hasScheme := strings.CutPrefix(id, scheme)
	digits, capability, shared := strings.Cut(digits, "#")
	if !isHex(digits) {
		if !hasScheme {
			return Name{}, fmt.Errorf("%.80q names no snapshot: give vac: and digits of its score, or latest", digits)
		}
		return Name{}, fmt.Errorf("%.80q: a score is lower-case hex digits", digits)
	}
	n := Name{SubPath: sub}
	switch {
	case len(digits) == oldDigits:
		return Name{}, fmt.Errorf("%s has %d digits, as the SHA-1 scores of the classic vac: and venti(7) have; "+
			"here a score is a SHA-256 and has %d digits", digits, oldDigits, fullDigits)
	case len(digits) > fullDigits:
		return Name{}, fmt.Errorf("a score has %d digits, not %d: %.80q", fullDigits, len(digits), digits)
	case len(digits) < minPrefix:
		return Name{}, fmt.Errorf("%.80q is too short: give at least %d digits of the score", digits, minPrefix)
	case len(digits) < fullDigits && shared:
		return Name{}, fmt.Errorf("a capability follows a whole score of %d digits, not %d", fullDigits, len(digits))
	case len(digits) < fullDigits:
		n.Prefix = digits
		return n, nil
	}
	hex.Decode(n.Score[:], []byte(digits)) // the digits were checked
	if n.Score.IsZero() {
		return Name{}, errors.New("the score of zeros names nothing")
	}
	if !shared {
		return n, nil
	}
	if len(capability) != 2*venti.KeySize || !isHex(capability) {
		return Name{}, fmt.Errorf("a capability is %d lower-case hex digits after #", 2*venti.KeySize)
	}
	hex.Decode(n.Capability[:], []byte(capability))
	if !n.HasCapability() {
		return Name{}, errors.New("the capability of zeros opens nothing")
	}
	return n, nil
}

// parseLatest reads what stands behind "latest".
func parseLatest(text, rest string) (Name, error) {
	n := Name{Latest: true}
	host, sub := "", ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, sub = rest[:i], rest[i:]
	}
	if rest != "" {
		host = rest[1:]
		h, of := strings.CutSuffix(host, ":")
		switch {
		case of && sub == "":
			return Name{}, fmt.Errorf("%.80q: an absolute path is missing behind the colon", text)
		case of:
			n.Path = path.Clean(sub)
			host = h
		case host == "":
			return Name{}, fmt.Errorf("%.80q: a host is missing behind the @", text)
		}
	}
	n.Host, n.SubPath = host, cleanSub(sub)
	return n, nil
}

// cleanSub returns the clean form of an absolute path, or nothing for the path of everything.
func cleanSub(p string) string {
	if p == "" {
		return ""
	}
	if p = path.Clean(p); p == "/" {
		return ""
	}
	return p
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
