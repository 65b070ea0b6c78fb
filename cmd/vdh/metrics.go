package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
)

const (
	scrapeTime    = 10 * time.Second // in which metrics are made
	scrapesAtOnce = 4
	seriesOfPaths = 500 // hosts and paths whose snapshots are told of, at most
)

// A nodeView is what the metrics are made of.
type nodeView interface {
	Status() node.Status
	Members() []node.MemberInfo
	Lent() []node.LentInfo
}

// nodeMetrics is the prometheus.Collector of a node: each scrape asks anew, and nothing is kept in between.
type nodeMetrics struct {
	node  nodeView
	lists func(context.Context) []keptList // of this user
	warns *countingHandler
}

// A keptList is the list of snapshots in one of the stores that this user has.
type keptList struct {
	store  string // "folder" or "swarm"
	list   []snapshot.Snapshot
	proven provens
	err    error // it cannot be read
}

// metric describes one metric.
func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector. Which metrics there are depends on what there is: none is described.
func (m *nodeMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *nodeMetrics) Collect(to chan<- prometheus.Metric) {
	s := samples(to)
	st := m.node.Status()
	s.node(&st)
	if st.Care != nil {
		s.care(st.Care)
	}
	s.lent(m.node.Lent())
	s.swarm(&st, m.node.Members())
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for _, l := range m.lists(ctx) {
		s.snapshots(l)
	}
	s.counter("vdh_node_log_messages_total", "Lines that the node has logged since it started, by level.",
		float64(m.warns.warned.Load()), "level", "warn")
	s.counter("vdh_node_log_messages_total", "Lines that the node has logged since it started, by level.",
		float64(m.warns.failed.Load()), "level", "error")
}

// samples takes metrics.
type samples chan<- prometheus.Metric

func (s samples) add(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var keys, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		keys, values = append(keys, labels[i]), append(values, printable(labels[i+1]))
	}
	s <- prometheus.MustNewConstMetric(metric(name, help, keys...), kind, v, values...)
}

// gauge adds the value of a gauge. labels are names and values in turn.
func (s samples) gauge(name, help string, v float64, labels ...string) {
	s.add(prometheus.GaugeValue, name, help, v, labels)
}

func (s samples) counter(name, help string, v float64, labels ...string) {
	s.add(prometheus.CounterValue, name, help, v, labels)
}

// when adds a time, or nothing if it is zero.
func (s samples) when(name, help string, t time.Time, labels ...string) {
	if !t.IsZero() {
		s.gauge(name, help, float64(t.UnixMilli())/1000, labels...)
	}
}

// yes is 1 for true.
func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s samples) node(st *node.Status) {
	s.gauge("vdh_node_info", "Always 1; who the node is.", 1,
		"id", st.ID, "name", st.Name, "domain", st.Domain, "swarm", st.Swarm, "version", st.Version)
	s.when("vdh_node_start_timestamp_seconds", "When the node started.", st.Started)
	s.gauge("vdh_node_capacity_bytes", "What the node lends.", float64(st.Capacity))
	s.gauge("vdh_node_used_bytes", "What is used on the disk of what the node lends.", float64(st.Used))
	s.gauge("vdh_node_free_bytes", "What can still be stored: of the capacity, or of the disk if that has less.", float64(st.Free))
	s.gauge("vdh_node_fragments", "Fragments that the node holds and somebody claims.", float64(st.Fragments))
}

