// Package equal says in what two trees of files differ: a tree, and what was restored of it.
//
// Compared are names, types, permissions, owners, modification times to the nanosecond, sizes, targets of links, which
// names are one file (hard links), numbers of devices, extended attributes with access control lists, and every byte of
// every file. Not compared is what no restore can give: times of access and of change, inode numbers; nor where a
// sparse file has its holes, which no reader sees.
//
// It reads both trees from the disk and knows nothing of snapshots, so that it can bear witness about a restore.
package equal
