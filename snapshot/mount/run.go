package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// maxRead is the length of the longest read that the kernel asks for.
const maxRead = 1 << 20

// Run mounts what cfg says, and serves it until somebody unmounts it (fusermount3 -u, umount) or ctx ends, when it
// unmounts it itself. If the mount is in use then, it is taken out of the tree of files, and who uses it gets errors.
//
// The error says why it could not be mounted, or not be unmounted.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	if err := usable(cfg.Dir); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	f, err := newFileSystem(life, cfg)
	if err != nil {
		return err
	}
	server, err := fuse.NewServer(f, cfg.Dir, cfg.options())
	if err != nil {
		return cfg.explain(err)
	}
	served := make(chan struct{})
	go func() {
		server.Serve()
		close(served)
	}()
	if err := server.WaitMount(); err != nil {
		return errors.Join(fmt.Errorf("mounting at %s: %w", cfg.Dir, err), server.Unmount())
	}
	if err := readAhead(cfg.Dir); err != nil {
		cfg.Log.Debug("the kernel reads ahead as little as it does by default", slog.Any("err", err))
	}
	if cfg.Ready != nil {
		cfg.Ready()
	}
	select {
	case <-served:
		return nil
	case <-ctx.Done():
	}
	if err := server.Unmount(); err == nil {
		<-served
		return nil
	}
	if err := detach(cfg.Dir); err != nil {
		return fmt.Errorf("unmounting %s: %w; fusermount3 -u %s does it when nobody uses it any more", cfg.Dir, err, cfg.Dir)
	}
	cfg.Log.Warn("it was in use: who still uses it gets errors now", slog.String("dir", cfg.Dir))
	return nil
}

// options returns what the library is told.
func (c *Config) options() *fuse.MountOptions {
	o := &fuse.MountOptions{
		FsName: "vdh", Name: "vdh", Options: []string{"ro"}, AllowOther: c.AllowOther,
		MaxWrite:             maxRead,
		EnableSymlinkCaching: true, ExplicitDataCacheControl: true,
		Logger: log.New(io.Discard, "", 0),
	}
	if c.AllowOther { // the kernel is to decide who may what, ACLs included
		o.Options = append(o.Options, "default_permissions")
		o.EnableAcl = true
	}
	if os.Geteuid() == 0 { // no helper needed
		o.DirectMount = true
		o.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
	}
	return o
}

// readAhead has the kernel ask for as much as one read may have when files are read forwards, an eighth of which is its
// default. Only root may say so.
func readAhead(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	name := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	return os.WriteFile(name, strconv.AppendInt(nil, maxRead>>10, 10), 0)
}

// usable says what is wrong with a directory to mount on.
func usable(dir string) error {
	d, err := os.Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist; make the directory first: mkdir %s", dir, dir)
	case errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("%s is a mount whose program is gone; fusermount3 -u %s clears it away", dir, dir)
	case err != nil:
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(1)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s is no directory; give an empty one to mount on", dir)
	case err != nil:
		return err
	}
	return fmt.Errorf("%s is not empty (there is %q in it), and a mount would hide that; give an empty directory", dir, names[0])
}

// explain says what to do about an error of mounting.
func (c *Config) explain(err error) error {
	err = fmt.Errorf("mounting at %s: %w", c.Dir, err)
	if _, e := os.Stat("/dev/fuse"); e != nil {
		return fmt.Errorf("%w; this machine has no /dev/fuse: load the kernel's module (modprobe fuse), or use vdh restore, "+
			"vdh dump or vdh cat, which need none", err)
	}
	if _, e := exec.LookPath("fusermount3"); e != nil && os.Geteuid() != 0 {
		return fmt.Errorf("%w; who is not root needs the program fusermount3: install the package fuse3", err)
	}
	if c.AllowOther && os.Geteuid() != 0 {
		return fmt.Errorf("%w; for --allow-other the line user_allow_other has to be in /etc/fuse.conf", err)
	}
	return err
}

// detach takes a mount that is in use out of the tree of files.
func detach(dir string) error {
	if os.Geteuid() == 0 {
		return os.NewSyscallError("umount", unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
	}
	out, err := exec.Command("fusermount3", "-u", "-z", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