// care adds how the node keeps what it holds.
func (s samples) care(c *node.Care) {
	s.gauge("vdh_trash_fragments", "Fragments that nobody claims any more.", float64(c.Trash))
	s.gauge("vdh_trash_bytes", "What fragments that nobody claims take on the disk.", float64(c.TrashBytes))
	s.gauge("vdh_damaged_fragments", "Fragments known to be damaged, and not made again yet.", float64(c.Bad))
	s.gauge("vdh_node_heads", "Owners whose head is kept: what leads to their newest list of snapshots.", float64(c.Heads))
	s.gauge("vdh_node_deletion_paused", "1 while the node gives nothing up, since something is strange.", yes(c.Paused != ""))
	s.gauge("vdh_node_retiring", "1 if the node is about to leave and hands over what it holds.", yes(c.Retiring))

	r := &c.Repair
	s.gauge("vdh_repair_queue_blocks", "Blocks that repair has to look at.", float64(r.Queued))
	s.gauge("vdh_repair_urgent_blocks", "Blocks in the queue of repair that are close to their loss.", float64(r.Urgent))
	s.gauge("vdh_repair_irreparable_blocks", "Blocks with too few fragments at the members that answer now.", float64(r.Irreparable))
	s.gauge("vdh_repair_oldest_seconds", "For how long the oldest block in the queue of repair has waited.", float64(r.OldestSec))
	s.gauge("vdh_repair_braked", "1 while most members have vanished at once, and the node takes itself for cut off.", yes(r.Braked))
	s.counter("vdh_repair_repaired_blocks_total", "Blocks brought back to full strength.", float64(r.Repaired))
	s.counter("vdh_repair_recoded_blocks_total", "Blocks that were given another code.", float64(r.Recoded))
	s.counter("vdh_repair_made_fragments_total", "Fragments made by repair.", float64(r.Made))
	s.counter("vdh_repair_handed_fragments_total", "Fragments that repair handed over to the member that should have them.", float64(r.HandedOff))
	s.counter("vdh_repair_read_bytes_total", "Read from members for repair.", float64(r.Read))
	s.counter("vdh_repair_written_bytes_total", "Sent to members by repair.", float64(r.Written))

	s.counter("vdh_scrub_fragments_total", "Fragments hashed on the disk.", float64(c.Scrubbed.Fragments))
	s.counter("vdh_scrub_bytes_total", "Bytes hashed on the disk; vdh_node_used_bytes is one round.", float64(c.Scrubbed.Bytes))
	s.counter("vdh_scrub_damaged_fragments_total", "Damaged fragments found by hashing.", float64(c.Scrubbed.Damaged))
	s.when("vdh_scrub_last_timestamp_seconds", "When everything had been hashed last, since the start.", c.Scrubbed.Ended)

	w := c.Swept
	if w == nil {
		return
	}
	s.when("vdh_sweep_last_timestamp_seconds", "When the last round of the sweep ended, since the start.", w.Ended)
	s.gauge("vdh_sweep_duration_seconds", "How long the last round of the sweep took.", w.Seconds)
	s.gauge("vdh_sweep_blocks", "Blocks of which the node holds a fragment, as the sweep counted.", float64(w.Blocks))
	s.gauge("vdh_sweep_short_blocks", "Blocks that lack fragments, as the sweep counted.", float64(w.Short))
	s.gauge("vdh_sweep_stray_fragments", "Fragments here that another member should hold, as the sweep counted.", float64(w.Strays))
	s.gauge("vdh_sweep_neighbours", "Members that the sweep compared with.", float64(w.Neighbours))
	if len(w.Above) > 0 {
		weakest := slices.Min(slices.Collect(maps.Keys(w.Above)))
		s.gauge("vdh_sweep_weakest_spare_fragments",
			"Fragments that the weakest block had beyond those needed, as the sweep counted; absent if no block is short.", float64(weakest))
	}
}

// lent adds what the node lends, to all owners together.
func (s samples) lent(list []node.LentInfo) {
	owners, fragments, bytes := map[string]int{"active": 0, "lapsed": 0, "orphaned": 0}, int64(0), int64(0)
	for _, l := range list {
		owners[l.State]++
		fragments += l.Fragments
		bytes += l.Bytes
	}
	for state, n := range owners {
		s.gauge("vdh_lent_owners", "Owners who have claims here, by state.", float64(n), "state", state)
	}
	s.gauge("vdh_lent_claims", "Claims of all owners on fragments here.", float64(fragments))
	s.gauge("vdh_lent_bytes", "Bytes here that owners claim; what two owners claim counts twice.", float64(bytes))
}

