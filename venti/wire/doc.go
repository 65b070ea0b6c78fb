// Package wire is the Venti network protocol: a Client is a venti.Store over a connection, a Server serves one.
//
// It speaks one dialect so far, vdh1, with SHA-256 scores and blocks up to venti.MaxBlock; the shape is that of the
// classic protocol (venti(7)): a version line from each side, then messages of size, type, tag and fields. PROTOCOL.md
// has the bytes.
//
// Nothing is believed: a Client hashes what it reads and compares what it wrote, a Server bounds every length before it
// allocates. The protocol has no authentication; it is for a Unix socket that only its owner can open.
package wire
