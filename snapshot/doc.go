// Package snapshot holds the nouns of keeping snapshots: what is recorded about one, how people name one, and the
// errors of looking one up.
//
// A snapshot itself is a root block and what hangs from it (package venti); a Snapshot is the line about it in its
// owner's catalog. Names are resolved by pure functions over such a list.
//
// Read next, in this order: vac (files and directories as streams of entries), archive (a file system into a
// snapshot), restore and mount (and back), catalog (the owner's list, and the signed head that recovers it), retain
// (which snapshots to keep).
//
// The package imports the standard library and venti only, and nothing in it does I/O.
package snapshot
