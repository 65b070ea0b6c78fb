package head

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/durable"
)

// spare is how many records the file may have beyond twice as many as there are heads, before it is written anew.
const spare = 256

// load reads the file, and writes it anew if it holds anything that is of no use. mu is held.
func (s *Shelf) load() error {
	f, err := os.Open(s.cfg.File)
	if errors.Is(err, fs.ErrNotExist) {
		return s.rewrite()
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in, b := bufio.NewReaderSize(f, 1<<16), make([]byte, venti.HeadSize)
	bad := 0
	for at := int64(0); ; at += venti.HeadSize {
		n, err := io.ReadFull(in, b)
		if err == io.EOF {
			break
		}
		if err == io.ErrUnexpectedEOF { // a write that a crash has ended, and that nobody was told of
			s.log.Info("the last record of the heads of owners is cut and dropped", slog.Int("bytes", n))
			s.unclean = true
			break
		}
		if err != nil {
			return err
		}
		s.records++
		h, err := venti.ParseHead(b)
		if err != nil {
			if bad++; bad <= 10 {
				s.log.Warn("a damaged head is dropped; it comes back from other members", slog.Int64("offset", at),
					slog.Any("err", err))
			}
			continue
		}
		s.restore(h)
	}
	if s.unclean || bad > 0 || s.records > 2*s.count+spare {
		return s.rewrite()
	}
	s.file, err = os.OpenFile(s.cfg.File, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// restore puts a head that was in the file where it was. mu is held.
func (s *Shelf) restore(h venti.Head) {
	o := dhash.Owner(h.Owner)
	have := s.heads[o]
	if len(have) == 0 && len(s.heads) >= s.cfg.Owners { // a place was given away, and the crash came before it was clean
		s.unclean = true
		other, found := s.least(o, nil)
		if !found {
			return
		}
		s.set(other, nil)
	}
	s.set(o, Apply(have, h, Decide(have, h, h.Time))) // it was not in the future when it came
}

// append writes heads to the end of the file, durably, or leaves it as it was. mu is held.
func (s *Shelf) append(heads []venti.Head) error {
	if s.closed {
		return fmt.Errorf("%w: the shelf is closed", venti.ErrUnavailable)
	}
	if s.file == nil { // something failed before
		if err := s.rewrite(); err != nil {
			return fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
		}
	}
	b := make([]byte, 0, len(heads)*venti.HeadSize)
	for i := range heads {
		b = heads[i].Append(b)
	}
	_, err := s.file.Write(b)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		// Half a record would shift all that come after it.
		if e := s.file.Truncate(int64(s.records) * venti.HeadSize); e != nil {
			s.file.Close()
			s.file = nil
			err = errors.Join(err, e)
		}
		return fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
	}
	s.records += len(heads)
	return nil
}

// tidy writes the file anew when much of it is of no use, or what was dropped is to be gone. mu is held.
func (s *Shelf) tidy() error {
	if !s.unclean && s.records <= 2*s.count+spare {
		return nil
	}
	if err := s.rewrite(); err != nil {
		return fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
	}
	return nil
}

// rewrite makes a file of what is in memory, in one step, and opens it. mu is held.
func (s *Shelf) rewrite() error {
	b := make([]byte, 0, s.count*venti.HeadSize)
	for _, list := range s.heads {
		for i := range list {
			b = list[i].Append(b)
		}
	}
	if s.file != nil {
		s.file.Close() // of the old file, all of which is in the new one
		s.file = nil
	}
	if err := durable.WriteFile(s.cfg.File, b); err != nil {
		return err
	}
	f, err := os.OpenFile(s.cfg.File, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	s.file, s.records, s.unclean = f, s.count, false
	return nil
}
