package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// jobStateVersion is what the file of a job begins with.
const jobStateVersion = 1

// maxJobState bounds the file of a job in bytes.
const maxJobState = 1 << 20

// A jobState is what is remembered of a job from one run to the next. FORMAT.md has the file.
type jobState struct {
	Version int `json:"version"`

	Began   time.Time `json:"began,omitzero"`   // the last run
	Ended   time.Time `json:"ended,omitzero"`   // before Began while one is under way, or when one was killed
	Success time.Time `json:"success,omitzero"` // the end of the last run with exit code 0
	Code    int       `json:"code"`             // of the last run that ended
	Step    string    `json:"step,omitempty"`   // that failed in it
	Seconds float64   `json:"seconds"`

	Kept *keptSnapshot `json:"kept,omitempty"` // the newest snapshot

	Unfinished time.Time `json:"unfinished,omitzero"` // since when no backup came to its end, be it that one is under way
	Unpruned   bool      `json:"unpruned,omitempty"`  // something was forgotten since the last prune
	Pruned     time.Time `json:"pruned,omitzero"`

	Check checkState `json:"check"`
}

// A keptSnapshot is what a backup of a job came to.
type keptSnapshot struct {
	Score      string    `json:"score"`
	Time       time.Time `json:"time"`
	Store      string    `json:"store"` // "folder" or "swarm"
	Host       string    `json:"host"`
	Paths      []string  `json:"paths"`
	Files      uint64    `json:"files"`
	Bytes      uint64    `json:"bytes"`
	Added      int64     `json:"bytes_added"`
	Read       int64     `json:"bytes_read"`
	Unreadable int64     `json:"unreadable"`
	Seconds    float64   `json:"seconds"`
}

// A checkState says which parts of the contents are to be read next.
type checkState struct {
	Parts int       `json:"parts"`          // in which the contents are divided
	Next  int       `json:"next"`           // from 0 on
	Last  time.Time `json:"last,omitzero"`  // when a part was last read
	First time.Time `json:"first,omitzero"` // when the first part was last read
	Bad   []int     `json:"bad,omitempty"`  // parts in which damage was found, which are read each time until there is none
}

// due returns the parts that are to be read now so that all are read in so many days: those with damage first, then one
// for each day since the last, and one if there never was any.
func (c *checkState) due(now time.Time, days int) []int {
	if c.Parts != days || c.Next < 0 || c.Next >= days {
		*c = checkState{Parts: days}
	}
	c.Bad = slices.DeleteFunc(c.Bad, func(p int) bool { return p < 0 || p >= days })
	n := 1
	if !c.Last.IsZero() && !c.Last.After(now) { // from the future if the clock was wrong
		n = int(min(math.Round(now.Sub(c.Last).Hours()/24), float64(days)))
	}
	out := slices.Clone(c.Bad)
	for i := range n {
		if p := (c.Next + i) % days; !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// done notes that a part was read, and whether it was whole.
func (c *checkState) done(now time.Time, part int, whole bool) {
	c.Bad = slices.DeleteFunc(c.Bad, func(p int) bool { return p == part })
	if !whole {
		c.Bad = append(c.Bad, part)
		slices.Sort(c.Bad)
	}
	if part == c.Next {
		c.Next, c.Last = (c.Next+1)%c.Parts, now
		if part == 0 {
			c.First = now
		}
	}
}

// whole returns since when all contents have been read, and were whole, if with this part they are; else zero. It is to be
// asked before done.
func (c *checkState) whole(now time.Time, part int) time.Time {
	others := slices.ContainsFunc(c.Bad, func(p int) bool { return p != part })
	switch {
	case part != c.Next || part != c.Parts-1 || others:
		return time.Time{}
	case part == 0:
		return now
	}
	return c.First
}

// jobFolder returns the folder of what is remembered of jobs, which it makes.
func jobFolder() (string, error) {
	dir, err := xdg("XDG_STATE_HOME", ".local/state")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "jobs")
	return dir, os.MkdirAll(dir, 0o700)
}

// loadJob returns what is remembered of a job. A file that is missing is nothing; one that is damaged is an error beside
// it, and nothing as well.
func loadJob(dir, name string) (*jobState, error) {
	path := filepath.Join(dir, name+".json")
	empty := &jobState{Version: jobStateVersion}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() > maxJobState {
		return empty, errors.Join(err, fmt.Errorf("%s is too large, and is not believed", path))
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return empty, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	s := &jobState{}
	if err := d.Decode(s); err != nil || s.Version != jobStateVersion || d.More() {
		return empty, fmt.Errorf("%s is not what vdh run writes (version %d), and is not believed: %w", path, s.Version,
			errors.Join(err, errors.New("it is written anew")))
	}
	return s, nil
}

// save writes what is remembered of a job, in one step.
func (s *jobState) save(dir, name string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, name+".json"), append(b, '\n'), 0o600)
}

// replaceFile writes a file beside its place, makes it durable, and moves it there.
func replaceFile(path string, b []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// errRunning says that a job is running already.
var errRunning = errors.New("the job is running already")

// lockFile locks a file until unlock is called or the program ends. If another process has it locked, the error is
// errRunning, unless wait is set.
func lockFile(path string, wait bool) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errRunning
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
