package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/snapshot/web"
)

const (
	serveClients = 64               // connections at once
	serveRead    = 30 * time.Second // in which a request has to be there
)

// serveFlags say where to serve snapshots.
type serveFlags struct{ listen, passwordFile string }

func newServe(a *app) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [NAME]",
		Short: "show snapshots to browsers and file managers, over HTTP and WebDAV",
		Long: `Shows all snapshots, or the one that is named, read-only at an address of this machine until it is
told to stop: pages that list directories, files at their paths, also in parts (Range), and the same
to whatever speaks WebDAV. It is for machines without FUSE. The folders are:

    latest/                    the newest snapshot
    ids/SCORE/                 each by its score
    dates/YYYY/MM/DD/hhmm/     each by its time
    hosts/HOST/                the same for one host

Snapshots that are made meanwhile appear, those that other machines make in a swarm within a minute
or two of looking. The ETag of a file is the same as long as its content is.

Without --password-file it is shown on the loopback alone, where every user of this machine can read
it, and under the name localhost alone. Elsewhere a password is needed. The file has one line,
NAME:PASSWORD, of which the password has 12 bytes or more, and only its owner may read it. The
password and the files travel in the clear: over a network that you do not trust, put a proxy with
TLS in front, or a tunnel.

It prints its address. With --json, one line of "type":"serving" with url.`,
		Example: `  vdh serve
  vdh serve latest --listen 127.0.0.1:8080
  vdh serve --listen 0.0.0.0:17037 --password-file ~/.config/vdh/web`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeNames(a, false),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.serve(cmd.Context(), names, &f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", loopback+":17037", "where to listen, HOST:PORT, or :PORT on this machine alone")
	cmd.Flags().StringVar(&f.passwordFile, "password-file", "", "file with NAME:PASSWORD that let in")
	return cmd
}

func (a *app) serve(ctx context.Context, names []string, f *serveFlags) error {
	cfg := web.Config{Log: a.logger()}
	var err error
	if f.passwordFile != "" {
		if cfg.Login, err = web.ReadLogin(f.passwordFile); err != nil {
			return usage{fmt.Errorf("--password-file: %w", err)}
		}
	}
	if len(names) == 1 {
		cfg.Tree, err = a.openToShow(ctx, names[0])
	} else {
		var all *shownList
		if all, err = a.shown(ctx); err == nil {
			var stop func()
			all.up, stop = a.keepUp(ctx, cfg.Log)
			defer stop()
			cfg.Snapshots = all
		}
	}
	if err != nil {
		return err
	}
	handler, err := web.New(cfg)
	if err != nil {
		return err
	}
	l, err := listenHere("listen", f.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	if at, ok := l.Addr().(*net.TCPAddr); f.passwordFile == "" && (!ok || !at.IP.IsLoopback()) {
		return usage{fmt.Errorf("--listen %s: others can reach this address, so a password is needed: give --password-file, "+
			"or listen on %s", f.listen, loopback)}
	}
	if err := a.endLease(); err != nil {
		return err
	}
	if err := a.printServing("http://" + l.Addr().String() + "/"); err != nil {
		return err
	}
	return serveHTTP(ctx, netutil.LimitListener(l, serveClients), &http.Server{Handler: handler, ReadTimeout: serveRead,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)})
}

// printServing says where it is served, at once.
func (a *app) printServing(url string) (err error) {
	if a.json {
		err = a.print(map[string]any{"type": "serving", "url": url})
	} else {
		_, err = fmt.Fprintln(a.out, url)
	}
	return errors.Join(err, a.out.Flush())
}

// openToShow opens the one snapshot that is to be shown.
func (a *app) openToShow(ctx context.Context, name string) (*vac.Tree, error) {
	n, err := a.open(ctx, name)
	if err != nil {
		return nil, err
	}
	if n.path != "" {
		return nil, usage{fmt.Errorf("%s: a whole snapshot is meant here, so leave %s away", printable(name), printable(n.path))}
	}
	return n.tree, nil
}

// shownList is the catalog as package web wants it.
type shownList struct {
	a  *app
	up *keepingUp
}

// shown returns the snapshots of the catalog. What they need is opened before anybody asks: an app is no more changed then.
func (a *app) shown(ctx context.Context) (*shownList, error) {
	if _, err := a.identity(false); err != nil {
		return nil, err
	}
	if err := a.reading(ctx); err != nil {
		return nil, err
	}
	a.look(ctx)
	if _, err := a.list(ctx); err != nil {
		return nil, err
	}
	_, err := a.plain(ctx)
	return &shownList{a: a}, err
}

// List implements web.Snapshots.
func (l *shownList) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	l.up.looked()
	return l.a.list(ctx)
}

// Open implements web.Snapshots.
func (l *shownList) Open(ctx context.Context, s snapshot.Snapshot) (*vac.Tree, error) {
	return l.a.openOwn(ctx, s)
}

// endLease lets a prune take away what is forgotten while this program goes on: what is shown for months is to keep nothing.
func (a *app) endLease() error {
	if a.lease == nil {
		return nil
	}
	l := a.lease
	a.lease = nil
	return l.Close()
}
