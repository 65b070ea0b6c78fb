package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"ventidhash/dhash/sim/years"
)

// A spanFlag is a flag that is a time, which may be of days, weeks or years.
type spanFlag time.Duration

// String implements pflag.Value.
func (s *spanFlag) String() string {
	d := time.Duration(*s)
	for _, u := range spanUnits {
		if n := d / u.is; n > 0 && d%u.is == 0 && (u.name != "d" || n > 1) {
			return strconv.FormatInt(int64(n), 10) + u.name
		}
	}
	return d.String()
}

// Type implements pflag.Value.
func (*spanFlag) Type() string { return "time" }

// Set implements pflag.Value.
func (s *spanFlag) Set(text string) error {
	d, err := readSpan(text)
	*s = spanFlag(d)
	return err
}

// spanUnits are those that time.ParseDuration does not have.
var spanUnits = []struct {
	name string
	is   time.Duration
}{{"y", years.Year}, {"w", 7 * years.Day}, {"d", years.Day}, {"h", time.Hour}}

// readSpan reads a time.
func readSpan(text string) (time.Duration, error) {
	for _, u := range spanUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if x, err := strconv.ParseFloat(number, 64); ok && err == nil && x >= 0 && x*float64(u.is) < math.MaxInt64/2 {
			return time.Duration(x * float64(u.is)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("want a time, as in 90m, 24h, 7d, 2w or 1y")
	}
	return d, nil
}

// A bytesFlag is a flag that is a number of bytes.
type bytesFlag int64

// String implements pflag.Value.
func (b *bytesFlag) String() string {
	return strings.ReplaceAll(humanize.IBytes(uint64(max(*b, 0))), " ", "")
}

// Type implements pflag.Value.
func (*bytesFlag) Type() string { return "bytes" }

// Set implements pflag.Value.
func (b *bytesFlag) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return errors.New("want bytes, as in 64K, 1M or 2MiB")
	}
	*b = bytesFlag(n)
	return nil
}

// parseSpan reads a time that is not zero.
func parseSpan(text string) (time.Duration, error) {
	d, err := readSpan(text)
	if err == nil && d == 0 {
		err = errors.New("want more than nothing")
	}
	if err != nil {
		return 0, fmt.Errorf("%q: %w", text, err)
	}
	return d, nil
}

// parseAmount reads a number of bytes.
func parseAmount(text string) (float64, error) {
	var b bytesFlag
	if err := b.Set(text); err != nil {
		return 0, fmt.Errorf("%q: %w", text, err)
	}
	return float64(b), nil
}
