// Package tree turns a stream of bytes into a hash tree of sealed blocks, and back.
//
// A stream is cut into leaves where its content says so (FastCDC), so that the same bytes give the same leaves in every
// stream. Pointer blocks hold one row (ref, length) for each leaf, and are cut by content as well: a byte inserted at
// the front of a stream of any length changes a leaf or two and one pointer block a level. Zeros and holes are a length
// without a ref and cost no block. FORMAT.md has the layout.
//
// A Sink is the way in: many Writers share its workers, which seal and store leaves while the Writers cut the next
// ones. A Source is the way out: it fetches, opens and caches blocks for any number of Readers. Walk visits the blocks
// of a stream; check, copy and garbage collection are built on it.
//
// Memory: a Writer holds one leaf that is being filled, and a Sink at most its number of workers plus a queue of the
// same length; a Source holds its cache, and a Stream a few leaves of readahead.
package tree
