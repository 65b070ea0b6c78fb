package prune

// ReencodeForgotten decodes and encodes again what the file of forgotten snapshots holds.
func ReencodeForgotten(b []byte) ([]byte, error) {
	list, err := parseForgotten(b)
	if err != nil {
		return nil, err
	}
	return encodeForgotten(list), nil
}
