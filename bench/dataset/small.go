package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	smallFiles  = 50_000
	smallPerDir = 100
	smallMin    = 1 << 10
	smallMax    = 4 << 10
)

// sorts are what directories hold in turn: each one letters, tables or configuration only, as people keep them.
var sorts = [...]string{"eml", "dat", "conf", "dat"}

// sortOf returns what file i is.
func sortOf(i int) string { return sorts[i/smallPerDir%len(sorts)] }

// smallPath spreads the files over directories of a hundred, three levels deep.
func smallPath(dir string, i int) string {
	leaf := i / smallPerDir
	return filepath.Join(dir, fmt.Sprintf("host%02d", leaf/100), fmt.Sprintf("area%02d", leaf/10%10),
		fmt.Sprintf("box%d", leaf%10), fmt.Sprintf("%05d.%s", i, sortOf(i)))
}

// smallContent draws the content of file i; another purpose gives another content.
func (s Set) smallContent(words *vocabulary, purpose string, i int) []byte {
	src := s.source(purpose, i)
	rng := rand.New(src)
	size := smallMin + rng.IntN(smallMax-smallMin+1)
	switch sortOf(i) {
	case "eml":
		return words.writer(src).mail(size)
	case "conf":
		return words.writer(src).config(size)
	default:
		return records(rng, words, size)
	}
}

func (s Set) makeSmall(ctx context.Context, dir string) error {
	words := newVocabulary(s.source("words", 0))
	for i := range s.scaled(smallFiles) {
		path := smallPath(dir, i)
		if i%smallPerDir == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
		}
		if err := writeFile(path, s.smallContent(words, "file", i), minutesAfter(madeAt, i)); err != nil {
			return err
		}
	}
	return dateDirectories(dir)
}

// changeSmall writes 1 % of the files anew.
func (s Set) changeSmall(ctx context.Context, dir string) error {
	words := newVocabulary(s.source("words", 0))
	count := s.scaled(smallFiles)
	rng := rand.New(s.source("change", 0))
	for n, i := range rng.Perm(count)[:max(1, count/100)] {
		if err := writeFile(smallPath(dir, i), s.smallContent(words, "change", i), minutesAfter(changedAt, n)); err != nil {
			return err
		}
	}
	return ctx.Err()
}
