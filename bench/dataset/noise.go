package dataset

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const (
	noiseFiles = 8
	noiseSize  = 128 << 20
	noiseEdits = 160
	editSize   = 64 << 10
	bufferSize = 256 << 10
)

func noisePath(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("noise%d.bin", i)) }

// noise returns an endless stream of incompressible bytes.
func (s Set) noise(purpose string, index int) *rand.ChaCha8 {
	var key [32]byte
	src := s.source(purpose, index)
	for i := 0; i < len(key); i += 8 {
		binary.LittleEndian.PutUint64(key[i:], src.Uint64())
	}
	return rand.NewChaCha8(key)
}

func (s Set) makeNoise(ctx context.Context, dir string) error {
	size := int64(s.scaled(noiseSize))
	for i := range noiseFiles {
		if err := ctx.Err(); err != nil {
			return err
		}
		content := io.LimitReader(s.noise("file", i), size)
		if err := writeStream(noisePath(dir, i), content, minutesAfter(madeAt, i)); err != nil {
			return err
		}
	}
	return dateDirectories(dir)
}

// changeNoise overwrites stretches anywhere, then pushes one file a byte along.
func (s Set) changeNoise(ctx context.Context, dir string) error {
	size := s.scaled(noiseSize)
	length := min(editSize, size/2)
	rng := rand.New(s.source("change", 0))
	fresh := s.noise("edits", 0)
	buf := make([]byte, length)
	for i := range s.scaled(noiseEdits) {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh.Read(buf) // Read of a ChaCha8 never fails
		path, mtime := noisePath(dir, rng.IntN(noiseFiles)), minutesAfter(changedAt, i)
		if err := overwrite(path, buf, int64(rng.IntN(size-length+1)), mtime); err != nil {
			return err
		}
	}
	return prependByte(noisePath(dir, rng.IntN(noiseFiles)), byte(rng.Uint64()), minutesAfter(changedAt, noiseEdits))
}

// writeStream writes a new file through a small buffer.
func writeStream(path string, content io.Reader, mtime time.Time) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	// The wrapper hides ReadFrom, which would bring a buffer of its own.
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, content, make([]byte, bufferSize)); err != nil {
		w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, mtime, mtime)
}

func overwrite(path string, data []byte, at int64, mtime time.Time) error {
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := w.WriteAt(data, at); err != nil {
		w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, mtime, mtime)
}

// prependByte inserts a byte at the front of a file, moving the rest from the end so that the inode stays.
func prependByte(path string, b byte, mtime time.Time) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, bufferSize)
	for end := info.Size(); end > 0; {
		start := max(0, end-bufferSize)
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return err
		}
		if _, err := f.WriteAt(part, start+1); err != nil {
			return err
		}
		end = start
	}
	if _, err := f.WriteAt([]byte{b}, 0); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, mtime, mtime)
}
