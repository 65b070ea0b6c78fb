// Package wire is the Venti network protocol: Client is a venti.Store, and Server serves one.
//
// Both sides of a connection send a version line at once, agree on a dialect, exchange a hello, and from then on the
// client sends requests and the server answers them in any order, matched by a tag. The one dialect so far is vdh1, our
// own, with scores of 32 bytes and blocks of up to venti.MaxBlock. PROTOCOL.md describes it byte by byte.
//
// What arrives is not trusted. Every length is checked before anything is allocated for it, decoding is strict (a
// message has one encoding only), and whoever breaks the rules loses the connection. The client hashes every block that
// it reads and compares the score of every block that it wrote with its own. There is neither encryption nor
// authentication: use a Unix socket with the right permissions, or a network that is trusted.
//
// A read that is sent after a write was answered sees it, on whatever connection. Requests that are outstanding at the
// same time have no order.
//
// A Client and a Server may be used from many goroutines at once.
package wire
