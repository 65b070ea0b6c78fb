package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Version lines: "venti-" tokens joined by ":" "-" comment "\n". Each side sends its own without waiting and takes the
// first token of the other's that it knows.
const (
	lineWord = "venti-"
	maxLine  = 1023 // with the newline
	dialect  = "vdh1"
	ownLine  = lineWord + dialect + "-vdh\n"
)

var (
	// errMalformed is in every error about a peer that breaks the rules.
	errMalformed = errors.New("malformed message")

	errDialect = errors.New("no version of the protocol in common")
)

// parseLine splits a version line, which ends in a newline. The tokens are not empty. There may be a "-" in the
// comment, but in no token.
func parseLine(line string) (tokens []string, comment string, err error) {
	body, ok := strings.CutSuffix(line, "\n")
	if !ok || len(line) > maxLine {
		return nil, "", fmt.Errorf("%w: the version line does not end", errMalformed)
	}
	for _, c := range []byte(body) {
		if c < 0x20 || c > 0x7f {
			return nil, "", fmt.Errorf("%w: byte %#02x in the version line", errMalformed, c)
		}
	}
	rest, ok := strings.CutPrefix(body, lineWord)
	versions, comment, dash := strings.Cut(rest, "-")
	tokens = strings.Split(versions, ":")
	if !ok || !dash || slices.Contains(tokens, "") {
		return nil, "", fmt.Errorf("%w: version line %q", errMalformed, line)
	}
	return tokens, comment, nil
}

// readLine reads the peer's version line and chooses a dialect.
func readLine(r *bufio.Reader) (string, error) {
	line := make([]byte, 0, len(ownLine))
	for len(line) == 0 || line[len(line)-1] != '\n' {
		c, err := r.ReadByte()
		if err == io.EOF && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", err
		}
		if line = append(line, c); len(line) > maxLine || len(line) <= len(lineWord) && c != lineWord[len(line)-1] {
			return "", fmt.Errorf("%w: not a version line: %.20q", errMalformed, line)
		}
	}
	tokens, _, err := parseLine(string(line))
	if err != nil {
		return "", err
	}
	if !slices.Contains(tokens, dialect) {
		return "", fmt.Errorf("%w: the other side knows %q, this one %q", errDialect, tokens, dialect)
	}
	return dialect, nil
}
