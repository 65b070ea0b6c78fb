package dataset

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

const (
	vocabularySize = 8192
	settingsSize   = 2048
	zipfExponent   = 1.2
	zipfOffset     = 3
	lineWidth      = 72
	recordSize     = 48
)

// A vocabulary is a list of made-up words, the most frequent first, and a list of settings named with them.
type vocabulary struct{ words, settings []string }

// newVocabulary makes words of one to four syllables; frequent ones are short, as in a language.
func newVocabulary(src rand.Source) *vocabulary {
	rng := rand.New(src)
	const onsets, vowels, codas = "bcdfghjklmnprstvwz", "aeiou", "nrstlm"
	v := &vocabulary{words: make([]string, vocabularySize)}
	for i := range v.words {
		syllables := 1
		for limit := 64; syllables < 4 && i >= limit; limit *= 8 {
			syllables++
		}
		var word []byte
		for range syllables {
			word = append(word, onsets[rng.IntN(len(onsets))], vowels[rng.IntN(len(vowels))])
			if rng.IntN(3) == 0 {
				word = append(word, codas[rng.IntN(len(codas))])
			}
		}
		v.words[i] = string(word)
	}
	for range settingsSize {
		v.settings = append(v.settings, v.words[rng.IntN(1024)]+"_"+v.words[rng.IntN(1024)])
	}
	return v
}

// writer returns a source of text in this vocabulary.
func (v *vocabulary) writer(src rand.Source) *writer {
	rng := rand.New(src)
	return &writer{v: v, rng: rng, zipf: rand.NewZipf(rng, zipfExponent, zipfOffset, vocabularySize-1)}
}

type writer struct {
	v    *vocabulary
	rng  *rand.Rand
	zipf *rand.Zipf
}

func (w *writer) word() string { return w.v.words[w.zipf.Uint64()] }

// setting draws from a quarter as many names as there are words, with the same falling frequencies.
func (w *writer) setting() string { return w.v.settings[w.zipf.Uint64()%settingsSize] }

// line returns one line of text.
func (w *writer) line() []byte {
	var line []byte
	for len(line) < lineWidth/2 {
		line = append(append(line, w.word()...), ' ')
	}
	line[len(line)-1] = '\n'
	return line
}

// mail returns a letter of the given size: a few headers, then paragraphs.
func (w *writer) mail(size int) []byte {
	text := make([]byte, 0, size+2*lineWidth)
	address := func() string { return w.word() + "." + w.word() + "@" + w.word() + ".example" }
	day, second := 1+w.rng.IntN(28), w.rng.IntN(86400)
	text = fmt.Appendf(text, "Received: from %s by mail.example with ESMTP id %08x\n", w.word(), w.rng.Uint32())
	text = fmt.Appendf(text, "From: %s\nTo: %s\nSubject: %s %s %s\n", address(), address(), w.word(), w.word(), w.word())
	text = fmt.Appendf(text, "Date: %d Feb 2024 %02d:%02d:%02d +0000\nMessage-ID: <%016x@mail.example>\n\n",
		day, second/3600, second/60%60, second%60, w.rng.Uint64())
	column := 0
	for len(text) < size {
		word := w.word()
		switch {
		case w.rng.IntN(90) == 0:
			text, column = append(text, ".\n\n"...), 0
		case column+len(word) > lineWidth:
			text, column = append(text, '\n'), 0
		case column > 0:
			text, column = append(text, ' '), column+1
		}
		text, column = append(text, word...), column+len(word)
	}
	return text[:size]
}

// config returns a configuration file of the given size: sections, comments, settings with words or numbers.
func (w *writer) config(size int) []byte {
	text := make([]byte, 0, size+2*lineWidth)
	for len(text) < size {
		switch w.rng.IntN(10) {
		case 0:
			text = fmt.Appendf(text, "\n[%s]\n", w.word())
		case 1:
			text = fmt.Appendf(text, "# %s", w.line())
		case 2, 3, 4:
			text = fmt.Appendf(text, "%s = %d\n", w.setting(), w.rng.IntN(1<<w.rng.IntN(17)))
		default:
			text = fmt.Appendf(text, "%s = %s %s\n", w.setting(), w.word(), w.word())
		}
	}
	return text[:size]
}

// records returns a table of fixed-size records of which a bit less than half is predictable.
func records(rng *rand.Rand, words *vocabulary, size int) []byte {
	le := binary.LittleEndian
	data := make([]byte, 0, size+recordSize)
	counter, clock := rng.Uint32(), uint64(1_700_000_000_000)+rng.Uint64N(1<<34)
	first, second := rng.Uint32N(1<<16), rng.Uint32N(1<<16)
	for len(data) < size {
		counter++
		clock += 1000 + rng.Uint64N(64)
		first, second = first+rng.Uint32N(256)-128, second+rng.Uint32N(64)-32
		data = le.AppendUint32(data, 0x5245_4331)
		data = le.AppendUint32(data, counter)
		data = le.AppendUint64(data, clock)
		data = le.AppendUint32(data, first)
		data = le.AppendUint32(data, second)
		data = le.AppendUint64(data, rng.Uint64())
		var name [16]byte
		copy(name[:], words.words[rng.IntN(256)])
		data = append(data, name[:]...)
	}
	return data[:size]
}
