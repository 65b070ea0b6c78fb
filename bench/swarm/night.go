package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

// jobs is the config file of the client: what is done every night, with a store on this machine and with the swarm.
const jobs = `[[job]]
name = "local"
paths = [%[1]q]
store = %[2]q
keep-daily = 14

[[job]]
name = "swarm"
paths = [%[1]q]
store = "swarm"
keep-daily = 14
`

// night measures a night in which nothing has changed: vdh run after vdh run, with all that a job does by default.
func (b *bench) night(ctx context.Context, set dataset.Set) (err error) {
	p, source, err := b.filled(ctx, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	config := filepath.Join(p.client(), "config", "vdh", "config.toml")
	text := fmt.Sprintf(jobs, source, filepath.Join(p.dir, "store"))
	if err := errors.Join(os.MkdirAll(filepath.Dir(config), 0o700), os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return err
	}
	m := &measured{b: b, p: p, kind: set.Kind, source: source}
	walk, err := walked(source)
	if err != nil {
		return err
	}
	for _, job := range []string{"local", "swarm"} {
		for _, night := range []string{"first", "second", "third"} { // the second looks at what changed just before the first
			c, err := p.vdh(ctx, nil, "run", job)
			if err != nil {
				return err
			}
			harness.Say("%s: the %s night with store %s took %.2f s; a walk takes %.2f s", set.Kind, night, job, c.wall.Seconds(), walk.Seconds())
			switch {
			case night == "first":
			case job == "local":
				m.note(night+" night, unchanged, local, beyond the walk", "s", (c.wall - walk).Seconds())
			default:
				m.note(night+" night, unchanged, swarm", "s", c.wall.Seconds())
			}
		}
	}
	return nil
}

// walked returns how long it takes to look at every file, after that was done once.
func walked(root string) (took time.Duration, err error) {
	for range 2 {
		begun := time.Now()
		err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
			if err == nil {
				_, err = d.Info()
			}
			return err
		})
		if took = time.Since(begun); err != nil {
			return 0, err
		}
	}
	return took, nil
}
