package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
)

// SeedVariable is the environment variable that, if set, takes the place of Config.Seed: to run again what failed.
const SeedVariable = "VDH_SIM_SEED"

// A Config says what swarm to simulate. Members is needed.
type Config struct {
	// Members is how many there are in the beginning; Swarm.Join adds others.
	Members int

	// Seed decides keys, data and which packets are lost. SeedVariable takes its place.
	Seed uint64

	// Latency is how long a packet takes from one member to another, one way, when the links are idle. Zero means 20 ms.
	Latency time.Duration

	// BitsPerSecond is what the link of each member carries, in each direction. Zero means 100 Mbit/s.
	BitsPerSecond int

	// Domain names the failure domain of member i. Nil gives each member a site of its own.
	Domain func(i int) string

	// Capacity is how many bytes each member lends. Zero means 256 MiB.
	Capacity int64

	// Manifest is what the swarm agrees on; it is signed here. Nil means five nines of members that answer nine times of
	// ten.
	Manifest *member.Manifest

	// Upkeep says how members keep what they hold. The zero value has a swarm's own times, of which little happens in the
	// minutes that most tests take.
	Upkeep node.Upkeep

	// Log hears all members. Nil discards.
	Log *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Members < 1:
		return errors.New("sim: Members is to be 1 or more")
	case c.Latency < 0 || c.BitsPerSecond < 0 || c.Capacity < 0:
		return errors.New("sim: Latency, BitsPerSecond and Capacity cannot be negative")
	}
	return nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Latency == 0 {
		c.Latency = 20 * time.Millisecond
	}
	if c.BitsPerSecond == 0 {
		c.BitsPerSecond = 100_000_000
	}
	if c.Domain == nil {
		c.Domain = func(i int) string { return fmt.Sprintf("site%d/host", i) }
	}
	if c.Capacity == 0 {
		c.Capacity = 256 << 20
	}
	if c.Manifest == nil {
		c.Manifest = &member.Manifest{Name: "sim", MilliNines: 5000, Availability: 900_000}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if text := os.Getenv(SeedVariable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return c, fmt.Errorf("sim: %s is %q, want a number", SeedVariable, text)
		}
		c.Seed = seed
	}
	return c, nil
}
