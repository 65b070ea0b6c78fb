// Package restore puts a snapshot, or a part of one, back onto a disk.
//
// One goroutine walks the snapshot's directories in order and makes the directories of the target; a few workers make
// everything else:
//
//  1. A directory is made, or opened where it is there already, relative to its parent's descriptor. It is open to its
//     owner alone while entries go into it.
//  2. Entries go to the workers in batches of one directory. The shared blocks of the batches behind are fetched
//     meanwhile.
//  3. A small file is opened under its own name, written with one call, and given owner, attributes, mode and time, in
//     that order: a change of owner takes capabilities and setuid away, a mode may forbid attributes, and everything
//     moves the time.
//  4. A larger file gets a temporary name until it is complete, and so does everything that replaces something.
//  5. When the last entry of a directory is in, the directory gets its own owner, attributes, mode and time.
//
// Nothing outside the target is ever touched: every call names one component relative to a descriptor and follows no
// link, so that neither what lies in the target nor what the snapshot holds can lead out of it. Paths may be of any
// length for the same reason.
//
// A failure that concerns one file is counted and told to Config.Warn, and the rest is restored. A full disk, and the
// end of the context, stop everything. No file that is not complete stays under its name; only a crash of the machine
// or of the program can leave a small one, and it does not have its modification time then, so that IfChanged does not
// take it for restored. (Measured on ext4, a temporary name and a rename for every small file adds a third to the time
// for fifty thousand of them.)
//
// Tar writes the same as a tar archive.
package restore
