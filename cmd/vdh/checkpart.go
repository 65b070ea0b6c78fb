package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"ventidhash/venti"
)

// maxParts bounds into how many parts a store is divided: one a night for ten years.
const maxParts = 3660

// A partFlag is a flag that is a part of all blocks, the k-th of so many. The zero value is all of them.
type partFlag struct{ k, of int }

// has reports whether a block belongs to the part: the parts divide the scores, in their order, evenly.
func (p partFlag) has(s venti.Score) bool {
	if p.of == 0 {
		return true
	}
	in, _ := bits.Mul64(binary.BigEndian.Uint64(s[:8]), uint64(p.of))
	return in == uint64(p.k-1)
}

// String implements pflag.Value.
func (p *partFlag) String() string {
	if p.of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.k, p.of)
}

// Type implements pflag.Value.
func (*partFlag) Type() string { return "k/n" }

// Set implements pflag.Value.
func (p *partFlag) Set(text string) error {
	first, second, _ := strings.Cut(text, "/")
	k, err := strconv.Atoi(first)
	n, err2 := strconv.Atoi(second)
	if err != nil || err2 != nil || k < 1 || k > n || n > maxParts {
		return errors.New("want one of some parts, like 3/30")
	}
	*p = partFlag{k, n}
	return nil
}
