package web

import (
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// pageText is the page that lists a directory.
const pageText = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font-family:sans-serif;margin:1em}td,th{padding:.1em 1em .1em 0;text-align:left}td.n{text-align:right}</style>
<h1>{{.Title}}</h1>
<table>
<tr><th>Name<th>Size<th>Modified
{{if .Up}}<tr><td><a href="../">../</a><td><td>
{{end}}{{range .Rows}}<tr><td>{{if .Link}}<a href="{{.Link}}">{{.Text}}</a>{{else}}{{.Text}}{{end}}{{with .Target}} &rarr; {{.}}{{end}}<td class="n">{{.Size}}<td>{{.Time}}
{{end}}</table>
</html>
`

// pageRow is a row as the page shows it.
type pageRow struct{ Link, Text, Target, Size, Time string }

// page answers with the page of a directory.
func (v *view) page(w http.ResponseWriter, r *http.Request, name string) error {
	rows, err := v.list(name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodHead {
		return nil
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	p := struct {
		Title string
		Up    bool
		Rows  []pageRow
	}{"/", name != ".", make([]pageRow, len(rows))}
	if p.Up {
		p.Title = shown("/" + name + "/")
	}
	for i, r := range rows {
		out := pageRow{Link: r.Link(), Text: shown(r.Name), Target: shown(r.Target)}
		if r.Info.IsDir() {
			out.Text += "/"
		} else if r.Info.Mode().IsRegular() {
			out.Size = humanize.IBytes(uint64(max(0, r.Info.Size())))
		}
		if at := r.Info.ModTime(); !at.IsZero() {
			out.Time = at.In(v.s.cfg.Zone).Format(time.DateTime)
		}
		p.Rows[i] = out
	}
	if err := t.Execute(w, p); err != nil {
		return nil // whoever asked is gone, and part of the page is sent
	}
	return nil
}

// shown writes a name of any bytes as text.
func shown(name string) string { return strings.ToValidUTF8(name, string(utf8.RuneError)) }
