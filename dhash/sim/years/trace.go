package years

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Bounds of a trace file.
const (
	maxTrace = 50_000_000 // events
	maxLine  = 256        // bytes
	maxName  = 64         // bytes of a member's name
	maxTime  = maxYears * Year
)

// ErrTrace says that a trace file is not one. The error around it says in which line and why.
var ErrTrace = errors.New("bad trace")

// header is the first line of a trace file.
const header = "time,member,event"

// ParseTrace reads what happened to a swarm: a file whose first line is
//
//	time,member,event
//
// and each other line one event: whole seconds since the beginning, not before those of the line above; a name of up to
// 64 letters, digits, dots, hyphens and underscores; and up, down or dead. A member's first event is up, or at time 0
// down: those that begin at time 0 are the ones that blocks are stored on, others join later. Nobody is up or down
// twice in a row, and a dead member never comes again. Errors name the line, and wrap ErrTrace unless r failed.
func ParseTrace(r io.Reader) ([]Event, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	p := parser{members: map[string]int32{}}
	for lines.Scan() {
		p.line++
		if err := p.read(lines.Text()); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTrace, p.line, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w: line %d: longer than %d bytes", ErrTrace, p.line+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("read the trace after line %d: %w", p.line, err)
	case p.line == 0:
		return nil, fmt.Errorf("%w: it is empty, want %q in the first line", ErrTrace, header)
	case founders(p.events) == 0:
		return nil, fmt.Errorf("%w: no member is there at time 0", ErrTrace)
	}
	return p.events, nil
}

// A parser has read some lines of a trace.
type parser struct {
	line    int
	events  []Event
	members map[string]int32
	last    []Kind // of each member
}

// kinds are the events by their names.
func kindOf(name string) (Kind, bool) {
	switch name {
	case "up":
		return Up, true
	case "down":
		return Down, true
	case "dead":
		return Dead, true
	}
	return 0, false
}

func (p *parser) read(text string) error {
	if p.line == 1 {
		if text != header {
			return fmt.Errorf("want %q in the first line", header)
		}
		return nil
	}
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return fmt.Errorf("%d fields, want time, member and event", len(fields))
	}
	at, err := parseTime(fields[0])
	if err != nil {
		return err
	}
	if n := len(p.events); n > 0 && at < p.events[n-1].At {
		return fmt.Errorf("time %s is before that of the line above", fields[0])
	}
	if err := checkName(fields[1]); err != nil {
		return err
	}
	kind, ok := kindOf(fields[2])
	if !ok {
		return fmt.Errorf("event %q, want up, down or dead", fields[2])
	}
	if len(p.events) >= maxTrace {
		return fmt.Errorf("more than %d events", maxTrace)
	}
	return p.add(at, fields[1], kind)
}

func parseTime(text string) (time.Duration, error) {
	seconds, err := strconv.ParseUint(text, 10, 40)
	if err != nil || strconv.FormatUint(seconds, 10) != text || seconds > uint64(maxTime/time.Second) {
		return 0, fmt.Errorf("time %q, want whole seconds from 0 to %d", text, maxTime/time.Second)
	}
	return time.Duration(seconds) * time.Second, nil
}

func checkName(name string) error {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("member %q, want 1 to %d letters, digits, dots, hyphens or underscores", name, maxName)
	}
	return nil
}

// add appends an event if it can come after what happened to the member before.
func (p *parser) add(at time.Duration, name string, kind Kind) error {
	m, known := p.members[name]
	if !known {
		if kind != Up && (kind != Down || at > 0) {
			return fmt.Errorf("member %s has not joined: its first event is up, or at time 0 down", name)
		}
		if len(p.last) >= maxMembers {
			return fmt.Errorf("more than %d members", maxMembers)
		}
		m = int32(len(p.last))
		p.members[name] = m
		p.last = append(p.last, Up)
		p.events = append(p.events, Event{at, m, Join})
		if kind == Up {
			return nil
		}
	}
	switch was := p.last[m]; {
	case was == Dead:
		return fmt.Errorf("member %s is dead", name)
	case was == kind:
		return fmt.Errorf("member %s was so before", name)
	}
	p.last[m] = kind
	p.events = append(p.events, Event{at, m, kind})
	return nil
}

// founders returns how many members join at time 0.
func founders(trace []Event) int {
	n := 0
	for _, e := range trace {
		if e.At > 0 {
			break
		}
		if e.Kind == Join {
			n++
		}
	}
	return n
}

// A replay is the source of a trace.
type replay struct {
	events   []Event
	founders int32
}

func (r *replay) peek() (time.Duration, bool) {
	for len(r.events) > 0 && r.events[0].Kind == Join && r.events[0].Member < r.founders {
		r.events = r.events[1:] // they are there already
	}
	if len(r.events) == 0 {
		return 0, false
	}
	return r.events[0].At, true
}

func (r *replay) next() Event {
	r.peek()
	e := r.events[0]
	r.events = r.events[1:]
	return e
}
