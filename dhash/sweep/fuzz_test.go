package sweep_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"ventidhash/dhash/sweep"
)

// Whatever comes, it is refused or answered, and what is answered has one encoding.
func FuzzRespond(f *testing.F) {
	points := listOf(pile(random(1), 500))
	salt := sweep.Salt([]byte("salt of 16 bytes"))
	set := sweep.NewSet(salt, 0, top, points, func(i int) bool { return i%3 > 0 })
	for _, r := range vectors(f) {
		if r.Value("query") != "" {
			f.Add(r.Bytes(f, "query"))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		answer, err := sweep.Respond(set, message)
		if err != nil {
			if !errors.Is(err, sweep.ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		if len(answer) > sweep.MaxMessage {
			t.Fatalf("an answer of %d bytes", len(answer))
		}
		if again, err := sweep.Reencode(message); err != nil || !bytes.Equal(again, message) {
			t.Fatalf("%x is read as %x, %v", message, again, err)
		}
	})
}

// Whatever is answered, the session ends.
func FuzzTake(f *testing.F) {
	for _, r := range vectors(f) {
		for _, line := range r.Vector {
			if line.Word == "answer" {
				f.Add(r.Bytes(f, "answer"), 100)
				break
			}
		}
	}
	points := listOf(pile(random(1), 2000))
	f.Fuzz(func(t *testing.T, answers []byte, length int) {
		length = max(1, min(length, len(answers)))
		s := sweep.NewSession(sweep.NewSet(saltOf(1), 0, top, points, nil))
		rounds := 0
		for m := s.Next(); m != nil; m = s.Next() {
			if rounds++; rounds > 100 || len(m) > sweep.MaxMessage {
				t.Fatalf("message %d of %d bytes", rounds, len(m))
			}
			n := min(length, len(answers))
			if err := s.Take(answers[:n]); err != nil {
				if !errors.Is(err, sweep.ErrMessage) && !errors.Is(err, sweep.ErrRounds) {
					t.Fatal(err)
				}
				return
			}
			answers = answers[n:]
		}
	})
}

// The cursor's file has one encoding.
func FuzzCursor(f *testing.F) {
	f.Add(sweep.EncodeCursor(5, time.Unix(1e9, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		position, due, err := sweep.ParseCursor(b)
		if err == nil && !bytes.Equal(sweep.EncodeCursor(position, due), b) {
			t.Fatalf("%x", b)
		}
	})
}
