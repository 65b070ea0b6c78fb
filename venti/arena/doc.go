// Package arena keeps records on a disk: append-only segment files of self-describing records.
//
// A record is a kind, a key of 1 to 64 opaque bytes and up to 8 MiB of data, with checksums. It never changes and never
// spans segments. An append is one write; many callers share one fsync; a read is one pread. What is where, is known to
// whoever kept the Loc that Append returned, and to whoever scans: every segment can be read from its start with
// nothing else at hand, and one damaged byte costs the one record that holds it. FORMAT.md has the bytes.
//
// The package keeps no index, deletes no single record and does not lock its directory: at most one process may have
// an arena open for writing (package disk sees to that).
//
// # Durability
//
// A record is durable once a Sync that began after its Append has returned nil. All segments but the newest two have
// been synced whole; Open treats those two as not yet synced, since a process that was killed may have written to them,
// so a Sync also covers what that process wrote. An fsync that fails is final: the kernel may have dropped the pages,
// so no later Sync of that Arena succeeds and no Append either, until it is opened anew.
//
// # Concurrency
//
// All methods may be called from many goroutines. Appends wait for each other; reads, scans and syncs do not.
package arena
