package web

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const (
	minPassword = 12 // bytes
	maxLogin    = 1 << 10
)

// A Login is a name and a password that let in.
type Login struct{ sum [sha256.Size]byte }

// NewLogin returns a Login. The name has no colon, and the password at least 12 bytes.
func NewLogin(name, password string) (*Login, error) {
	switch {
	case name == "" || strings.ContainsAny(name, ":\n"):
		return nil, errors.New("the name before the colon is empty")
	case len(password) < minPassword:
		return nil, fmt.Errorf("the password has %d bytes; want at least %d", len(password), minPassword)
	}
	return &Login{sha256.Sum256([]byte(name + ":" + password))}, nil
}

// ReadLogin reads a file with one line, NAME:PASSWORD, that nobody but its owner can read.
func ReadLogin(file string) (*Login, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others than its owner can read or write it; do: chmod 600 %s", file, file)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxLogin+1))
	if err != nil {
		return nil, err
	}
	name, password, ok := strings.Cut(string(bytes.TrimRight(b, "\r\n")), ":")
	if !ok || len(b) > maxLogin || strings.ContainsAny(password, "\r\n") {
		return nil, fmt.Errorf("%s: want one line, NAME:PASSWORD", file)
	}
	l, err := NewLogin(name, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// admits reports whether a request brings the name and the password.
func (l *Login) admits(r *http.Request) bool {
	name, password, ok := r.BasicAuth()
	sum := sha256.Sum256([]byte(name + ":" + password))
	return ok && subtle.ConstantTimeCompare(sum[:], l.sum[:]) == 1
}
