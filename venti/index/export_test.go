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

// ReencodeGroup decodes and encodes again.
func ReencodeGroup(b []byte) ([]byte, error) {
	x := &Index{cfg: Config{Group: 2}}
	rows := map[string]Row{}
	err := x.unpack(b, func(rest string, r Row, err error) error {
		rows[rest] = r
		return err
	})
	return x.pack(rows), err
}
