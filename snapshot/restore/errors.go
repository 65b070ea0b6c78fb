package restore

import "errors"

var (
	errNotRoot  = errors.New("only root can give files to others (told once, counted for every file)")
	errSetID    = errors.New("setuid or setgid left out, since the owner is another one")
	errInTheWay = errors.New("something that is no directory is in its place")
	errDirThere = errors.New("a directory that is not empty is in its place")
	errTwice    = errors.New("exists since a moment ago: two names of the snapshot may be one here")
	errMount    = errors.New("another file system is mounted there")

	// ErrIncomplete is wrapped by the error of Tar if the archive is well formed, but not everything is in it.
	ErrIncomplete = errors.New("not everything could be restored")
)
