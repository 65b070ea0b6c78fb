package peer

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	smallFrame = 4 << 10   // a message up to this length is sent before longer ones, and with others in one write
	writeChunk = 256 << 10 // bytes of one call

	// A client lets long messages wait for others, up to so many bytes or so long: a member that is woken once for several
	// saves as much again of what waking costs, and more go into one fsync (package fragstore). Measured with 24 members on
	// one machine, fragments of 37 KB: a fifth less of the processor, and none of the rate.
	lingerBytes = 256 << 10
	lingerTime  = 50 * time.Millisecond
)

// A frame is a message on its way out.
type frame struct {
	head    []byte // the message, but for its payload; the sender's
	payload []byte // sent from where it is, until the frame is done or withdrawn

	// done is called once, by the sender or by who withdraws, when the frame is out, or never will be. It must not wait.
	// It may be nil.
	done func(error)

	// The following is protected by sender.mu.
	state    frameState
	lent     bool          // the payload is the caller's
	withdrew chan struct{} // not nil once the frame is withdrawn while it is written; closed when payload is free
	freed    bool          // withdrew is closed
}

type frameState byte

const (
	frameNew frameState = iota
	frameQueued
	frameWriting
	frameDone
)

// A sender writes frames to a stream, from one goroutine: small ones before large ones, else in order; large ones after they
// have waited for others, if linger is set. It does not bound its queue: callers do.
type sender struct {
	stream network.MuxedStream
	stall  time.Duration             // how long the stream may stand still
	linger time.Duration             // how long large frames wait for more
	wrote  func(n int, payload bool) // called when n bytes are out
	wake   chan struct{}             // room for one

	mu    sync.Mutex // protects the following
	small []*frame
	large []*frame
	err   error // why nothing is sent any more
}

func newSender(s network.MuxedStream, stall, linger time.Duration, wrote func(int, bool)) *sender {
	return &sender{stream: s, stall: stall, linger: linger, wrote: wrote, wake: make(chan struct{}, 1)}
}

// push queues a frame. If nothing is sent any more it returns why, and done is not called.
func (s *sender) push(f *frame) error {
	small := len(f.head)+len(f.payload) <= smallFrame
	f.lent = !small && len(f.payload) > 0
	if small {
		f.head, f.payload = append(f.head, f.payload...), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	f.state = frameQueued
	if small {
		s.small = append(s.small, f)
	} else {
		s.large = append(s.large, f)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// withdraw makes sure that the payload of a frame that was pushed is not read any more. A frame that has not begun to go
// out never will, and then withdraw returns true; of one that is being written the rest is copied.
func (s *sender) withdraw(f *frame) bool {
	s.mu.Lock()
	switch {
	case f.state == frameQueued:
		s.small = remove(s.small, f)
		s.large = remove(s.large, f)
		f.state = frameDone
		s.mu.Unlock()
		if f.done != nil {
			f.done(errWithdrawn)
		}
		return true
	case f.state == frameWriting && f.lent:
		if f.withdrew == nil {
			f.withdrew = make(chan struct{})
			s.stream.SetWriteDeadline(longAgo())
		}
		s.mu.Unlock()
		<-f.withdrew
		return false
	}
	s.mu.Unlock()
	return false
}

func remove(q []*frame, f *frame) []*frame {
	if i := slices.Index(q, f); i >= 0 {
		return slices.Delete(q, i, i+1)
	}
	return q
}

// longAgo is a deadline that makes writing stop at once.
func longAgo() time.Time { return time.Unix(1, 0) }

var (
	errWithdrawn = errors.New("not sent: nobody waits for the answer")
	errEnded     = errors.New("the stream is closed")
)

// close makes run return, after what it is writing, and gives up what is queued.
func (s *sender) close(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	dropped := slices.Concat(s.small, s.large)
	s.small, s.large = nil, nil
	for _, f := range dropped {
		f.state = frameDone
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	for _, f := range dropped {
		if f.done != nil {
			f.done(err)
		}
	}
}

// ended returns why nothing is sent any more, or nil.
func (s *sender) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// run sends until the sender is closed, and returns nil, or until writing fails.
func (s *sender) run() error {
	var batch []*frame
	var buf []byte
	for {
		batch = s.next(batch[:0])
		if len(batch) == 0 {
			if s.ended() != nil {
				return nil
			}
			<-s.wake
			s.gather()
			continue
		}
		err := s.send(batch, &buf)
		for i, f := range batch {
			s.finish(f, err)
			batch[i] = nil
		}
		if err != nil {
			s.close(err)
			return err
		}
	}
}

// gather returns when there is something to send that need not wait for more.
func (s *sender) gather() {
	if s.linger == 0 {
		return
	}
	until := time.NewTimer(s.linger)
	defer until.Stop()
	for s.lingers() {
		select {
		case <-s.wake:
		case <-until.C:
			return
		}
	}
}

// lingers reports whether what is queued may wait for more.
func (s *sender) lingers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for _, f := range s.large {
		size += len(f.payload)
	}
	return s.err == nil && len(s.small) == 0 && 0 < size && size < lingerBytes
}

// next takes what is to go out together: small frames, and then at most one that is large.
func (s *sender) next(batch []*frame) []*frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.small), 64)
	batch = append(batch, s.small[:n]...)
	s.small = slices.Delete(s.small, 0, n)
	if len(s.large) > 0 && len(s.small) == 0 {
		batch = append(batch, s.large[0])
		s.large = slices.Delete(s.large, 0, 1)
	}
	for _, f := range batch {
		f.state = frameWriting
	}
	return batch
}

// send writes a batch: everything but a large payload in one write.
func (s *sender) send(batch []*frame, buf *[]byte) error {
	b := (*buf)[:0]
	for _, f := range batch {
		b = append(b, f.head...)
	}
	if *buf = b; cap(b) > 64*smallFrame {
		*buf = nil
	}
	last := batch[len(batch)-1]
	if err := s.write(&b, last); err != nil {
		return err
	}
	return s.write(&last.payload, last)
}

// write writes *b, a part of f or in front of it, and leaves there what is not written. It fails if the stream stands
// still for too long; on a slow line a chunk may take as long as it likes.
func (s *sender) write(b *[]byte, f *frame) error {
	moved := time.Now()
	for len(*b) > 0 {
		s.mu.Lock()
		if f.withdrew != nil && !f.freed {
			f.payload = bytes.Clone(f.payload)
			f.freed = true
			close(f.withdrew)
		}
		s.stream.SetWriteDeadline(time.Now().Add(s.stall / 4))
		s.mu.Unlock()
		n, err := s.stream.Write((*b)[:min(len(*b), writeChunk)])
		if *b = (*b)[n:]; n > 0 {
			moved = time.Now()
			s.wrote(n, b == &f.payload)
		}
		if err == nil {
			continue
		}
		// The deadline may have passed because f was withdrawn.
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || time.Since(moved) >= s.stall {
			return err
		}
	}
	return nil
}

// finish notes that a frame is out, or never will be.
func (s *sender) finish(f *frame, err error) {
	s.mu.Lock()
	f.state = frameDone
	if f.withdrew != nil && !f.freed {
		f.freed = true
		close(f.withdrew)
	}
	s.mu.Unlock()
	if f.done != nil {
		f.done(err)
	}
}
