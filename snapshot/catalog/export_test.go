package catalog

// What tests of the note of unpublished snapshots need.
var (
	EncodeUnpublished = encodeUnpublished
	DecodeUnpublished = decodeUnpublished
)
