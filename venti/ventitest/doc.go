// Package ventitest states the contract of a venti.Store as a test, and holds what tests of all packages share: the simplest
// Store that meets it, and the way to read vectors.
//
// TestStore is run by every Store in this repository, with a function that opens a fresh one. Memory is a Store in
// memory whose blocks a test can damage, drop or make unavailable; what those faults do to a Store built on top is then
// seen through the three errors of package venti.
//
// Vectors reads the golden vectors that lie beside the code which owns the bytes.
//
// Only tests import this package.
package ventitest
