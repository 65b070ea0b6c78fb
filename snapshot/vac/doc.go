// Package vac is the format of files and directories in an archive, and a snapshot as an fs.FS.
//
// A directory is a stream of records sorted by name, each the metadata of one file (a Dir, Plan 9's word) and where its
// content is. The stream is cut by content into small leaves; a small directory is no stream of its own but lies in
// its parent's record. The content of a large file is a stream of its own. The content of a small one is a slice of a
// block that it shares with other small files. Listing or comparing a tree therefore reads records only, and there is
// no index beside them: the record says where the bytes are. FORMAT.md has the layout.
//
// DirWriter and Entries write and read one directory; Tree opens a snapshot, finds paths, reads files and walks
// everything that a snapshot refers to. Diff compares two snapshots by their entries. Nothing here touches the local file
// system.
//
// What a DirWriter accepts an Entries reads, and the other way round: both check the same rules, so that no snapshot is
// written that cannot be read.
package vac
