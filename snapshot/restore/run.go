package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// A run is the state of one Run.
type run struct {
	tally
	tree   *vac.Tree
	cfg    Config
	base   string // path in the snapshot of what goes into the target
	target int    // descriptor of the target, open for the whole run; -1 in a dry run without one
	fresh  bool   // the target was made by this run, or is empty
	filter filter
	who    identity
	owners owners
	links  links
	temps  temps
	done   *Progress
	stop   context.CancelCauseFunc // ends the traversal that is under way

	// mu protects the following.
	mu   sync.Mutex
	bad  map[venti.Ref]error // shared blocks that could not be had
	late []lateMode
	left leftOut
}

// Run restores what stands at path in the snapshot into cfg.Target.
//
// Of a directory, the contents go into the target, and its metadata onto it. With the path "" that is the whole
// snapshot under the paths it was walked from, and the target keeps its own metadata. Anything else goes into the
// target under its name.
//
// The error says why the run ended early; the Report counts what was done up to then, and what failed without ending
// the run. An error of the operating system names the path in the target.
func Run(ctx context.Context, t *vac.Tree, path string, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	d, err := t.Lookup(ctx, path)
	if err != nil {
		return Report{}, err
	}
	r := newRun(t, d, path, cfg)
	if cfg.DryRun {
		err = r.preview(ctx, d)
	} else {
		err = r.restore(ctx, d)
	}
	return r.report(), err
}

func newRun(t *vac.Tree, d *vac.Dir, path string, cfg Config) *run {
	r := &run{tree: t, cfg: cfg, base: clean(path), target: -1, who: whoAmI(), done: cfg.Progress, bad: map[venti.Ref]error{}}
	r.warn = cfg.Warn
	r.owners.numeric = cfg.NumericIDs
	r.temps.begin()
	if d.Type != vac.Directory {
		r.base = r.base[:strings.LastIndexByte(r.base, '/')]
	}
	r.filter = newFilter(r.base, cfg.Include, cfg.Exclude)
	if r.done == nil {
		r.done = new(Progress)
	}
	if cfg.Verify {
		r.left.begin()
	}
	return r
}

// clean returns path with a slash in front of every component.
func clean(path string) string {
	var b strings.Builder
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			b.WriteByte('/')
			b.WriteString(name)
		}
	}
	return b.String()
}

// fail counts and reports a failure of name in f, or of f itself if name is "".
func (r *run) fail(kind Kind, f *folder, name string, err error) {
	r.tally.fail(kind, func() string { return r.base + f.path(name) }, err)
}

// restore makes what d is in the target.
func (r *run) restore(ctx context.Context, d *vac.Dir) error {
	if err := r.openTarget(); err != nil {
		return err
	}
	defer closeFD(r.target)
	err := r.again(ctx, writer{r}, d)
	if err == nil && (r.cfg.Sync || r.cfg.Verify) {
		if err = syncFS(r.target); err != nil {
			err = &fs.PathError{Op: "sync", Path: r.cfg.Target, Err: err}
		}
	}
	if err == nil && r.cfg.Verify {
		err = r.again(ctx, checker{r}, d)
	}
	r.setLateModes()
	return err
}

// preview counts what restore would do.
func (r *run) preview(ctx context.Context, d *vac.Dir) error {
	fd, err := unix.Open(r.cfg.Target, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "open", Path: r.cfg.Target, Err: err}
	}
	if err != nil {
		return r.traverse(ctx, previewer{r}, d, -1)
	}
	r.target = fd
	defer closeFD(fd)
	return r.again(ctx, previewer{r}, d)
}

// again begins a traversal of the target.
func (r *run) again(ctx context.Context, p pass, d *vac.Dir) error {
	fd, err := openAt(r.target, ".", dirFlags, 0)
	if errors.Is(err, unix.EACCES) {
		fd, err = unix.FcntlInt(uintptr(r.target), unix.F_DUPFD_CLOEXEC, 0)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: r.cfg.Target, Err: err}
	}
	return r.traverse(ctx, p, d, fd)
}

// openTarget makes the target if need be, and opens it. Links on the way to it are followed: the caller named it.
func (r *run) openTarget() error {
	err := os.MkdirAll(filepath.Dir(r.cfg.Target), 0o755)
	if err != nil {
		return err
	}
	err = os.Mkdir(r.cfg.Target, 0o755)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	r.fresh = err == nil
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	r.target, err = unix.Open(r.cfg.Target, flags, 0)
	if errors.Is(err, unix.EACCES) && !r.who.root {
		// A mode that shuts its owner out is in nobody's way but his.
		if os.Chmod(r.cfg.Target, 0o700) == nil {
			r.target, err = unix.Open(r.cfg.Target, flags, 0)
		}
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: r.cfg.Target, Err: err}
	}
	if !r.fresh {
		names, err := readNames(r.target)
		r.fresh = err == nil && len(names) == 0
	}
	return nil
}

// fatal ends the traversal because of an error that would meet every other file too.
func (r *run) fatal(op string, f *folder, name string, err error) {
	r.stop(&fs.PathError{Op: op, Path: r.cfg.Target + f.path(name), Err: errno(err)})
}

// errno takes the operating system's error out of err.
func errno(err error) error {
	var n unix.Errno
	if errors.As(err, &n) {
		return n
	}
	return err
}

// A lateMode is a directory's mode that would keep its owner from finding what is in it; it is set at the very end.
type lateMode struct {
	folder *folder
	mode   uint32
}

// setLateModes sets them, the deepest first.
func (r *run) setLateModes() {
	sortByDepth(r.late)
	for _, l := range r.late {
		if err := r.setLateMode(l); err != nil {
			r.fail(Mode, l.folder, "", err)
		}
	}
}

func (r *run) setLateMode(l lateMode) error {
	if l.folder.parent == nil {
		return place{fd: r.target}.chmod(l.mode)
	}
	dir, done, err := l.folder.parent.reach(r.target)
	if err != nil {
		return err
	}
	defer done()
	return place{dir: dir, name: l.folder.name, fd: -1}.chmod(l.mode)
}

// String names an Overwrite as a flag of a command would.
func (o Overwrite) String() string {
	switch o {
	case Always:
		return "always"
	case IfChanged:
		return "if-changed"
	case Never:
		return "never"
	}
	return fmt.Sprintf("Overwrite(%d)", byte(o))
}
