package head

// BreakFile closes the shelf's file behind its back, so that the next write fails.
func BreakFile(s *Shelf) { s.file.Close() }
