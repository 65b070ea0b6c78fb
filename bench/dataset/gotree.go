package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// editLimit is the size up to which a file of the Go tree counts as something that people edit.
const editLimit = 1 << 20

// goTree returns the tree to copy.
func (s Set) goTree(ctx context.Context) (string, error) {
	if s.Source != "" {
		return filepath.EvalSymlinks(s.Source)
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("dataset: go env GOROOT: %w", err)
	}
	return filepath.EvalSymlinks(strings.TrimSpace(string(out)))
}

// makeGo copies the Go tree with modes and modification times. A shrunken set keeps all directories and some files.
func (s Set) makeGo(ctx context.Context, dir string) error {
	root, err := s.goTree(ctx)
	if err != nil {
		return err
	}
	type dated struct {
		path  string
		mtime time.Time
	}
	var directories []dated
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(dir, strings.TrimPrefix(path, root))
		switch {
		case d.IsDir():
			directories = append(directories, dated{target, info.ModTime()})
			return os.MkdirAll(target, info.Mode().Perm()|0o700)
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case !d.Type().IsRegular():
			return nil
		}
		files++
		if files%max(1, s.Shrink) != 0 {
			return ctx.Err()
		}
		return copyFile(path, target, info)
	})
	if err != nil {
		return err
	}
	for _, d := range directories {
		if err := os.Chtimes(d.path, d.mtime, d.mtime); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// copyFile copies content, mode and modification time. The copy can be written to even where the original cannot, as
// in a Go tree that the go command downloaded.
func copyFile(from, to string, info fs.FileInfo) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// changeGo edits 1 % of the files, removes a tenth as many and adds as many new ones.
func (s Set) changeGo(ctx context.Context, dir string) error {
	files, err := regularFiles(dir, editLimit)
	if err != nil {
		return err
	}
	src := s.source("change", 0)
	rng := rand.New(src)
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	edits := max(1, len(files)/100)
	moves := max(1, edits/10)
	if len(files) < edits+2*moves {
		return fmt.Errorf("dataset: %d files in %s are too few to change", len(files), dir)
	}
	words := newVocabulary(s.source("words", 0))
	text := words.writer(src)
	for i, path := range files[:edits] {
		if err := insertLine(path, text.line(), rng, minutesAfter(changedAt, i)); err != nil {
			return err
		}
	}
	for _, path := range files[edits : edits+moves] {
		if err := os.Remove(path); err != nil {
			return err
		}
		if err := os.Chtimes(filepath.Dir(path), changedAt, changedAt); err != nil {
			return err
		}
	}
	for i, beside := range files[edits+moves : edits+2*moves] {
		path := fmt.Sprintf("%s.new%d", beside, i)
		if err := writeFile(path, text.mail(1024+rng.IntN(15<<10)), minutesAfter(changedAt, i)); err != nil {
			return err
		}
		if err := os.Chtimes(filepath.Dir(path), changedAt, changedAt); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// insertLine puts a line into a file, before some line of it.
func insertLine(path string, line []byte, rng *rand.Rand, mtime time.Time) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := rng.IntN(len(data))
	at = bytes.LastIndexByte(data[:at], '\n') + 1
	return writeFile(path, append(data[:at:at], append(line, data[at:]...)...), mtime)
}
