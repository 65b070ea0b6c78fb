package retain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxSpan bounds each number of a Span, so that no sum of them leaves the calendar.
const maxSpan = 100_000

// A Span is a time by the calendar: a month is as long as the month is, a day goes to the same time of the day before.
type Span struct{ Years, Months, Weeks, Days, Hours int }

// spanUnits are the letters of a Span, in the order in which they are written.
const spanUnits = "ymwdh"

// fields returns the numbers in the order of spanUnits.
func (s *Span) fields() [len(spanUnits)]*int {
	return [...]*int{&s.Years, &s.Months, &s.Weeks, &s.Days, &s.Hours}
}

// ParseSpan reads a Span: numbers with y, m, w, d or h behind them, the largest unit first, as in 1y6m, 2w or 36h. As in
// restic, m is months.
func ParseSpan(text string) (Span, error) {
	var s Span
	rest, from := text, 0
	for rest != "" {
		i := strings.IndexAny(rest, spanUnits)
		if i < 1 {
			return Span{}, spanError(text)
		}
		unit := strings.IndexByte(spanUnits, rest[i])
		n, err := strconv.ParseUint(rest[:i], 10, 31)
		if err != nil || unit < from || n > maxSpan {
			return Span{}, spanError(text)
		}
		*s.fields()[unit] = int(n)
		rest, from = rest[i+1:], unit+1
	}
	if s == (Span{}) {
		return Span{}, spanError(text)
	}
	return s, nil
}

func spanError(text string) error {
	return fmt.Errorf("%.40q: want a time of years, months, weeks, days or hours, as in 1y6m, 2w, 7d or 36h", text)
}

// String writes s as ParseSpan reads it; nothing for the zero Span.
func (s Span) String() string {
	var b strings.Builder
	for i, n := range s.fields() {
		if *n != 0 {
			fmt.Fprintf(&b, "%d%c", *n, spanUnits[i])
		}
	}
	return b.String()
}

// Before returns the time that lies s before t, by the calendar of t's zone.
func (s Span) Before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -7*s.Weeks-s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}

func (s Span) validate() error {
	for _, n := range s.fields() {
		if *n < 0 || *n > maxSpan {
			return errors.New("keep-within: want numbers from 0 to " + strconv.Itoa(maxSpan))
		}
	}
	return nil
}
