// Package disk is the embedded store: blocks in arenas (package arena), and an index that finds them.
package disk
