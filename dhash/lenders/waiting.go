package lenders

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti/durable"
)

// waitingName returns the name of the file of a statement.
func waitingName(id dhash.ID, number uint64) string {
	return filepath.Join(waitingDir, strconv.FormatUint(number, 10)+"-"+tag(id))
}

// tag names a lender in the name of a file.
func tag(id dhash.ID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// keep puts a statement down before it is sent.
func (l *Ledger) keep(id dhash.ID, number uint64, raw []byte) error {
	return durable.WriteFile(filepath.Join(l.cfg.Dir, waitingName(id, number)), raw)
}

func (l *Ledger) drop(id dhash.ID, number uint64) error {
	err := os.Remove(filepath.Join(l.cfg.Dir, waitingName(id, number)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A kept statement waits at its lender, or has had no answer.
type kept struct {
	raw []byte
	*claim.Statement
}

// kept returns the statement of a number that was put down for a lender, nil if there is none that is good.
func (l *Ledger) kept(id dhash.ID, number uint64) *kept {
	raw, err := readFile(filepath.Join(l.cfg.Dir, waitingName(id, number)), claim.MaxStatement)
	if err != nil || raw == nil {
		return nil
	}
	s, err := claim.Parse(raw, l.cfg.Swarm, id)
	if err != nil || s.Number != number {
		return nil
	}
	return &kept{raw, s}
}

// dropOthers removes the statements to a lender that do not wait there.
func (l *Ledger) dropOthers(id dhash.ID, waiting []claim.Pending) error {
	entries, err := os.ReadDir(filepath.Join(l.cfg.Dir, waitingDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		digits, whose, _ := strings.Cut(e.Name(), "-")
		number, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || whose != tag(id) {
			continue
		}
		waits := false
		for _, p := range waiting {
			waits = waits || p.Number == number
		}
		if waits {
			continue
		}
		if err := l.drop(id, number); err != nil {
			return err
		}
	}
	return nil
}
