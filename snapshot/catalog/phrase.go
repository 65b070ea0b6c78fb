package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

const phraseWords = 24

// Phrase returns the 24 English words of BIP-39 that stand for the owner.
func (o *Owner) Phrase() string {
	words, err := bip39.NewMnemonic(o.entropy[:])
	if err != nil {
		panic(err) // 32 bytes are a length that BIP-39 has
	}
	return words
}

// OwnerFromPhrase returns the owner that the 24 words stand for. Case and white space do not matter. A word that is not
// in the list, and words whose checksum does not fit, are an error that says which word is likely wrong, and what it
// may have been.
func OwnerFromPhrase(phrase string) (*Owner, error) {
	words := strings.Fields(strings.ToLower(phrase))
	if len(words) != phraseWords {
		return nil, fmt.Errorf("a recovery phrase has %d words, not %d", phraseWords, len(words))
	}
	list := bip39.GetWordList()
	for i, w := range words {
		if _, ok := slices.BinarySearch(list, w); !ok {
			return nil, fmt.Errorf("word %d of the recovery phrase, %.20q, is not in the list%s", i+1, w, resembling(w, list))
		}
	}
	entropy, err := bip39.EntropyFromMnemonic(strings.Join(words, " "))
	if errors.Is(err, bip39.ErrChecksumIncorrect) {
		return nil, fmt.Errorf("the checksum of the recovery phrase does not fit: %s", likelySlip(words, list))
	}
	if err != nil {
		return nil, err
	}
	return ownerOf([entropySize]byte(entropy))
}

// resembling names the words of the list that w may be a slip of: those that it begins, or else the nearest.
func resembling(w string, list []string) string {
	var near []string
	if at, _ := slices.BinarySearch(list, w); len(w) >= 3 {
		for ; at < len(list) && strings.HasPrefix(list[at], w); at++ {
			near = append(near, fmt.Sprintf("%q", list[at]))
		}
	}
	for far := 1; far <= 2 && len(near) == 0; far++ {
		for _, l := range list {
			if distance(w, l) == far {
				near = append(near, fmt.Sprintf("%q", l))
			}
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "; it may be " + strings.Join(near[:min(4, len(near))], " or ")
}

// likelySlip says which single slip explains a wrong checksum: two neighbours swapped, or a word written as another
// that resembles it. Of a change at random one in 256 fits the checksum, so that a change that fits and is small is
// likely the one.
func likelySlip(words, list []string) string {
	var slips []string
	fits := func(w []string) bool {
		_, err := bip39.EntropyFromMnemonic(strings.Join(w, " "))
		return err == nil
	}
	try := slices.Clone(words)
	for far := 1; far <= 2; far++ {
		for i, w := range words {
			for _, l := range list {
				if distance(w, l) != far {
					continue
				}
				if try[i] = l; fits(try) {
					slips = append(slips, fmt.Sprintf("word %d, %q, may have to be %q", i+1, w, l))
				}
			}
			try[i] = w
		}
		for i := 0; far == 1 && i+1 < len(try); i++ {
			try[i], try[i+1] = try[i+1], try[i]
			if words[i] != words[i+1] && fits(try) {
				slips = append(slips, fmt.Sprintf("words %d and %d, %q and %q, may have to change places", i+1, i+2, words[i], words[i+1]))
			}
			try[i], try[i+1] = try[i+1], try[i]
		}
	}
	if len(slips) == 0 {
		return "more than one word is wrong, or one is a quite different word"
	}
	return strings.Join(slips[:min(3, len(slips))], "; or ")
}

// distance returns how many letters have to be inserted, removed, replaced or swapped with their neighbour to make b of
// a; from 3 on it is not exact.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 3
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
