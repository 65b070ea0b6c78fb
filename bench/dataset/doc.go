// Package dataset makes the file trees that the benchmarks back up, and the small change that a day of work makes to
// each of them.
//
// Everything is drawn from a seed: the same Set gives the same names, contents and modification times on every
// machine, so figures taken in different places speak of the same bytes (Go alone depends on the Go release that is
// installed). Files are written one at a time through small buffers, whatever the size of the set.
//
// Sets, each hard for a backup program in its own way:
//
//   - Go is a copy of the installed Go tree, about 15,000 files and 240 MB: source text that compresses well, a few
//     large binaries, deep directories. Its change inserts a line of text into 1 % of the files (of those up to 1 MiB,
//     in place, as an editor that keeps the inode would), adds a tenth as many new files and removes as many.
//
//   - Noise is 8 files of 128 MiB which neither compress nor repeat: photographs, films, archives. Its change
//     overwrites 160 stretches of 64 KiB at random places, together 1 % of the bytes, and inserts one byte at the front
//     of one file, which moves every block boundary of a program that cuts at fixed offsets.
//
//   - Small is 50,000 files of 1 to 4 KiB, 128 MB, in 500 directories three levels deep; a directory holds files of one
//     sort. A quarter are letters: headers, words whose frequencies follow Zipf's law, one of 400 signatures. A quarter
//     are configuration files made from 48 templates, with a third of the settings changed. Half are tables of 48-byte
//     records with a counter, a clock, readings, a name and four random bytes. Any one file compresses to 0.5 or 0.6 of
//     its size (zstd, default level); a mebibyte of letters to 0.36, of configuration to 0.23, of tables to 0.46. No two
//     files are the same. Its change rewrites 500 files anywhere in the tree.
//
//   - Thumbs is 20,000 files of 8 KiB, 164 MB, in 200 directories: small pictures, which neither compress nor repeat.
//     Its change rewrites 200 files anywhere in the tree. It is for package swarm's benchmark alone.
//
// Changed files get a modification time of their own, so that every program notices them.
package dataset
