package web

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"golang.org/x/net/webdav"
)

// propfind answers what WebDAV asks about a file or directory, and with depth 1 about what is in it.
func (v *view) propfind(w http.ResponseWriter, r *http.Request) {
	if d := r.Header.Get("Depth"); d != "0" && d != "1" {
		w.Header().Set("Content-Type", "application/xml; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<?xml version="1.0" encoding="utf-8"?>` + "\n" +
			`<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>` + "\n"))
		return
	}
	name, _, _ := nameOf(r.URL)
	if _, err := v.stat(name); err != nil {
		v.s.fail(w, r, err)
		return
	}
	h := webdav.Handler{FileSystem: &davFS{view: v}, LockSystem: noLocks{}}
	h.ServeHTTP(w, r)
}

// noLocks is the LockSystem of what nobody can change. PROPFIND does not use it.
type noLocks struct{ webdav.LockSystem }

// davFS is a view as package webdav wants it, for one PROPFIND: what was listed is not looked up again.
type davFS struct {
	view   *view
	listed map[string]fs.FileInfo
}

// Mkdir implements webdav.FileSystem.
func (*davFS) Mkdir(context.Context, string, os.FileMode) error { return fs.ErrPermission }

// RemoveAll implements webdav.FileSystem.
func (*davFS) RemoveAll(context.Context, string) error { return fs.ErrPermission }

// Rename implements webdav.FileSystem.
func (*davFS) Rename(context.Context, string, string) error { return fs.ErrPermission }

// Stat implements webdav.FileSystem.
func (d *davFS) Stat(_ context.Context, name string) (os.FileInfo, error) { return d.stat(name) }

func (d *davFS) stat(name string) (fs.FileInfo, error) {
	name = strings.Trim(name, "/")
	if info, ok := d.listed[name]; ok {
		return info, nil
	}
	if name == "" {
		name = "."
	}
	info, err := d.view.stat(name)
	if err != nil {
		return nil, err
	}
	return davInfo{info, path.Base(name)}, nil
}

// OpenFile implements webdav.FileSystem.
func (d *davFS) OpenFile(_ context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	if flag != os.O_RDONLY {
		return nil, fs.ErrPermission
	}
	info, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	return &davFile{d, strings.Trim(name, "/"), info}, nil
}

// A davFile is a file of which PROPFIND asks, or a directory that it lists. Its content is not read.
type davFile struct {
	d    *davFS
	name string
	info fs.FileInfo
}

// Stat implements http.File.
func (f *davFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Readdir implements http.File: it returns all files and directories, also those behind a link.
func (f *davFile) Readdir(int) ([]fs.FileInfo, error) {
	dir := f.name
	if dir == "" {
		dir = "."
	}
	rows, err := f.d.view.list(dir)
	if err != nil {
		return nil, err
	}
	f.d.listed = make(map[string]fs.FileInfo, len(rows))
	var out []fs.FileInfo
	for _, r := range rows {
		if r.Link() != "" {
			info := davInfo{r.Info, r.Name}
			out = append(out, info)
			f.d.listed[path.Join(f.name, r.Name)] = info
		}
	}
	return out, nil
}

// Close implements io.Closer.
func (*davFile) Close() error { return nil }

// Read implements io.Reader.
func (*davFile) Read([]byte) (int, error) { return 0, fs.ErrInvalid }

// Seek implements io.Seeker.
func (*davFile) Seek(int64, int) (int64, error) { return 0, fs.ErrInvalid }

// Write implements io.Writer.
func (*davFile) Write([]byte) (int, error) { return 0, fs.ErrPermission }

// davInfo adds what package webdav would else read files for.
type davInfo struct {
	fs.FileInfo
	name string // also that of a link
}

// Name implements fs.FileInfo.
func (i davInfo) Name() string { return i.name }

// ETag implements webdav.ETager.
func (i davInfo) ETag(context.Context) (string, error) {
	if t := etag(i.FileInfo); t != "" {
		return t, nil
	}
	return "", webdav.ErrNotImplemented
}

// ContentType implements webdav.ContentTyper.
func (i davInfo) ContentType(context.Context) (string, error) { return contentType(i.name), nil }
