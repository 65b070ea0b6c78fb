package member

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

const (
	rosterMagic   = "vdh roster\n"
	rosterVersion = 1
)

var errRosterFile = errors.New("damaged, or another swarm's")

// maxFile bounds the length of a roster's file.
func (r *Roster) maxFile() int {
	return 128 + r.cfg.Members*(MaxRecord+16) + r.uses.limit*64
}

// Save writes the roster to its file, if there is one and something changed. The file is replaced in one step.
func (r *Roster) Save() error {
	r.mu.Lock()
	dirty := r.dirty && r.cfg.File != ""
	r.dirty = false
	var b []byte
	if dirty {
		b = r.encode()
	}
	r.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := writeFile(r.cfg.File, b); err != nil {
		r.mu.Lock()
		r.dirty = true
		r.mu.Unlock()
		return fmt.Errorf("save the roster: %w", err)
	}
	return nil
}

// encode returns the file's content. mu is held.
func (r *Roster) encode() []byte {
	r.sort()
	b := append([]byte(rosterMagic), rosterVersion)
	b = append(b, r.swarm[:]...)
	b = venti.AppendUint(b, uint64(len(r.sorted)))
	for _, e := range r.sorted {
		b = venti.AppendSeconds(b, e.seen)
		b = venti.AppendBytes(b, e.raw)
	}
	b = venti.AppendUint(b, uint64(r.uses.total))
	r.uses.each(func(delegation, subject PublicKey) {
		b = append(b, delegation[:]...)
		b = append(b, subject[:]...)
	})
	sum := blake3.Sum256(b)
	return append(b, sum[:]...)
}

// writeFile replaces a file in one step.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".roster-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// load reads the file into a roster that is empty. A missing file is no error. Records that are not good any more are
// left out.
func (r *Roster) load(now time.Time) error {
	if r.cfg.File == "" {
		return nil
	}
	f, err := os.Open(r.cfg.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(r.maxFile())+1))
	if err != nil {
		return err
	}
	if len(b) < 32 || len(b) > r.maxFile() {
		return fmt.Errorf("%w: %d bytes", errRosterFile, len(b))
	}
	body, sum := b[:len(b)-32], [32]byte(b[len(b)-32:])
	if blake3.Sum256(body) != sum {
		return fmt.Errorf("%w: its hash is wrong", errRosterFile)
	}
	return r.decode(body, now)
}

func (r *Roster) decode(body []byte, now time.Time) error {
	d := venti.NewDecoder(body)
	if string(d.Fixed(len(rosterMagic))) != rosterMagic {
		d.Fail(errRosterFile)
	}
	decodeVersion(d, rosterVersion)
	if SwarmID(d.Fixed(len(SwarmID{}))) != r.swarm {
		d.Fail(errRosterFile)
	}
	type saved struct {
		seen time.Time
		raw  []byte
	}
	var all []saved
	for range d.Uint(uint64(r.cfg.Members)) {
		all = append(all, saved{d.Seconds(), append([]byte(nil), d.Bytes(MaxRecord)...)})
		if d.Err() != nil {
			break
		}
	}
	uses := useLedger{limit: r.uses.limit}
	for range d.Uint(uint64(min(r.uses.limit, d.Len()/64))) {
		uses.note(decodeKey(d), decodeKey(d))
	}
	if err := d.Finish(); err != nil {
		return err
	}
	r.uses = uses
	for _, s := range all {
		rec, added, err := r.add(s.raw, now, 0)
		if err != nil || !added {
			continue // banned, expired or forgotten since
		}
		e := r.entries[rec.ID()]
		if !s.seen.After(now) {
			e.seen = s.seen
		}
		e.accepted = time.Time{}
	}
	return nil
}
