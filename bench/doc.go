// Package bench holds whole-system workloads: what this project costs beside the programs that people use today.
// Nothing imports it.
//
// # Comparison
//
//	go run ./bench/compare [-sets go,noise,small] [-runs 3] [-tools vdh,restic,borg] [-dir DIR] [-json FILE]
//
// builds vdh, finds restic, kopia, borg and bup on PATH, and takes each through the same seven steps over each data
// set of package dataset: init, a first backup, a backup with nothing changed, one after a change to 1 % of the data,
// the list of snapshots, a restore of the newest, and a full check that reads all data. A tool's run starts with
// freshly made data and an empty store; the runs alternate (vdh, other, vdh, other), so that a busy minute of the
// machine meets both sides. A full comparison of three runs with three other tools takes about an hour; -shrink 20 makes
// the data smaller, to see in two minutes whether everything works. Without vdh (-tools restic,borg) it measures
// the others alone.
//
// Everything happens in a new folder below -dir, which is removed at the end: about 4 GB, and 1 GB more
// for each time that a tool is taken through a set of many files.
// No tool sees the user's own configuration, cache or stores.
//
// # Reading the tables
//
//   - wall and CPU are seconds; CPU is user and system time of the command and all its descendants.
//   - peak is the largest resident set of any one process among them.
//   - store is what the store's files take from the disk after the step, apparent the sum of their lengths; added is
//     how much more store there is than one step before.
//   - aside is what the tool keeps outside its store: caches, databases, indexes.
//
// Columns of tools are medians over the runs. A column vdh/other is the median over the pairs of our figure divided by
// the other's in the same pair, which is worth more than the quotient of the medians where the machine is shared.
// Source files are read once before each run, and everything is written back to disk before each command, so the page
// cache is warm and nobody pays for somebody else's writes.
//
// Each restore is compared with its source: names, types, sizes, contents, and for vdh modes and modification times.
// Differences are printed below
// the table.
//
// restic runs with repository version 2 and its default compression, kopia with zstd, borg with zstd level 3 instead
// of its default lz4, so that all of them do comparable work. bup compresses with zlib and does not encrypt, and its
// check verifies packs only.
//
// # Aims
//
// When vdh took part, a last table holds what was measured against what was promised, PASS or FAIL in each row; SKIP
// says that one side has no figure, because a program was not there or failed. A step that fails is named below the
// set's table and does not stop the others. The exit status is 0 when every aim was reached, 3 when one was missed or
// vdh failed in a step, 1 when the comparison itself could not be done and 2 for a wrong command line.
//
// # Swarm
//
//	go run ./bench/swarm [-members 24] [-sets noise,go,thumbs,small] [-runs 1] [-scale 1] [-dir DIR]
//
// builds vdh, starts a swarm of members that are processes of this machine and talk over TCP on 127.0.0.1, and measures
// it: members with nothing to do, a start, a backup of one small file, and for each data set, in a swarm of its own, a
// backup by a client process, a restore to an empty folder, and a restore after 30 % of the members were killed. With the
// noise it does both also while a member hangs (SIGSTOP). Each restore is compared with its source, attributes included.
// Go's tree is also kept in a store of this machine, for the ratio. With the 50,000 small files it measures nights in which
// nothing changed: vdh run, with a store of this machine and with the swarm. What it needs is about 10 GB and five minutes;
// -scale 0.05 shows in two whether everything works.
//
// All members share this machine's processors and its disk with the client, so that a speed says what the whole swarm
// costs, and no member of a real one is as slow. CPU is user and system time of the client and of all members together,
// for each GiB of files; it is what to look at where the machine is shared. "disks, of n/k · sealed" is how many bytes
// the backup has added to all members' disks, indices and logs included, over the bytes that were sealed times the
// code's n/k. The exit status is that of the comparison.
//
// # Keep
//
//	go run ./bench/keep [-members 24] [-scale 0.1] [-only replaced,away,rot,lost,idle] [-readers 1] [-rate 4MiB] [-dir DIR]
//
// builds vdh, and shows with swarms of processes, each member at another port of 127.0.0.1, that a swarm keeps itself. Its
// members do in seconds what others do in hours: they sweep every 3 s, and one that is silent for 15 s is gone (a minute
// where something is to happen before that; both a minute where much is lost). All blocks have code 8/20, vital ones 4/20. What it needs is about 3 GB and
// seven minutes with -scale 0.05; -scale 1 is all of Go's tree, and snapshots of noise that let each member hold 1 GiB, for
// which 45 GB of disk are needed.
//
//   - replaced: one member is killed every -pause and an empty one joins, until all have been replaced. With a larger tree
//     than repair can copy in the pause blocks get lost; that is the rate of loss which the swarm withstands.
//   - away: 30 % are killed at once, and come back half a grace period later. Nothing may be made meanwhile, and all
//     fragments are to count again afterwards.
//   - rot: in each of -rounds bits flip anywhere in all members' segments while these run, a bit in 512 KiB; all is
//     scrubbed, swept and repaired.
//   - lost: five members are lost for good and five empty ones join. Five, because a block is repaired when four of its
//     fragments are gone: one member alone costs nothing until three others have followed, and one reading of a block then
//     makes up for all. The figures for a member that held 1 GiB are a fifth of those for five, in proportion; bytes written
//     are also those that are handed to members that should hold them. A restore is timed while repairs go on at -rate, and
//     again when all is quiet.
//   - idle: bytes and processor time of sweeping, and what they come to for a million keys in a round of six hours. Bytes are
//     those of a region in which nothing differs, times the regions. Processor time is taken to grow with the keys, though
//     most of it here is that of asking 23 others about few: it is an upper bound.
//
// During the first two a client reads random blocks of its own, -readers at once. "N of M failed; at 95 % fewer than" is the upper limit of a
// confidence interval: 3/M if none failed. Each line with an aim ends in pass or FAIL; the exit status is that of the
// comparison.
//
// # Mount
//
//	go run ./bench/mount [-runs 3] [-shrink 1] [-dir DIR]
//
// builds vdh, finds restic and borg on PATH, lets each keep Go's tree, the 50,000 small files and a file of 128 MiB of noise
// in stores of their own, and measures their mounts, in turn and each time on a new mount: how long it takes from the start
// of the program until the folder that was kept can be listed; find, find once more, and find with a look at each file's
// size; reading all small files; reading the large one, beside vdh cat. Figures are medians, peak is the largest resident
// set of the program that serves the mount. The aims are those of the last column: the first list within 0.3 s, at least as
// fast as the faster of the others, the large file at 80 % of vdh cat's rate or more, within 256 MiB. The exit status is
// that of the comparison.
package bench
