package web

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"ventidhash/snapshot/layout"
	"ventidhash/snapshot/vac"
)

// errInert says that something can be listed only: a device, or a link that leads nowhere.
var errInert = errors.New("neither a file nor a directory")

// A view is what one request sees.
type view struct {
	ctx context.Context // of the request; package fs leaves no other place for it
	s   *Server

	snap  fs.FS // that was looked into last
	where string
}

// at returns the folder, or the file system of a snapshot and a name in it, that name leads to.
func (v *view) at(name string) (f *layout.Folder, snap fs.FS, rest string, err error) {
	if v.s.cfg.Tree != nil {
		return nil, v.enter("", v.s.cfg.Tree), name, nil
	}
	if f, err = v.s.folders(v.ctx); err != nil || name == "." {
		return f, nil, "", err
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		kid, ok := f.Kids[part]
		if !ok {
			return nil, nil, "", fs.ErrNotExist
		}
		if kid.Snapshot == nil {
			f = kid.Folder
			continue
		}
		t, err := v.s.open(v.ctx, kid.Snapshot)
		if err != nil {
			return nil, nil, "", err
		}
		if rest = path.Join(parts[i+1:]...); rest == "" {
			rest = "."
		}
		return nil, v.enter(kid.Snapshot.Score.String(), t), rest, nil
	}
	return f, nil, "", nil
}

// enter returns the file system of a snapshot, for a request the same one again, since it remembers listings.
func (v *view) enter(where string, t *vac.Tree) fs.FS {
	if v.snap == nil || v.where != where {
		v.snap, v.where = t.FS(v.ctx), where
	}
	return v.snap
}

// stat says what name is, links followed.
func (v *view) stat(name string) (fs.FileInfo, error) {
	f, snap, rest, err := v.at(name)
	switch {
	case err != nil:
		return nil, err
	case snap == nil:
		return folderInfo{path.Base(name), f.Last}, nil
	}
	info, err := fs.Stat(snap, rest)
	if err == nil && rest == "." {
		return folderInfo{path.Base(name), info.ModTime()}, nil
	}
	return info, err
}

// A row is an entry of a directory.
type row struct {
	Name   string
	Info   fs.FileInfo // links followed where they lead somewhere
	Target string      // of a link
}

// Link is where the entry is, relative to its directory; empty if it cannot be opened.
func (r row) Link() string {
	switch {
	case r.Info.IsDir():
		return "./" + url.PathEscape(r.Name) + "/"
	case r.Info.Mode().IsRegular():
		return "./" + url.PathEscape(r.Name)
	}
	return ""
}

// list returns the entries of a directory.
func (v *view) list(name string) ([]row, error) {
	f, snap, rest, err := v.at(name)
	if err != nil {
		return nil, err
	}
	var rows []row
	if snap == nil {
		for _, n := range f.Names() {
			k := f.Kids[n]
			if k.Snapshot != nil {
				rows = append(rows, row{Name: n, Info: folderInfo{n, k.Snapshot.Time}})
			} else {
				rows = append(rows, row{Name: n, Info: folderInfo{n, k.Folder.Last}})
			}
		}
		return rows, nil
	}
	entries, err := fs.ReadDir(snap, rest)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		r := row{Name: e.Name(), Info: info}
		if info.Mode()&fs.ModeSymlink != 0 {
			if d, ok := info.Sys().(*vac.Dir); ok {
				r.Target = d.Target
			}
			if at, err := fs.Stat(snap, path.Join(rest, e.Name())); err == nil {
				r.Info = at
			} else if v.ctx.Err() != nil {
				return nil, err
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// get answers with a file, or a page that lists a directory.
func (v *view) get(w http.ResponseWriter, r *http.Request, name string, asDir bool) error {
	info, err := v.stat(name)
	switch {
	case err != nil:
		return err
	case info.IsDir() && !asDir:
		to := url.URL{Path: r.URL.Path + "/"}
		http.Redirect(w, r, to.EscapedPath(), http.StatusMovedPermanently)
		return nil
	case info.IsDir():
		return v.page(w, r, name)
	case asDir:
		return fs.ErrNotExist
	case !info.Mode().IsRegular():
		return errInert
	}
	_, snap, rest, err := v.at(name)
	if err != nil {
		return err
	}
	f, err := snap.Open(rest)
	if err != nil {
		return err
	}
	defer f.Close()
	content, ok := f.(io.ReadSeeker)
	if !ok {
		return errInert
	}
	if r.Method == http.MethodGet && r.Header.Get("Range") == "" && info.Size() > 0 { // so that the failure can still be told
		var b [1]byte
		if _, err := io.ReadFull(content, b[:]); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("ETag", etag(info))
	h.Set("Content-Type", contentType(name))
	h.Del("Content-Security-Policy")
	if contentType(name) != "application/pdf" { // which browsers show in a sandbox of their own, and in no other
		h.Set("Content-Security-Policy", "sandbox")
	}
	http.ServeContent(w, r, "", info.ModTime(), content)
	return nil
}

// etag names the content of a file.
func etag(info fs.FileInfo) string {
	d, ok := info.Sys().(*vac.Dir)
	if !ok {
		return ""
	}
	switch d.Content.Kind {
	case vac.Stream:
		e := d.Content.Stream
		return fmt.Sprintf(`"%s-%d-%d"`, e.Top.Score, e.Depth, e.Size)
	case vac.Sliced:
		return `"` + hex.EncodeToString(d.Content.Slice.Hash[:]) + `"`
	}
	return `"empty"`
}

// contentType goes by the name alone, so that nothing has to be read for it.
func contentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// folderInfo is the fs.FileInfo of a folder above the files.
type folderInfo struct {
	name string
	last time.Time
}

func (f folderInfo) Name() string       { return f.name }
func (f folderInfo) Size() int64        { return 0 }
func (f folderInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (f folderInfo) ModTime() time.Time { return f.last }
func (f folderInfo) IsDir() bool        { return true }
func (f folderInfo) Sys() any           { return nil }
