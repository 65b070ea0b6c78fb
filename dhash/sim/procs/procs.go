// Package procs runs the members of a swarm as processes of this machine, over TCP on 127.0.0.1, each with a folder of its
// own: for the demonstration, for the benchmarks, and for tests of what a process can suffer (kill, stop, full disk).
//
// Everything that it starts it ends: by process id, never by name.
package procs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
)

// Config says how many members to run, and of what program. All fields are needed but those with a default.
type Config struct {
	Program string // the vdh program
	Dir     string // an empty folder, for the members' folders
	Members int

	// Capacity says what member i lends, as vdh node takes it. Nil means 64GiB of each.
	Capacity func(i int) string

	// Manifest is what the swarm agrees on. Nil means five nines of members that answer nine times of ten.
	Manifest *member.Manifest

	// Domain names the failure domain of member i. Nil gives each member a site of its own.
	Domain func(i int) string

	// Args are more flags of vdh node, for all members: how often to sweep, and the like.
	Args []string

	// Output gets what the members log. Nil discards.
	Output io.Writer
}

// A Swarm is the running members. It is for one goroutine.
type Swarm struct {
	cfg     Config
	members []*process
	seeds   []ma.Multiaddr
}

// process is one member.
type process struct {
	dir  string // its XDG data folder
	id   dhash.ID
	cmd  *exec.Cmd // nil while it is down
	used time.Duration
}

// DefaultManifest is what a swarm agrees on if nobody says otherwise.
func DefaultManifest() *member.Manifest {
	return &member.Manifest{Name: "demo", MilliNines: 5000, Availability: 900_000}
}

// Start founds a swarm, starts its members, and returns when each of them knows all others. Close it in the end, also
// after an error.
func Start(ctx context.Context, cfg Config) (*Swarm, error) {
	if cfg.Manifest == nil {
		cfg.Manifest = DefaultManifest()
	}
	if cfg.Domain == nil {
		cfg.Domain = func(i int) string { return fmt.Sprintf("site%02d/host", i) }
	}
	if cfg.Capacity == nil {
		cfg.Capacity = func(int) string { return "64GiB" }
	}
	s := &Swarm{cfg: cfg}
	founder := &process{dir: filepath.Join(cfg.Dir, "m00")}
	s.members = append(s.members, founder)
	f, err := node.Found(founder.folder(), cfg.Manifest, time.Now())
	if err != nil {
		return s, err
	}
	founder.id = f.ID()
	if err := s.Run(0); err != nil {
		return s, err
	}
	if err := s.seek(ctx, 0); err != nil {
		return s, err
	}
	for i := 1; i < cfg.Members; i++ {
		if err := s.join(f, i); err != nil {
			return s, err
		}
	}
	return s, s.Settle(ctx, cfg.Members)
}

// seek notes where member i is, for those who join.
func (s *Swarm) seek(ctx context.Context, i int) error {
	st, err := s.wait(ctx, i, func(node.Status) bool { return true })
	if err != nil {
		return err
	}
	s.seeds = nil
	for _, text := range st.Addrs {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return err
		}
		s.seeds = append(s.seeds, a)
	}
	return nil
}

// join makes member i a member, and starts it.
func (s *Swarm) join(f *node.Folder, i int) error {
	p := &process{dir: filepath.Join(s.cfg.Dir, fmt.Sprintf("m%02d", i))}
	s.members = append(s.members, p)
	label := fmt.Sprintf("member %d", i)
	j, err := s.invite(f, p.folder(), label)
	if err != nil {
		return err
	}
	p.id = j.ID()
	return s.Run(i)
}

// Add starts a new member, which has nothing yet, and returns its number.
func (s *Swarm) Add(ctx context.Context) (int, error) {
	f, err := node.OpenFolder(s.members[0].folder())
	if err != nil {
		return 0, err
	}
	running := slices.IndexFunc(s.members, func(p *process) bool { return p.cmd != nil })
	if running < 0 {
		return 0, errors.New("nobody is there to join")
	}
	if err := s.seek(ctx, running); err != nil {
		return 0, err
	}
	i := len(s.members)
	return i, s.join(f, i)
}

// Work has member i do a work at once: see node.Local.Work.
func (s *Swarm) Work(ctx context.Context, i int, work string) (node.Care, error) {
	l, err := node.DialLocal(ctx, s.members[i].folder())
	if err != nil {
		return node.Care{}, err
	}
	defer l.Close()
	return l.Work(ctx, work, nil)
}

// Running reports whether member i has not been ended.
func (s *Swarm) Running(i int) bool { return s.members[i].cmd != nil }

// invite invites whoever has folder dir, and accepts.
func (s *Swarm) invite(f *node.Folder, dir, label string) (*node.Folder, error) {
	now := time.Now()
	v, err := member.Invite(f.Swarm, nil, f.Founder, now, now.Add(time.Hour), 1, label, s.seeds)
	if err != nil {
		return nil, err
	}
	return node.Join(dir, v, label, now)
}

