// Package check looks at everything that snapshots need and names what is damaged.
//
// # What is looked at
//
// Every block that any of the snapshots refers to, each once however many snapshots and files share it: roots, tables
// of shared blocks, directories, pointer blocks, contents. Directories and pointer blocks are always fetched, opened and
// parsed, since the walk goes through them. For contents Run asks the store whether it has the block; with ReadData it
// fetches it as well (a Store verifies the score), opens it, compares its length with what refers to it, and compares
// each small file's slice of a shared block with the file's hash, and with Only does so for
// some of them. With Prove neither is done: instead every block, those that are fetched included, is to be proven by
// those who hold it.
//
// # How
//
// The first pass walks the snapshots, the oldest first, and remembers what has been claimed of each block: another use
// that claims the same is passed over, together with all that is below it. Contents are left to a few workers. What
// small files claim of a shared block is gathered until the walk has met as many bytes of it as the snapshot's table
// says are in use, or else to the end, and the block is then read once for all of them.
//
// Only if something was found does a second pass walk all snapshots again, now without remembering, and name each
// path of each snapshot that the damage touches. A directory that turned out whole is not entered again elsewhere.
//
// # What can be relied on
//
// A Report is OK only if the first pass came to its end and found nothing. A cancelled context, or an error that does
// not concern a block, is an error of Run. Missing, unavailable and corrupt blocks are kept apart: Damage.Err wraps
// venti.ErrNotFound, venti.ErrUnavailable or venti.ErrCorrupt. Below a directory that cannot be listed nothing can be
// looked at; the report then names the directory.
//
// # Memory
//
// 40 to 80 bytes for each block, and with ReadData 16 for each small file, but of the latter no more than for 4 million:
// beyond that, what has been gathered is checked and forgotten, and a block may be read a second time. Besides, each
// worker holds one block.
package check
