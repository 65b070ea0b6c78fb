package disk_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ventidhash/venti/disk"
)

// The test binary runs itself as another process, which does what VDISK_CHILD says with the store in VDISK_DIR.
func TestMain(m *testing.M) {
	role := os.Getenv("VDISK_CHILD")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := child(role, os.Getenv("VDISK_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child(role, dir string) error {
	ctx := context.Background()
	s, err := disk.Open(ctx, disk.Config{Dir: dir, SegmentSize: 1 << 20})
	if err != nil {
		return err
	}
	switch role {
	case "hold": // until stdin ends
		fmt.Println("ready")
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
	case "session": // as well, with a session
		if _, err := s.Session(ctx); err != nil {
			return err
		}
		fmt.Println("ready")
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
	case "put": // for ever; says which blocks are synced
		for i := 0; ; i++ {
			if _, err := s.Put(ctx, block(i, 5000+i)); err != nil {
				return err
			}
			if i%7 == 6 {
				if err := s.Sync(ctx); err != nil {
					return err
				}
				fmt.Println("synced", i)
			}
		}
	}
	return s.Close()
}

// process is a running child.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, role, dir string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VDISK_CHILD="+role, "VDISK_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { p.kill() })
	return p
}

// line returns the next line that the child prints.
func (p *process) line(t testing.TB) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// kill kills the child with SIGKILL.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop lets the child close its store and end.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
