package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/restore"
)

// hostNames returns the hosts of snapshots, each once, by name.
func hostNames(list []snapshot.Snapshot) (hosts []string) {
	for _, s := range list {
		hosts = append(hosts, s.Host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// coveredBy reports whether a snapshot is of the same host as another one, and all its paths lie in that one's.
func coveredBy(s, other snapshot.Snapshot) bool {
	return other.Host == s.Host && !slices.ContainsFunc(s.Paths, func(p string) bool {
		return !slices.ContainsFunc(other.Paths, func(q string) bool { return archive.Within(p, q) })
	})
}

// newestOf returns the newest snapshot of each set of paths of some hosts, the oldest first: what two of them have comes
// from the newer one. One whose paths all lie in those of a newer one is left out, and so is what was made to be shared.
//
// That holds for a newer one as well that lacks files which could not be read: what comes back is what there was at one time.
// An older one below it would bring back all that was removed since, of perhaps a year where some file can never be read.
// noteUnread says where the files may be.
func newestOf(list []snapshot.Snapshot, hosts []string) (out []snapshot.Snapshot) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, snapshot.Compare)
	for _, s := range slices.Backward(list) {
		covered := func(newer snapshot.Snapshot) bool { return coveredBy(s, newer) }
		if !s.Share && slices.Contains(hosts, s.Host) && !slices.ContainsFunc(out, covered) {
			out = append(out, s)
		}
	}
	slices.Reverse(out)
	return out
}

// lastWhole returns the newest snapshot of all that is in another one of which every file could be read.
func lastWhole(list []snapshot.Snapshot, s snapshot.Snapshot) (last snapshot.Snapshot, ok bool) {
	for _, w := range list {
		if w.Incomplete == 0 && !w.Share && coveredBy(s, w) && (!ok || snapshot.Compare(w, last) > 0) {
			last, ok = w, true
		}
	}
	return last, ok
}

// noteUnread says of what came back which files it lacks because they could not be read, and what has them.
func (r *recovery) noteUnread(list []snapshot.Snapshot, all []*bringing) {
	for _, b := range all {
		if b.snap.Incomplete == 0 {
			continue
		}
		lacks := fmt.Sprintf("%s of %s, %s could not be read for the snapshot of %s", count(int64(b.snap.Incomplete), "file", "files"),
			printable(b.snap.Host), showPaths(b.snap.Paths), localTime(b.snap.Time))
		if w, ok := lastWhole(list, b.snap); ok {
			r.note("vdh: %s; the last one that has all is %s, of %s: vdh restore %s --target %s --overwrite never brings back what is "+
				"missing, also what was removed since", lacks, w.Score.Short(), localTime(w.Time), w.Score.Short(), printable(b.target))
		} else {
			r.note("vdh: %s, and no snapshot has all", lacks)
		}
	}
}

// hosts returns whose files come back: those of --host, or of this machine, or of the one whose place it takes, or of the
// only one there is.
func (r *recovery) hosts(list []snapshot.Snapshot) ([]string, error) {
	all := hostNames(list)
	for _, h := range r.f.hosts {
		if !slices.Contains(all, h) {
			return nil, fmt.Errorf("%w: of host %q there is none; there are: %s", snapshot.ErrNoSnapshot, h, showPaths(all))
		}
	}
	if len(r.f.hosts) > 0 {
		return r.f.hosts, nil
	}
	for _, h := range []string{string(r.line.As), archive.Hostname()} {
		if slices.Contains(all, h) {
			return []string{h}, nil
		}
	}
	if len(all) > 1 {
		return nil, usage{fmt.Errorf("say whose files are to come back with --host; there are: %s", showPaths(all))}
	}
	return all, nil
}

// A bringing is a snapshot that is brought back, and where to.
type bringing struct {
	*named
	target string
	report restore.Report // of what was brought back first
}

// files brings files back.
func (r *recovery) files(ctx context.Context) error {
	list, err := r.list(ctx)
	if err != nil {
		return err
	}
	hosts, err := r.hosts(list)
	if err != nil {
		return err
	}
	chosen := newestOf(list, hosts)
	if r.f.latest {
		var last []snapshot.Snapshot
		for _, h := range hosts {
			if of := newestOf(list, []string{h}); len(of) > 0 {
				last = append(last, of[len(of)-1])
			}
		}
		chosen = last
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%w: there is nothing to bring back", snapshot.ErrNoSnapshot)
	}
	target, err := filepath.Abs(r.f.target)
	if err != nil {
		return err
	}
	var all []*bringing
	for _, s := range chosen {
		t, err := r.openOwn(ctx, s)
		if err != nil {
			return err
		}
		b := &bringing{named: &named{s, t, ""}, target: target}
		if len(hosts) > 1 {
			b.target = filepath.Join(target, folderOf(s.Host))
		}
		all = append(all, b)
	}
	err = r.bring(ctx, all)
	if ctx.Err() == nil {
		r.noteUnread(list, all)
	}
	return err
}

// folderOf returns the name of the folder for a host's files.
func folderOf(host string) string {
	name := strings.ReplaceAll(host, "/", "_")
	if name == "" || name == "." || name == ".." {
		return "host " + name
	}
	return name
}

// bring brings back what comes first, of all snapshots, and then the rest of each.
func (r *recovery) bring(ctx context.Context, all []*bringing) error {
	for _, pattern := range r.f.first {
		for _, b := range all {
			rep, err := r.restoreOne(ctx, b, "recover "+pattern, restore.Config{Include: []string{pattern}})
			if err != nil {
				return err
			}
			b.report.Files, b.report.Links = b.report.Files+rep.Files, b.report.Links+rep.Links
			b.report.Bytes += rep.Bytes
			r.note("vdh: %s of %s and %s: %s came back, %s; %d were there", pattern, printable(b.snap.Host), showPaths(b.snap.Paths),
				count(rep.Files, "file", "files"), size(rep.Bytes), rep.Skipped)
		}
	}
	var failed error
	for _, b := range all {
		begin := time.Now()
		rep, err := r.restoreOne(ctx, b, "recover", restore.Config{Warn: r.fileError})
		if err != nil {
			return err
		}
		r.learn(ctx, b)
		rep.Skipped = max(0, rep.Skipped-b.report.Files)
		rep.Files, rep.Links, rep.Bytes = rep.Files+b.report.Files, rep.Links+b.report.Links, rep.Bytes+b.report.Bytes
		if err := r.reportRestore(b.named, restore.Config{Target: b.target}, rep, time.Since(begin)); err != nil {
			failed = err
		}
	}
	return failed
}

// restoreOne brings back of a snapshot what is not there yet.
func (r *recovery) restoreOne(ctx context.Context, b *bringing, verb string, cfg restore.Config) (restore.Report, error) {
	p := &restore.Progress{}
	cfg.Target, cfg.Overwrite, cfg.Progress, cfg.Sync = b.target, restore.IfChanged, p, true
	total := int64(0)
	if len(cfg.Include) == 0 {
		total = int64(b.tree.Root.Bytes)
	}
	stop := r.watch(ctx, verb, total, func() tally {
		return tally{files: p.Files.Load(), bytes: p.Bytes.Load(), current: p.Path()}
	})
	rep, err := restore.Run(ctx, b.tree, "", cfg)
	stop()
	return rep, err
}

// learn notes where the small files that came back are stored, so that the next backup, to which all files are new, does
// not store them anew. If that fails, it does.
func (r *recovery) learn(ctx context.Context, b *bringing) {
	known, err := r.known()
	if err == nil {
		err = known.Learn(ctx, b.tree, b.target)
		known.Close()
	}
	if err != nil && ctx.Err() == nil {
		r.note("vdh: the next backup stores small files anew: %v", err)
	}
}
