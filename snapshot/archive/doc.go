// Package archive walks a file system into a snapshot.
//
// # What is read
//
// The walk goes through every directory in order of name and looks at each file once (lstat). Where the parent
// snapshot has an entry at the same path with equal type, size, mtime, ctime, inode, mode and owner, the file is
// unchanged: its record is reused as it is and the file is not opened. Everything else is read. Content that is stored
// already, anywhere, is found by its hash in a local cache (Known) and costs no block; where the cache is lost, large
// files still cost nothing, since equal leaves have equal scores, and of what was restored the cache learns the small ones
// (Known.Learn).
//
// # What cannot be missed
//
//   - An mtime that was set back, or a size that came back: any write moves ctime, which no call can set.
//   - An inode that was reused: its ctime is that of its new file, and the inode number is compared as well.
//   - A file written again in the same tick of the clock in which the last run read it: an entry is trusted only if its
//     ctime is at least two seconds older than the lowest reading of the clock during that run (Root.Floor). Younger
//     ones are read again, once.
//   - A clock that jumped back while a run was under way lowers that run's floor; one that jumped between runs gives
//     files written since a ctime that differs from the recorded one, or one above the floor. A file from the future is
//     read each time until the clock has passed it.
//   - A file that changes while it is read: it is compared with itself after the last byte, reported, and recorded with
//     the times it had before, so that the next run reads it again.
//
// What can be missed: a write through a memory map that the kernel has not yet accounted for at the time of the walk
// (the next run sees it); a network file system whose server's clock is far behind and coarse; and a disk changed under
// a file system's feet. Config.Force reads everything.
//
// # How it is stored
//
// Small files that are new are gathered in the order of the walk, some megabytes at a time, and fill shared blocks of
// almost 4 MiB in the order of their names' endings, since like compresses like. A shared block of which the parent
// snapshot used less than half is left behind: its files count as changed, are read from the disk and go into new blocks.
// That is all the compaction there is.
//
// # How it runs
//
//	walk → readers → pack → assemble
//	          ↘ tree.Sink (cut, seal, store) ↗
//
// The walk compares and hands files to a few readers; pack gathers small contents and puts them into shared blocks;
// assemble waits for what a record needs and writes the directories. All queues are bounded by the constants in
// archive.go. A record may wait for a batch that is not full yet: when the queue in front of the assembler is full for that
// reason, the batch is closed early.
package archive
