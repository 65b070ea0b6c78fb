// Package disk is the embedded store: blocks in arenas, and an index in go-datastore (Badger) that finds them.
//
// A Store implements venti.Store for a folder of this machine. Blocks lie in package arena's segments. Package index
// says for each block in which segment and where; it can be thrown away, and is built anew from the arenas when it is
// missing, damaged or older than they are. No block is deleted on the index's word alone, and a block that the index
// names is verified when it is read. FORMAT.md has the folder and the rows.
//
// The package keeps no names and knows no snapshots: what is needed and what is not, its caller says (Trash).
//
// # Many processes, one folder
//
// Badger allows one process. So of the processes that have the folder open, one is the owner: it holds the lock file,
// has arenas and index open, and serves the others, its guests, through a Unix socket in the folder (package wire).
// When the owner closes the store or dies, its guests notice a broken connection; whoever gets the lock first is the new
// owner, the others connect to it, and each begins again what was in flight: all operations can be repeated. What a dead
// owner had acknowledged is in the files, since the page cache outlives a process; the new owner reads the end of the
// arenas again and counts the newest segments as not yet synced. A guest's Sync therefore says the truth across owners.
//
// Own makes this process the owner. The work that needs it (Trash, Reclaim, Verify, Beginning, Stats)
// calls it.
//
// # Sessions, trash and reclaiming
//
// A writer holds a Session, a locked file with a number that is higher than all before it, from before its first Has or
// Put until a catalog names what it wrote. Space is reclaimed in five steps:
//
//  1. Read the catalogs, and mark what their snapshots need.
//  2. Trash: every other block becomes trash, and its row is given a stamp, the number of the next session. While rows
//     are given a stamp no session can begin.
//  3. Settled: see which sessions live.
//  4. Read the catalogs again, and call Has for all that snapshots need which were not there in step 1.
//  5. Reclaim: trash is deleted whose stamp is at most the number of every session that lives.
//
// Why nothing that is needed is deleted. Take a block that a snapshot S needs, written by the writer W. If S was in a
// catalog at step 1, step 2 found the block live. If not, look at the block's stamp.
//
// If W's session has a lower number, it had begun before the block became trash. If it lives at step 3, the stamp is not
// settled. If it had ended by step 3, S was in a catalog by then, so step 4 finds it and its Has takes the block out
// of the trash. (If W died without a catalog naming S, nobody needs S.)
//
// If W's session has that number or a higher one, it began after the block became trash. W named the block in S either
// because it put it, or because Has said that it is there. Put, Has and Get take a block out of the trash before they
// answer. They do so holding the block's lock, as Reclaim does when it looks whether the block is still trash and
// deletes its row: either Reclaim comes second and finds no trash, or it comes first, Has says no, and W stores the
// block again. If Trash ran once more in between, the block got a new stamp, higher than W's number, and W is as in the
// paragraph before.
//
// That a block left the trash is kept in memory at first. If the owner closes the store, it is written. If the owner
// dies, the lock file does not say that it ended well, and the next owner counts all trash as no older than the next
// session at that moment, now and later (the floor in the lock file): nothing is settled that a session then alive may
// rely on. After a power cut no session is alive, and step 2 of the next attempt finds what catalogs need.
//
// A crash at any of these steps does no harm: package index says why. Blocks that were freed may come back, if the index
// has to be built anew, as blocks that nobody needs.
//
// # Durability
//
// A Sync makes the arenas durable, with one fsync for all who wait. Rows are written to the index in batches, after the
// records that they point at were synced, and are never waited for: what the index lacks is read from the arenas at the
// next Open, from where its marks say that it ends.
package disk
