// Package web shows snapshots over HTTP, for machines without FUSE: to a browser, to whoever gets a file by its address,
// and to file managers that speak WebDAV (RFC 4918), class 1. Nothing can be changed through it.
//
// It shows either one snapshot, or all of a list in the folders of package layout. A GET of a directory is a page that
// lists it, of a file its bytes, also in ranges (RFC 9110). The ETag of a file is made of what names its content in the
// archive, so it is the same in every snapshot that has the same content. PROPFIND lists a directory, one level at a time.
// Symbolic links are followed where they lead to something in their snapshot, an absolute one from its top. What is
// neither file nor directory is listed, and cannot be opened.
//
// # Who may look
//
// With a Login every request must bring it (RFC 7617), and what it brings is compared in a time that says nothing. Without
// one the server answers only requests that name this machine as the host, localhost or an address of the loopback: a page
// of somebody else, opened in a browser on this machine, may have its own name resolve to 127.0.0.1 and would else read
// the archive. Files are sandboxed by the browser (Content-Security-Policy), so that an HTML file from the archive runs no
// script that could read the rest.
//
// # Bounds
//
// A path is taken apart into names; one that has an empty name, . or .. is refused, so nothing but the snapshots can be
// reached. Bodies of requests are at most 64 KiB. A client has a minute to take each part of an answer. What is
// unavailable now is answered with 503 and nothing of it is kept; of an answer that has begun, the connection breaks off
// before its end.
package web
