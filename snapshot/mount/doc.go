// Package mount shows snapshots as a read-only file system, through FUSE.
//
// A mount shows either one snapshot, or a directory of one, or all of a list in the folders of package layout:
//
//	latest/                     the newest snapshot that is no share
//	ids/SCORE/                  every snapshot by its score
//	dates/YYYY/MM/DD/hhmm/      and by the time when its walk began, as Plan 9's dump has it; a second one of the same
//	                            minute is hhmm.1
//	hosts/HOST/                 latest, ids and dates of one machine
//
// # What is cached
//
// What is in a snapshot never changes, so the kernel is told to keep names, absences of names, attributes, listings,
// link targets and contents for as long as it likes, and not to ask when a file is opened. Only the folders above the
// snapshots change: the kernel asks for their names anew after a second, and the list is read again when it is older
// than that. Nothing that failed is kept anywhere: what is unavailable now gives EIO now, and is asked for again next
// time.
//
// # Who is who
//
// The kernel names files by numbers that this package gives out. A directory gets a serial number when the kernel first
// meets it and keeps it until the kernel forgets the directory and everything in it; a file is the serial number of its
// directory and the index of its entry. So the memory in use depends on the directories that the kernel remembers and
// not on the files, and a file needs no entry in any table. Serial numbers are not used twice.
//
// Inode numbers, which people see, are another matter: they are the same in every mount. Each directory and file has a
// name of 16 bytes, hashed from the name of its parent and its own, beginning with the snapshot's score; hard links are
// named by the device and inode that they had. The inode number is made of 62 of its bits. A file therefore has the
// same number in latest and in ids, and equal numbers in two snapshots are as unlikely as a collision of that length.
//
// # Reading
//
// A small file is a part of a block that it shares, and the blocks used last are kept plain (tree.Source), so that
// reading many small files in order opens each block once. Of a large file the leaves behind a reader that goes
// forwards are fetched ahead. Both are bounded: by the cache of the source, by how many fetches run at once, and by the
// time that a read may take.
//
// A store is asked for blocks without any session or claim: a snapshot that is forgotten and pruned while it is mounted
// gives EIO from then on, and keeps nobody from pruning.
//
// The protocol is that of linux/fuse.h as github.com/hanwen/go-fuse speaks it; only this package imports it.
package mount