// swarm adds how the swarm stands, as the node sees it.
func (s samples) swarm(st *node.Status, members []node.MemberInfo) {
	states := map[string]int{"alive": 0, "suspect": 0, "dead": 0}
	for _, m := range members {
		states[m.State]++
	}
	for state, n := range states {
		s.gauge("vdh_swarm_members", "Members in the roster, this one included, by state.", float64(n), "state", state)
	}
	const nines = "Nines of availability of a new block, by moment: when all its fragments are held, just before it is " +
		"repaired, and as the swarm wants them."
	s.gauge("vdh_swarm_nines", nines, st.Fresh, "moment", "fresh")
	s.gauge("vdh_swarm_nines", nines, st.Repair, "moment", "threshold")
	s.gauge("vdh_swarm_nines", nines, st.Target, "moment", "target")
	s.gauge("vdh_swarm_manifest_revision", "Revision of what the members have agreed on.", float64(st.Revision))
	s.counter("vdh_dht_lookups_total", "Lookups in the DHT for blocks.", float64(st.Lookups))
	s.counter("vdh_dht_requests_total", "Requests of the DHT, for whatever reason.", float64(st.Requests))
	s.gauge("vdh_dht_table_members", "Members in the DHT's routing table.", float64(st.Table))
}

// snapshots adds what is known of an identity's snapshots in a store.
func (s samples) snapshots(l keptList) {
	s.gauge("vdh_catalog_readable", "0 if the list of snapshots cannot be read (vdh snapshots says why).", yes(l.err == nil), "store", l.store)
	if l.err != nil {
		return
	}
	s.gauge("vdh_snapshots", "Snapshots in the catalog.", float64(len(l.list)), "store", l.store)
	type place struct{ host, path string }
	newest := map[place]snapshot.Snapshot{}
	for _, snap := range l.list {
		for _, p := range snap.Paths {
			at := place{snap.Host, p}
			if had, ok := newest[at]; !snap.Share && (ok || len(newest) < seriesOfPaths) && snapshot.Compare(snap, had) > 0 {
				newest[at] = snap
			}
		}
	}
	for at, snap := range newest {
		labels := []string{"store", l.store, "host", at.host, "path", at.path}
		s.when("vdh_snapshot_last_timestamp_seconds", "When the newest snapshot of a path was made.", snap.Time, labels...)
		s.gauge("vdh_snapshot_last_unreadable_files", "Files that could not be read for the newest snapshot of a path.", float64(snap.Incomplete), labels...)
	}
	if p := l.proven.last(); p != nil {
		s.when("vdh_check_last_timestamp_seconds", "When vdh check last looked at all blocks of snapshots.", p.at, "store", l.store)
		s.gauge("vdh_check_weakest_spare_fragments",
			"Fragments that the weakest block had beyond those needed at that check; below 0: damage, or not all was proven.",
			float64(p.above), "store", l.store)
	}
}

// keptLists returns the lists of snapshots that this user has in a store, as vdh --store names it, and in the swarm, as
// they are now.
func keptLists(ctx context.Context, store string) []keptList {
	owner, err := newApp(nil, io.Discard, io.Discard).identity(false)
	if err != nil {
		return nil // there is none
	}
	var out []keptList
	stores := []string{store, swarmWord}
	if store == swarmWord {
		stores[0] = "" // the usual folder
	}
	for _, store := range stores {
		a := app{storePath: store}
		at, err := a.where()
		if err != nil {
			continue
		}
		l := keptList{store: "folder"}
		if at.swarm {
			l.store = swarmWord
		}
		dir := at.catalog(owner)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		cat, err := catalog.Open(catalog.Config{Dir: dir, Owner: owner})
		if err == nil {
			l.list, err = cat.List(ctx)
		}
		l.err, l.proven = err, readProvens(dir)
		out = append(out, l)
	}
	return out
}

// serveMetrics answers Prometheus until ctx is done.
func serveMetrics(ctx context.Context, l net.Listener, m *nodeMetrics, log *slog.Logger) {
	log.Info("metrics", slog.String("url", "http://"+l.Addr().String()+"/metrics"))
	if err := serveHTTP(ctx, l, &http.Server{Handler: metricsHandler(m), WriteTimeout: 2 * scrapeTime}); err != nil {
		log.Error("metrics are not served any more", slog.Any("err", err))
	}
}

// metricsHandler answers GET /metrics.
func metricsHandler(m *nodeMetrics) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true,
		MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTime}))
	return mux
}
