package index

// ReencodeRow, ReencodeMark and ReencodeKey decode and encode again.
func ReencodeRow(b []byte) ([]byte, error) {
	r, err := parseRow(b)
	return appendRow(nil, r), err
}

func ReencodeMark(b []byte) ([]byte, error) {
	m, err := parseMark(b)
	return appendMark(nil, m), err
}

func ReencodeKey(b []byte) ([]byte, error) {
	key, err := parseRowKey(string(b))
	return []byte(rowName(key)), err
}
