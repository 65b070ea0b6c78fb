package dataset

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	thumbFiles  = 20_000
	thumbSize   = 8 << 10
	thumbPerDir = 100
)

func thumbPath(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("album%03d", i/thumbPerDir), fmt.Sprintf("%05d.jpg", i))
}

func (s Set) makeThumbs(ctx context.Context, dir string) error {
	content := make([]byte, thumbSize)
	noise := s.noise("file", 0)
	for i := range s.scaled(thumbFiles) {
		if i%thumbPerDir == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(thumbPath(dir, i)), 0o755); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(noise, content); err != nil {
			return err
		}
		if err := writeFile(thumbPath(dir, i), content, minutesAfter(madeAt, i)); err != nil {
			return err
		}
	}
	return dateDirectories(dir)
}

// changeThumbs writes 1 % of the files anew.
func (s Set) changeThumbs(ctx context.Context, dir string) error {
	content := make([]byte, thumbSize)
	noise := s.noise("change", 0)
	count := s.scaled(thumbFiles)
	for n, i := range rand.New(s.source("change", 0)).Perm(count)[:max(1, count/100)] {
		if _, err := io.ReadFull(noise, content); err != nil {
			return err
		}
		if err := writeFile(thumbPath(dir, i), content, minutesAfter(changedAt, n)); err != nil {
			return err
		}
	}
	return ctx.Err()
}
