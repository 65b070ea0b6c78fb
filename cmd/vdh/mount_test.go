package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"ventidhash/dhash"
	"ventidhash/snapshot/equal"
)

// canMount reports whether there is FUSE here.
func canMount() bool {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	_, helper := exec.LookPath("fusermount3")
	return err == nil && helper == nil
}

func needFUSE(t *testing.T) {
	t.Helper()
	if !canMount() {
		t.Skip("nothing can be mounted here: there is no /dev/fuse or no fusermount3")
	}
}

// mounts is the command of scripts: mounts DIR [NAME] [FLAG...]. The mount lasts for as long as the script.
func mounts(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	words := []string{"mount"}
	if len(args) > 1 {
		words = append(words, args[1])
	}
	words = append(words, dir)
	if len(args) > 2 {
		words = append(words, args[2:]...)
	}
	ts.Check(ts.Exec("vdh", words...))
	ts.Defer(func() { exec.Command("fusermount3", "-u", "-q", dir).Run() })
}

// mount mounts in the background until the test ends, and returns where.
func (m *machine) mount(args ...string) string {
	m.t.Helper()
	needFUSE(m.t)
	dir, err := os.MkdirTemp(m.dir, "mnt")
	if err != nil {
		m.t.Fatal(err)
	}
	m.must(append(append([]string{"mount", "-q"}, args...), dir)...)
	m.t.Cleanup(func() { unmount(m.t, dir) })
	return dir
}

// unmount ends a mount, and waits until its program has let go of it.
func unmount(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("fusermount3", "-u", dir).CombinedOutput()
	if err != nil && mountedAt(dir) {
		t.Errorf("fusermount3 -u %s: %v %s", dir, err, out)
	}
}

func mountedAt(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mounts")
	return strings.Contains(string(b), " "+dir+" ")
}

// TestMountFidelity checks the 37 properties in a mount: all of them can be seen.
func TestMountFidelity(t *testing.T) {
	m := newMachine(t)
	src := &folder{t, filepath.Join(m.dir, "src")}
	props := makeProperties(src)
	score := m.must("backup", "-q", src.dir)
	out := &folder{t, m.mount(score + src.dir)}
	sameProperties(t, props, src, out)
}

