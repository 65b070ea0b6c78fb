package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	vocabularySize = 8192
	people         = 400
	applications   = 48
	zipfOffset     = 4
	lineWidth      = 72
	recordSize     = 48
)

// A vocabulary is what all text of a set has in common: made-up words, the most frequent first; people who write mail
// and sign it; applications whose configuration files start out as the same template everywhere.
type vocabulary struct {
	words     []string
	reach     []uint64 // reach[i] is the weight of words[:i+1]
	people    []person
	templates [][]setting
}

type person struct{ address, signature string }

// A setting is a line of a template. Without a name it is a comment or a section, the same in every file.
type setting struct{ name, value string }

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
	v.weigh()
	w := v.writer(src)
	for range people {
		address := w.word() + "." + w.word() + "@" + w.word() + ".example"
		signature := fmt.Sprintf("\n-- \n%s, %s %s\n%s", address, w.word(), w.word(), w.line())
		v.people = append(v.people, person{address, signature})
	}
	for range applications {
		v.templates = append(v.templates, w.template())
	}
	return v
}

// weigh gives the word of rank r a frequency in proportion to (r+4)^-1.25. Products, quotients and square roots are
// the same on every machine, where a logarithm need not be.
func (v *vocabulary) weigh() {
	total := uint64(0)
	for i := range v.words {
		x := float64(i + zipfOffset)
		total += uint64((1 << 40) / (x * math.Sqrt(math.Sqrt(x))))
		v.reach = append(v.reach, total)
	}
}

// writer returns a source of text in this vocabulary.
func (v *vocabulary) writer(src rand.Source) *writer { return &writer{v: v, rng: rand.New(src)} }

type writer struct {
	v   *vocabulary
	rng *rand.Rand
}

// rank draws the position of a word.
func (w *writer) rank() int {
	at, found := slices.BinarySearch(w.v.reach, w.rng.Uint64N(w.v.reach[vocabularySize-1]))
	if found {
		at++
	}
	return at
}

func (w *writer) word() string { return w.v.words[w.rank()] }

// person draws somebody who writes or gets mail.
func (w *writer) person() person { return w.v.people[w.rank()%people] }

// line returns one line of text.
func (w *writer) line() []byte {
	var line []byte
	for len(line) < lineWidth/2 {
		line = append(append(line, w.word()...), ' ')
	}
	line[len(line)-1] = '\n'
	return line
}

// mail returns a letter of the given size: headers, paragraphs, and a signature when there is room.
func (w *writer) mail(size int) []byte {
	text := make([]byte, 0, size+4*lineWidth)
	from, to := w.person(), w.person()
	day, second := 1+w.rng.IntN(28), w.rng.IntN(86400)
	date := fmt.Sprintf("%d Feb 2024 %02d:%02d:%02d +0000", day, second/3600, second/60%60, second%60)
	text = fmt.Appendf(text, "Return-Path: <%s>\nDelivered-To: %s\n", from.address, to.address)
	text = fmt.Appendf(text, "Received: from mx%d.example by mail.example with ESMTPS id %08x\n\tfor <%s>; %s\n",
		w.rng.IntN(4), w.rng.Uint32(), to.address, date)
	text = fmt.Appendf(text, "From: %s\nTo: %s\nDate: %s\n", from.address, to.address, date)
	text = fmt.Appendf(text, "Subject: %s %s %s\n", w.word(), w.word(), w.word())
	text = fmt.Appendf(text, "Message-ID: <%016x@mail.example>\nMIME-Version: 1.0\n", w.rng.Uint64())
	text = append(text, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"...)
	end := max(len(text), size-len(from.signature))
	column := 0
	for len(text) < end {
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
	return append(text[:end], from.signature...)[:size]
}

// template returns more lines than any one file holds.
func (w *writer) template() []setting {
	var lines []setting
	for size := 0; size < 2*smallMax; {
		var line setting
		switch w.rng.IntN(8) {
		case 0:
			line.value = fmt.Sprintf("\n[%s]\n", w.word())
		case 1:
			line.value = fmt.Sprintf("# %s", w.line())
		case 2, 3, 4:
			line = setting{w.word() + "_" + w.word(), fmt.Sprint(w.rng.IntN(1 << w.rng.IntN(17)))}
		default:
			line = setting{w.word() + "." + w.word(), w.word() + " " + w.word()}
		}
		lines = append(lines, line)
		size += len(line.name) + len(line.value)
	}
	return lines
}

// config returns a configuration file of the given size: the template of some application from the start, with a
// tenth of the settings left out and a third of the others set to something else.
func (w *writer) config(size int) []byte {
	text := make([]byte, 0, size+2*lineWidth)
	template := w.v.templates[w.rng.IntN(applications)]
	for i := 0; len(text) < size; i++ {
		line := template[i%len(template)]
		switch draw := w.rng.IntN(30); {
		case line.name == "":
			text = append(text, line.value...)
		case draw < 3:
		case draw < 12:
			text = fmt.Appendf(text, "%s = %s%d\n", line.name, w.word(), w.rng.IntN(1000))
		default:
			text = fmt.Appendf(text, "%s = %s\n", line.name, line.value)
		}
	}
	return text[:size]
}

// records returns a table of fixed-size records of which about half is predictable.
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
		data = le.AppendUint32(data, rng.Uint32N(10_000))
		data = le.AppendUint32(data, rng.Uint32()) // stands for a checksum
		var name [16]byte
		copy(name[:], words.words[rng.IntN(256)])
		data = append(data, name[:]...)
	}
	return data[:size]
}
