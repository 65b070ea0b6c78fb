// Package index finds arena records by key, in rows that can be thrown away.
//
// The records of package arena are the truth; the index says where the record for a key is, and a few bytes more about
// it. Its rows are in go-datastore (Badger). It is built anew from the arenas when it is missing, damaged, another
// store's, or does not fit them, and what it lacks of the newest records is read from them whenever it is opened: for
// each segment a mark says up to where all is in the index. Package disk keeps blocks with it, package dhash/fragstore
// fragments. FORMAT.md has the rows.
//
// Badger is not trusted. One flipped byte in a table of its makes it leave the table out, without an error: Open
// notices, and starts again with an empty index. What is nowhere but in the index (Set, Remove) is therefore what the
// user can do without: that a record was found to be bad, say.
//
// # Writing
//
// Append writes a record and sets the row of its key, in memory at first. Rows are written to Badger in batches, after
// the records that they point at were made durable, and the marks after the rows. Nobody waits for that: a record is
// safe as soon as the arena is synced.
//
// # Compaction
//
// Compact rewrites a segment so: it copies the records to be kept to the newest segment; it syncs the arenas and only
// then lets the index point at the copies; it deletes the rows of the dead and syncs the index; it unlinks the segment.
// Until the unlink every record is where it was, so a crash leaves copies, which are dead weight that the next
// compaction finds. Records whose rows were deleted come back if the index has to be built anew before the unlink. After
// the unlink no row points into the segment; a row that did would say nothing, since Find believes a row only if its
// segment is there, and segment numbers are not given twice.
//
// # Concurrency
//
// A row is changed by whoever holds the lock of its key, from looking at it until after the change (Lock). Reading takes
// no lock. The gate makes sure that a flush never sees a record without its row.
package index
