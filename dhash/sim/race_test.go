//go:build race

package sim_test

// raced says that the race detector is on, which makes nodes ten times slower.
const raced = true
