package archive

import (
	"context"
	"errors"
	"io"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

// A job is a regular file to be read. Fields after done may be read once done is closed.
type job struct {
	at   *handle
	name string
	path string
	stat unix.Stat_t // as the walk saw it
	dir  *vac.Dir    // filled in by the reader

	done    chan struct{}
	small   []byte // content of a small file, from the run's buffers
	hash    tree.Hash
	warning error // the file was stored, and something about it is not as it should be
	err     error // the file could not be read
}

var (
	errChanged  = errors.New("changed while it was read; stored as it was read")
	errReplaced = errors.New("was replaced by another file during the walk; the next run has it")
)

// buffers is a free list for the contents of small files.
type buffers chan []byte

func (b buffers) get() []byte {
	select {
	case p := <-b:
		return p[:0]
	default:
		return make([]byte, 0, smallFile+1)
	}
}

func (b buffers) put(p []byte) {
	if cap(p) == smallFile+1 {
		select {
		case b <- p:
		default:
		}
	}
}

// reader does jobs until there are no more.
func (r *run) reader(jobs <-chan *job, bufs buffers) {
	for j := range jobs {
		j.err = r.readFile(j, bufs)
		j.at.release()
		close(j.done)
	}
}

// readFile reads one file's attributes and content. A small content is left in j, a large one goes into the store.
func (r *run) readFile(j *job, bufs buffers) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	fd, err := openFile(j.at, j.name)
	if err != nil {
		return pathError("open", j.path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError("stat", j.path, err)
	}
	if st.Ino != j.stat.Ino || st.Dev != j.stat.Dev || fileType(&st) != vac.File {
		return pathError("open", j.path, errReplaced)
	}
	if j.dir.Xattrs, err = fdXattrs(fd); err != nil {
		return pathError("read attributes of", j.path, err)
	}
	j.dir.Sparse = st.Blocks*512 < st.Size
	if st.Size <= smallFile && !j.dir.Sparse {
		err = r.readSmall(j, fd, bufs)
	} else {
		err = r.readLarge(j, fd, nil)
	}
	if err != nil {
		return err
	}
	r.clock()
	var after unix.Stat_t
	if err := unix.Fstat(fd, &after); err != nil {
		return pathError("stat", j.path, err)
	}
	if after.Size != j.stat.Size || after.Mtim != j.stat.Mtim || after.Ctim != j.stat.Ctim || j.dir.Size != after.Size {
		j.warning = pathError("read", j.path, errChanged)
	}
	return nil
}

// openFile opens a file for reading without moving its access time where that is allowed, and without waiting for
// anything if it has become a fifo.
func openFile(h *handle, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	for noatime := unix.O_NOATIME; ; {
		fd, err := unix.Openat(h.fd, name, flags|noatime, 0)
		switch {
		case err == unix.EPERM && noatime != 0:
			noatime = 0
		case err == unix.EINTR:
		default:
			return fd, err
		}
	}
}

func (r *run) readSmall(j *job, fd int, bufs buffers) error {
	buf := bufs.get()
	for len(buf) < cap(buf) {
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			bufs.put(buf)
			return pathError("read", j.path, err)
		}
		if n == 0 {
			break
		}
		buf = buf[:len(buf)+n]
		if int64(len(buf)) == j.stat.Size {
			break // one read more would only say that this is the end; the size is compared again
		}
	}
	if len(buf) > smallFile { // it has grown
		defer bufs.put(buf)
		return r.readLarge(j, fd, buf)
	}
	r.count(len(buf))
	j.dir.Size = int64(len(buf))
	j.small = buf
	j.hash = blake3.Sum256(buf)
	return nil
}

// readLarge stores a file as a stream of its own. begin is what was read of it already.
func (r *run) readLarge(j *job, fd int, begin []byte) error {
	w := tree.NewWriter(r.ctx, r.sink, tree.Files())
	var err error
	if len(begin) > 0 {
		_, err = w.Write(begin)
	}
	f := &fdReader{fd: fd, count: r.count}
	switch {
	case err != nil:
	case j.dir.Sparse:
		err = copySparse(r.ctx, w, f, j.stat.Size)
	default:
		_, err = w.ReadFrom(f)
	}
	e, closeErr := w.Close()
	if f.err != nil {
		return pathError("read", j.path, f.err)
	}
	if err == nil {
		err = closeErr
	}
	if err != nil {
		return fatal{err}
	}
	j.dir.Size = e.Size
	j.dir.Content = vac.Content{Kind: vac.Stream, Stream: e}
	if e.Size == 0 {
		j.dir.Content = vac.Content{}
	}
	return nil
}

// A fatal error is one of the store, which ends the run; others concern one file.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

func (r *run) count(n int) {
	r.read.Add(int64(n))
	r.cfg.Progress.Read.Add(int64(n))
}

// fdReader reads a file and remembers its own errors, so that they can be told from those of the store.
type fdReader struct {
	fd    int
	count func(int)
	err   error
}

func (f *fdReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(f.fd, p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			f.err = err
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			f.count(n)
			return n, nil
		}
	}
}

// copySparse writes data and holes of a file as its file system tells them.
func copySparse(ctx context.Context, w *tree.Writer, f *fdReader, size int64) error {
	for off := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := unix.Seek(f.fd, off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // no data behind off
			return w.Hole(max(size-off, 0))
		}
		if err != nil { // the file system cannot tell
			if _, err := unix.Seek(f.fd, off, io.SeekStart); err != nil {
				f.err = err
				return err
			}
			_, err = w.ReadFrom(f)
			return err
		}
		if err := w.Hole(data - off); err != nil {
			return err
		}
		end, err := unix.Seek(f.fd, data, unix.SEEK_HOLE)
		if err == nil {
			_, err = unix.Seek(f.fd, data, io.SeekStart)
		}
		if err != nil {
			f.err = err
			return err
		}
		n, err := io.Copy(readerFrom{w}, io.LimitReader(f, end-data))
		if err != nil {
			return err
		}
		if n < end-data { // it has shrunk
			return nil
		}
		off = end
	}
}

// readerFrom hides all of a Writer but what reads into its buffers.
type readerFrom struct{ w *tree.Writer }

func (r readerFrom) Write(p []byte) (int, error)           { return r.w.Write(p) }
func (r readerFrom) ReadFrom(src io.Reader) (int64, error) { return r.w.ReadFrom(src) }