// Invite makes dir, an XDG data folder, the data folder of one more member, which is not started: its owner is a client.
func (s *Swarm) Invite(dir string) error {
	f, err := node.OpenFolder(s.members[0].folder())
	if err != nil {
		return err
	}
	_, err = s.invite(f, FolderIn(dir), "client")
	return err
}

// FolderIn returns the folder of the member whose XDG data folder is dir.
func FolderIn(dir string) string { return filepath.Join(dir, "vdh", "swarm") }

func (p *process) folder() string { return FolderIn(p.dir) }

// Len returns the number of members, running or not.
func (s *Swarm) Len() int { return len(s.members) }

// Dir returns the XDG data folder of member i.
func (s *Swarm) Dir(i int) string { return s.members[i].dir }

// ID returns the id of member i.
func (s *Swarm) ID(i int) dhash.ID { return s.members[i].id }

// Run starts member i, which is down, with more flags for it alone.
func (s *Swarm) Run(i int, args ...string) error {
	p := s.members[i]
	cmd := exec.Command(s.cfg.Program, "node", "--listen", "/ip4/127.0.0.1/tcp/0", "--capacity", s.cfg.Capacity(i),
		"--name", fmt.Sprintf("m%02d", i), "--domain", s.cfg.Domain(i))
	cmd.Args = append(append(cmd.Args, s.cfg.Args...), args...)
	cmd.Env = Environ(p.dir)
	cmd.Stdout, cmd.Stderr = s.cfg.Output, s.cfg.Output
	// Nothing is left if this process dies; a Ctrl-C at the terminal is this process's alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting member %d: %w", i, err)
	}
	p.cmd = cmd
	return nil
}

// Environ returns an environment for vdh in which all of its folders lie below dir, its data in dir itself, and nothing of
// the user's own is used or changed.
func Environ(dir string) []string {
	env := []string{"XDG_DATA_HOME=" + dir}
	for _, name := range []string{"CONFIG", "CACHE", "STATE"} {
		env = append(env, "XDG_"+name+"_HOME="+filepath.Join(dir, strings.ToLower(name)))
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "XDG_") && (!strings.HasPrefix(v, "VDH_") || strings.HasPrefix(v, "VDH_TEST_")) {
			env = append(env, v)
		}
	}
	return env
}

// Status asks member i how it is.
func (s *Swarm) Status(ctx context.Context, i int) (node.Status, error) {
	l, err := node.DialLocal(ctx, s.members[i].folder())
	if err != nil {
		return node.Status{}, err
	}
	defer l.Close()
	return l.Status(ctx)
}

// Settle waits until every member that runs sees so many members alive.
func (s *Swarm) Settle(ctx context.Context, alive int) error {
	for i, p := range s.members {
		if p.cmd == nil {
			continue
		}
		if _, err := s.wait(ctx, i, func(st node.Status) bool { return st.Alive == alive }); err != nil {
			return err
		}
	}
	return nil
}

// wait asks member i until ok holds of what it says, for a minute at most.
func (s *Swarm) wait(ctx context.Context, i int, ok func(node.Status) bool) (node.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		st, err := s.Status(ctx, i)
		if err == nil && ok(st) {
			return st, nil
		}
		last = err
		if err == nil {
			last = fmt.Errorf("it knows %d members, %d of them alive", st.Members, st.Alive)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return st, fmt.Errorf("waiting for member %d: %w", i, errors.Join(ctx.Err(), last))
		}
	}
}

// Signal sends member i a signal: SIGSTOP makes it hang, SIGCONT go on.
func (s *Swarm) Signal(i int, sig syscall.Signal) error { return s.members[i].cmd.Process.Signal(sig) }

// Kill ends member i without warning.
func (s *Swarm) Kill(i int) error {
	p := s.members[i]
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // that it was killed is no news
	p.used += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	p.cmd = nil
	return err
}

// Stop asks member i to end, and waits until it has.
func (s *Swarm) Stop(i int) error {
	p := s.members[i]
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = p.cmd.Wait()
	}
	p.used += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	p.cmd = nil
	return err
}

// Close ends all members without warning.
func (s *Swarm) Close() error {
	var errs []error
	for i := range s.members {
		errs = append(errs, s.Kill(i))
	}
	return errors.Join(errs...)
}

// CPU returns the processor time that all members have used, those that ended included.
func (s *Swarm) CPU() (sum time.Duration) {
	for _, p := range s.members {
		sum += p.used
		if p.cmd != nil {
			sum += cpuOf(p.cmd.Process.Pid)
		}
	}
	return sum
}

// PeakMemory returns the most memory that any of the running members has had, in bytes.
func (s *Swarm) PeakMemory() (peak int64) {
	for _, p := range s.members {
		if p.cmd != nil {
			peak = max(peak, peakOf(p.cmd.Process.Pid))
		}
	}
	return peak
}

// Bytes returns how much disk the members' fragments take, in bytes, indices included.
func (s *Swarm) Bytes() (sum int64, err error) {
	for _, p := range s.members {
		err := filepath.WalkDir(p.folder(), func(_ string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				if errors.Is(err, os.ErrNotExist) {
					return nil
				}
				return err
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += st.Blocks * 512
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

func folderName(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }
