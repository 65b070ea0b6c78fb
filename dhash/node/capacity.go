package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// ParseCapacity reads how much a member lends: bytes ("500GB", "2TiB") or a part of the disk that dir is on or will be
// on ("80%").
func ParseCapacity(text, dir string) (int64, error) {
	part, isPart := strings.CutSuffix(text, "%")
	if !isPart {
		n, err := humanize.ParseBytes(text)
		if err != nil || n == 0 || n > 1<<62 {
			return 0, fmt.Errorf("capacity %q: give bytes, as in 500GB, or a part of the disk, as in 80%%", text)
		}
		return int64(n), nil
	}
	percent, err := strconv.ParseFloat(part, 64)
	if err != nil || percent <= 0 || percent > 100 {
		return 0, fmt.Errorf("capacity %q: want more than 0%% and at most 100%%", text)
	}
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(float64(st.Blocks) * float64(st.Bsize) * percent / 100), nil
		}
		up := filepath.Dir(dir)
		if !os.IsNotExist(err) || up == dir {
			return 0, fmt.Errorf("how large is the disk of %s: %w", dir, err)
		}
		dir = up
	}
}
