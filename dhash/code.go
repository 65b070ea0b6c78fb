package dhash

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxTotal is the largest number of fragments that a block is coded into.
const MaxTotal = 64

// A Code says into how many fragments a block is coded, and how many of them give it back.
type Code struct {
	Need  int // at least 1
	Total int // at least Need, at most MaxTotal
}

// ParseCode reads a code as Code.String writes it, and nothing else.
func ParseCode(text string) (Code, error) {
	need, total, ok := strings.Cut(text, "/")
	if !ok {
		return Code{}, fmt.Errorf("code %q: want NEED/TOTAL, as in 8/20", text)
	}
	k, err := strconv.ParseUint(need, 10, 8)
	if err != nil {
		return Code{}, fmt.Errorf("code %q: %w", text, err)
	}
	n, err := strconv.ParseUint(total, 10, 8)
	if err != nil {
		return Code{}, fmt.Errorf("code %q: %w", text, err)
	}
	c := Code{int(k), int(n)}
	if err := c.Validate(); err != nil {
		return Code{}, err
	}
	if c.String() != text {
		return Code{}, fmt.Errorf("code %q: want it as %s", text, c)
	}
	return c, nil
}

// String returns Need/Total.
func (c Code) String() string { return fmt.Sprintf("%d/%d", c.Need, c.Total) }

// Validate reports a code that cannot be: it wants 1 ≤ Need ≤ Total ≤ MaxTotal.
func (c Code) Validate() error {
	if c.Need < 1 || c.Total < c.Need || c.Total > MaxTotal {
		return fmt.Errorf("code %s: want 1 ≤ need ≤ total ≤ %d", c, MaxTotal)
	}
	return nil
}

// Threshold returns the number of fragments at which a block counts as stored, and down to which nothing is repaired: a
// fifth, rounded up, may be missing, but never one of the last Need.
func (c Code) Threshold() int { return max(c.Need, c.Total-(c.Total+4)/5) }

// UrgentLine returns the number of present fragments at which a block is brought up at once: three more than are
// needed, but less than the threshold, at which a swarm too small for that is content.
func (c Code) UrgentLine() int { return min(c.Need+3, c.Threshold()-1) }

// DomainLimit returns how many fragments of a block one failure domain may hold so that the loss of the whole domain
// leaves three more than are needed. It is at least 1.
func (c Code) DomainLimit() int { return max(1, c.Total-c.Need-3) }

// Overhead returns how many bytes are stored for each byte of a block, headers not counted.
func (c Code) Overhead() float64 { return float64(c.Total) / float64(c.Need) }

// PayloadSize returns the length in bytes of each fragment's payload of a block of the given length: ⌈length/Need⌉,
// rounded up to a multiple of 64 where Need is more than 1. The block is padded with zeros.
func (c Code) PayloadSize(length int) int {
	if c.Need == 1 {
		return length
	}
	return ((length+c.Need-1)/c.Need + 63) &^ 63
}
