package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/options"
	"github.com/dgraph-io/badger/table"
	"github.com/ipfs/go-datastore"
	badgerds "github.com/ipfs/go-ds-badger"
	"golang.org/x/sys/unix"

	"ventidhash/venti"
)

// badgerOptions returns how Badger is run: rows are small and stay in its tree, nothing in it is the only copy, and its
// memory counts.
func badgerOptions(logSize int64) *badgerds.Options {
	o := badgerds.DefaultOptions
	o.SyncWrites = false                         // what is lost is read from the arenas again
	o.ValueThreshold = 1 << 10                   // rows stay in the tree
	o.ValueLogFileSize = cmp.Or(logSize, 16<<20) // the unit in which its space comes back
	o.ValueLogLoadingMode = options.FileIO
	o.TableLoadingMode = options.FileIO
	o.NumMemtables = 1
	o.MaxTableSize = 1 << 20 // also the size of a memtable; a compaction takes some fifty times this
	o.LevelOneSize = 4 << 20
	o.NumCompactors = 2
	o.Truncate = true // a torn tail must not keep the store shut
	o.VerifyValueChecksum = true
	o.EventLogging = false
	o.GcInterval = 0
	return &o
}

// openBadger opens the datastore in dir, or makes it. An error that wraps ErrDamaged says that it is damaged, with or
// without Badger noticing: a table whose checksum fails is left out by Badger without an error.
func openBadger(dir string, logSize int64) (d *badgerds.Datastore, err error) {
	defer func() {
		if p := recover(); p != nil { // Badger on files that it did not expect
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	before, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return nil, err
	}
	d, err = badgerds.NewDatastore(dir, badgerOptions(logSize))
	if err != nil {
		for _, innocent := range []error{unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ENFILE, unix.EACCES, unix.EROFS, unix.EAGAIN} {
			if errors.Is(err, innocent) {
				return nil, fmt.Errorf("opening the index: %w", err)
			}
		}
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	loaded := map[string]bool{}
	for _, t := range d.DB.Tables(false) {
		loaded[filepath.Join(dir, table.IDToFilename(t.ID))] = true
	}
	for _, f := range before {
		if _, err := os.Stat(f); err == nil && !loaded[f] && !compacted(f) {
			return nil, errors.Join(fmt.Errorf("%w: table %s fails its checksum", ErrDamaged, f), d.Close())
		}
	}
	return d, nil
}

// compacted reports whether table file f is about to go because a compaction that has just run replaced it.
func compacted(f string) bool {
	for range 20 {
		time.Sleep(5 * time.Millisecond)
		if _, err := os.Stat(f); errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
}

// openFor opens the datastore and checks that it belongs to the right store. One that is damaged, or another store's, is
// removed and an empty one made; the second result says so.
func openFor(ctx context.Context, cfg Config) (ds *badgerds.Datastore, why error, err error) {
	ds, why = tryOpen(ctx, cfg)
	if why == nil {
		return ds, nil, nil
	}
	if !errors.Is(why, ErrDamaged) {
		return nil, nil, why
	}
	if err := discard(cfg.Dir); err != nil {
		return nil, nil, err
	}
	ds, err = tryOpen(ctx, cfg)
	return ds, why, err
}

// discard moves the index out of the way in one step and removes it.
func discard(dir string) error {
	aside := dir + ".old"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.Rename(dir, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(aside)
}

func tryOpen(ctx context.Context, cfg Config) (*badgerds.Datastore, error) {
	d, err := openBadger(cfg.Dir, cfg.LogSize)
	if err != nil {
		return nil, err
	}
	got, err := d.Get(ctx, datastore.RawKey(storeRow))
	switch {
	case errors.Is(err, datastore.ErrNotFound): // new, or cut before its first row: replay fills it
		err = d.Put(ctx, datastore.RawKey(storeRow), venti.AppendBytes([]byte{rowVersion}, cfg.Store))
	case err == nil && string(got) != string(venti.AppendBytes([]byte{rowVersion}, cfg.Store)):
		err = fmt.Errorf("%w: it belongs to another store", ErrDamaged)
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// closeWait bounds how long closing the index may take: Badger tries for ever to write to a disk that is full.
const closeWait = 15 * time.Second

// closeBadger closes d. If that does not come to an end, it is given up, and the next Open repairs what is missing.
func closeBadger(d interface{ Close() error }) error {
	done := make(chan error, 1)
	go func() { done <- d.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeWait):
		return errors.New("the index could not be written (is the disk full?); it will be repaired when the store is next opened")
	}
}