// TestMountAsUser mounts as a user who is not root, with the helper that lets him.
func TestMountAsUser(t *testing.T) {
	needFUSE(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else; the other tests are this one then")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "vdh-user-") // below t.TempDir only root can look
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &folder{t, dir}
	f.must(os.Chmod(dir, 0o755))
	self, err := os.Executable()
	f.must(err)
	program := filepath.Join(dir, "vdh")
	b, err := os.ReadFile(self)
	f.must(err)
	f.must(os.WriteFile(program, b, 0o755))
	for _, name := range []string{"home", "src", "mnt"} {
		f.must(os.Mkdir(f.at(name), 0o700))
	}
	f.file("src/mine", "mine")
	f.file("src/closed", "not even mine")
	f.must(os.Chmod(f.at("src/closed"), 0o400))
	for _, name := range []string{"home", "src", "mnt", "src/mine", "src/closed"} {
		f.must(os.Chown(f.at(name), nobody, nobody))
	}
	enter := ownDevice(t, dir)
	run := func(name string, args ...string) (string, error) {
		words := append(enter, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", name)
		cmd := exec.Command(words[0], append(words[1:], args...)...)
		cmd.Dir = dir
		cmd.Env = []string{asProgram + "=1", "GORACE=" + noSleep, "HOME=" + f.at("home"), "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(program, "backup", "-q", f.at("src")); err != nil {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	if out, err := run(program, "mount", "latest"+f.at("src"), f.at("mnt")); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	t.Cleanup(func() { run("fusermount3", "-u", "-q", "-z", f.at("mnt")) })
	for _, name := range []string{"mine", "closed"} {
		want, _ := os.ReadFile(f.at("src/" + name))
		if got, err := run("cat", f.at("mnt/"+name)); err != nil || got != string(want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if out, err := exec.Command(enter[0], append(enter[1:], "cat", f.at("mnt/mine"))...).CombinedOutput(); err == nil {
		t.Errorf("somebody else, root at that, can look: %s", out)
	}
	if out, err := run(program, "mount", "--allow-other", f.at("home")); err == nil {
		t.Errorf("a full directory is mounted on: %s", out)
	}
	if out, err := run("fusermount3", "-u", f.at("mnt")); err != nil {
		t.Errorf("fusermount3 -u: %v\n%s", err, out)
	}
	conf, _ := os.ReadFile("/etc/fuse.conf")
	if !strings.Contains("\n"+string(conf), "\nuser_allow_other") {
		if out, err := run(program, "mount", "--allow-other", f.at("mnt")); err == nil || !strings.Contains(out, "user_allow_other has to be in /etc/fuse.conf") {
			t.Errorf("--allow-other: %v\n%s", err, out)
		}
	}
}

// ownDevice returns the words that run a command where everybody may use /dev/fuse, as on any machine with a device
// manager; machines of tests often have none. Mounts that are made there are seen there alone.
func ownDevice(t *testing.T, dir string) []string {
	t.Helper()
	device := filepath.Join(dir, "fuse")
	if err := unix.Mknod(device, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 229))); err != nil {
		t.Skipf("no device can be made: %v", err)
	}
	if err := os.Chmod(device, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", "mount --bind "+device+" /dev/fuse && echo ready && exec cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Skipf("no mount can be made: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if b, _ := io.ReadAll(io.LimitReader(out, 6)); string(b) != "ready\n" {
		t.Skip("no mount can be made for some processes alone")
	}
	return []string{"nsenter", "-m", "-t", fmt.Sprint(cmd.Process.Pid), "--"}
}

// TestMountSwarm reads a mount of a swarm that loses members and gets one back.
func TestMountSwarm(t *testing.T) {
	needFUSE(t)
	const members = 8
	r := newTrial(t, members, dhash.Code{Need: 3, Total: members}, nil)
	src := r.source(1, 6<<20)
	r.store(src, "5", "7")
	whole := func(dir string) {
		t.Helper()
		_, err := equal.Trees(t.Context(), equal.Config{Source: src, Copy: dir, Differs: func(path, what string) {
			t.Errorf("mounted %s: %s", path, what)
		}})
		r.do(err)
	}
	whole(filepath.Join(r.mount(), "latest", src))
	dir := r.mount("latest" + src)
	r.kill(0, 1, 2, 3, 4)
	whole(dir)

	dir = r.mount("latest" + src)
	var large string
	for i := 0; large == ""; i += 20 { // fillTree makes each twentieth large
		if p := fmt.Sprintf("d%d/%d", i%7, i); i > 200 {
			t.Fatal("there is no large file")
		} else if st, err := os.Stat(filepath.Join(src, p)); err == nil && st.Size() > 1<<20 {
			large = p
		}
	}
	want, err := os.ReadFile(filepath.Join(src, large))
	r.do(err)
	r.do(r.swarm.Stop(5)) // a member that is killed in its first minute has not noted where the others are
	begin := time.Now()
	if _, err := os.ReadFile(filepath.Join(dir, large)); !errors.Is(err, unix.EIO) {
		t.Errorf("with 2 of 8 left: %v, not EIO", err)
	}
	t.Logf("with 2 of 8 left: an error after %v", time.Since(begin))
	r.do(r.swarm.Run(5))
	begin = time.Now()
	for got := []byte(nil); !bytes.Equal(got, want); {
		if got, err = os.ReadFile(filepath.Join(dir, large)); err != nil && !errors.Is(err, unix.EIO) || time.Since(begin) > time.Minute {
			t.Fatalf("one is back since %v: %v", time.Since(begin), err)
		}
	}
	t.Logf("with 3 of 8 again: read after %v", time.Since(begin))
}

// TestMountByNode reads a mount through the node of this machine, which is started again meanwhile.
func TestMountByNode(t *testing.T) {
	needFUSE(t)
	p := newPond(t, 3)
	c := p.on(0)
	src := c.fill(1, 300<<10)
	c.backup(src)
	a, out, errs := c.begin()
	dir := filepath.Join(p.dir, "mnt")
	p.do(os.Mkdir(dir, 0o700))
	ended := make(chan int, 1)
	go func() { ended <- a.execute(t.Context(), []string{"mount", "--foreground", "latest" + src, dir}) }()
	p.until("it is mounted", func() bool { return mountedAt(dir) })
	p.end(0)
	p.run(0)
	p.settle(3)
	same := func(name string) {
		t.Helper()
		want, err := os.ReadFile(filepath.Join(src, name))
		p.do(err)
		var got []byte
		p.until(name+" can be read", func() bool { got, err = os.ReadFile(filepath.Join(dir, name)); return err == nil })
		if !bytes.Equal(got, want) {
			t.Errorf("%s is another file", name)
		}
	}
	same("same")
	same("deep/small")
	unmount(t, dir)
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestMountPruned prunes a snapshot while it is mounted. The mount keeps nobody from it, and is not harmed by it.
func TestMountPruned(t *testing.T) {
	m := newMachine(t)
	src := filepath.Join(m.dir, "src")
	fillTree(t, src, 1, 8<<20)
	score := m.must("backup", "-q", src)
	dir := m.mount(score + src)
	open, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.must("forget", score)
	m.must("prune", "-q", "--empty")
	failed := 0
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var f *os.File
			if f, err = os.Open(path); err == nil {
				_, err = io.Copy(io.Discard, f)
				f.Close()
			}
		}
		if err != nil && !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v, not EIO", path, err)
		}
		if err != nil {
			failed++
		}
		return nil
	})
	if err != nil || failed == 0 {
		t.Errorf("%d files and directories cannot be read any more, %v: what is pruned is still there", failed, err)
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	m.must("backup", "-q", src)
}
