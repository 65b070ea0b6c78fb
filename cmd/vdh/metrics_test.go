package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/snapshot"
)

// A stillNode is a node that always says the same.
type stillNode struct {
	status  node.Status
	members []node.MemberInfo
	lent    []node.LentInfo
}

func (n *stillNode) Status() node.Status        { return n.status }
func (n *stillNode) Members() []node.MemberInfo { return n.members }
func (n *stillNode) Lent() []node.LentInfo      { return n.lent }

// busyMetrics are those of a node that has something to say about everything.
func busyMetrics() *nodeMetrics {
	at := time.Unix(1_800_000_000, 0)
	n := &stillNode{
		status: node.Status{ID: "12D3", Name: "anna\n", Domain: "a/a", Swarm: "lab\xff", Version: "1", Started: at, Capacity: 1000, Used: 400,
			Free: 600, Fragments: 7, Members: 3, Alive: 2, Revision: 2, Code: "1/3", Target: 5, Fresh: 3, Repair: 2, Lookups: 3, Requests: 4, Table: 2,
			Care: &node.Care{Swept: &node.Swept{Ended: at, Seconds: 1.5, Blocks: 9, Short: 3, Above: map[int]int64{4: 2, -1: 1}, Strays: 1,
				Neighbours: 2}, Repair: node.Repairs{Queued: 5, Urgent: 1, Irreparable: 1, Braked: true, Repaired: 8, Made: 9,
				OldestSec: 61}, Scrubbed: node.Scrubbed{Fragments: 3, Bytes: 300, Damaged: 1, Ended: at}, Trash: 2, TrashBytes: 20, Bad: 1,
				Heads: 6, Paused: "clock"}},
		members: []node.MemberInfo{{State: "alive"}, {State: "alive"}, {State: "dead"}},
		lent:    []node.LentInfo{{State: "active", Fragments: 4, Bytes: 40}, {State: "lapsed", Fragments: 3, Bytes: 30}},
	}
	srv := func(day int) snapshot.Snapshot {
		return snapshot.Snapshot{Time: at.AddDate(0, 0, day), Host: "www", Paths: []string{"/srv", "/odd\xff"}, Incomplete: 2}
	}
	warns := newCountingHandler(slog.DiscardHandler)
	warns.warned.Add(3)
	return &nodeMetrics{n, func(context.Context) []keptList {
		return []keptList{{store: "folder", list: []snapshot.Snapshot{srv(-2), srv(-1)}, proven: provens{{}: {at, 3}}},
			{store: "swarm", err: errors.New("damaged")}}
	}, warns}
}

// scrape gets metrics as Prometheus does.
func scrape(t *testing.T, m *nodeMetrics, accept string) (map[string]*dto.MetricFamily, string) {
	t.Helper()
	server := httptest.NewServer(metricsHandler(m))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", res.Status, err, body)
	}
	if accept != "" {
		return nil, string(body)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	maps.DeleteFunc(families, func(name string, _ *dto.MetricFamily) bool { return !strings.HasPrefix(name, "vdh_") })
	return families, string(body)
}

// TestMetrics compares what is told to Prometheus with what the node says.
func TestMetrics(t *testing.T) {
	families, body := scrape(t, busyMetrics(), "")
	for _, want := range []string{
		`vdh_node_info{domain="a/a",id="12D3",name="\"anna\\n\"",swarm="\"lab\\xff\"",version="1"} 1`,
		"vdh_node_free_bytes 600", "vdh_repair_queue_blocks 5", "vdh_repair_oldest_seconds 61", "vdh_repair_braked 1",
		"vdh_trash_bytes 20", "vdh_damaged_fragments 1", "vdh_node_heads 6", "vdh_sweep_weakest_spare_fragments -1", "vdh_scrub_bytes_total 300",
		`vdh_lent_owners{state="lapsed"} 1`, `vdh_lent_owners{state="orphaned"} 0`, "vdh_lent_bytes 70",
		`vdh_swarm_members{state="alive"} 2`, `vdh_swarm_members{state="suspect"} 0`, `vdh_swarm_nines{moment="threshold"} 2`,
		`vdh_snapshot_last_timestamp_seconds{host="www",path="/srv",store="folder"} 1.7999136e+09`,
		`vdh_snapshot_last_unreadable_files{host="www",path="\"/odd\\xff\"",store="folder"} 2`,
		`vdh_check_weakest_spare_fragments{store="folder"} 3`, `vdh_catalog_readable{store="swarm"} 0`,
		`vdh_node_log_messages_total{level="warn"} 3`, "vdh_sweep_last_timestamp_seconds 1.8e+09",
	} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(body, `vdh_snapshots{store="swarm"}`) || len(families) < 40 {
		t.Errorf("%d families:\n%s", len(families), body)
	}
	if _, open := scrape(t, busyMetrics(), "application/openmetrics-text;version=1.0.0"); !strings.HasSuffix(open, "\n# EOF\n") ||
		!strings.Contains(open, "# TYPE vdh_repair_made_fragments counter\n") {
		t.Errorf("as OpenMetrics: %s", open)
	}
}

// TestMetricsLint has the names and texts judged by Prometheus' own rules.
func TestMetricsLint(t *testing.T) {
	_, body := scrape(t, busyMetrics(), "")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "vdh_") {
			continue
		}
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestMetricsOfNothing holds that a node that has done nothing yet has metrics, none of them of what was not.
func TestMetricsOfNothing(t *testing.T) {
	m := &nodeMetrics{&stillNode{}, func(context.Context) []keptList { return nil }, newCountingHandler(slog.DiscardHandler)}
	families, _ := scrape(t, m, "")
	for _, name := range []string{"vdh_sweep_blocks", "vdh_snapshots", "vdh_scrub_last_timestamp_seconds"} {
		if families[name] != nil {
			t.Errorf("there is %s", name)
		}
	}
}

// TestMetricsTopic holds that vdh help metrics names what there is, and nothing else.
func TestMetricsTopic(t *testing.T) {
	families, _ := scrape(t, busyMetrics(), "")
	var want strings.Builder
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		if len(labels) > 0 {
			name += "{" + strings.Join(labels, ",") + "}"
		}
		fmt.Fprintf(&want, "%s %s\n", name, f.GetHelp())
	}
	_, text := topic("metrics")
	_, list, _ := strings.Cut(text, "\nThe metrics:\n")
	var got strings.Builder
	for line := range strings.Lines(list) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "vdh_"):
			got.WriteString("\n" + line)
		case line != "":
			got.WriteString(" " + line)
		}
	}
	if strings.TrimSpace(got.String()) != strings.TrimSpace(want.String()) {
		t.Errorf("vdh help metrics has\n%s\nbut there is\n%s", got.String(), want.String())
	}
}

// TestCounting holds that what is logged is counted, also by loggers made of the first one.
func TestCounting(t *testing.T) {
	h := newCountingHandler(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	log := slog.New(h)
	log.With("a", 1).WithGroup("g").Error("x")
	log.Warn("not said") // the level is not enabled
	if h.failed.Load() != 1 || h.warned.Load() != 0 {
		t.Errorf("%d errors, %d warnings", h.failed.Load(), h.warned.Load())
	}
}

// TestListenHere holds that an address without a host is of this machine alone.
func TestListenHere(t *testing.T) {
	l, err := listenHere("metrics", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("%v", l.Addr())
	}
	var u usage
	if _, err := listenHere("metrics", "9735"); !errors.As(err, &u) {
		t.Errorf("%v", err)
	}
}

// TestMetricsOfNode asks a node that runs, and after a backup it says how old the snapshot is.
func TestMetricsOfNode(t *testing.T) {
	r := newTrial(t, 2, dhash.Code{Need: 1, Total: 2}, nil, "--metrics", ":0")
	name := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+/metrics)`)
	var urls [][][]byte
	for end := time.Now().Add(time.Minute); len(urls) < 2; time.Sleep(10 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(r.dir, "members.log"))
		r.do(err)
		if urls = name.FindAllSubmatch(log, -1); time.Now().After(end) {
			t.Fatalf("%d of 2 nodes say where their metrics are:\n%s", len(urls), log)
		}
	}
	_, text := topic("metrics")
	for _, url := range urls {
		res, err := http.Get(string(url[1]))
		r.do(err)
		p := expfmt.NewTextParser(model.UTF8Validation)
		families, err := p.TextToMetricFamilies(res.Body)
		r.do(err, res.Body.Close())
		for name := range families {
			if strings.HasPrefix(name, "vdh_") && !strings.Contains(text, "\n  "+name) {
				t.Errorf("%s is not in vdh help metrics", name)
			}
		}
		info := families["vdh_node_info"]
		if info == nil || families["vdh_node_capacity_bytes"].GetMetric()[0].GetGauge().GetValue() <= 0 || families["go_goroutines"] == nil {
			t.Errorf("%v", families)
		}
	}
}

// TestKeptLists holds that a node tells of the snapshots of the user who runs it, as they are now.
func TestKeptLists(t *testing.T) {
	m := newSwarmMachine(t)
	if l := keptLists(t.Context(), swarmWord); l != nil {
		t.Errorf("without an identity: %v", l)
	}
	src := m.source()
	m.run(0, "backup", src)
	m.run(0, "check")
	m.run(0, "backup", src, "--store", filepath.Join(m.dir, "data/vdh/store"))
	lists := keptLists(t.Context(), swarmWord)
	if len(lists) != 2 || lists[0].store != "folder" || lists[1].store != swarmWord {
		t.Fatalf("%+v", lists)
	}
	for _, l := range lists {
		if l.err != nil || len(l.list) != 1 || l.list[0].Paths[0] != src {
			t.Errorf("%+v", l)
		}
	}
	if p := lists[1].proven.last(); p == nil || p.above != 3 {
		t.Errorf("the last check: %v", p)
	}
	for _, name := range m.files("data/vdh/swarm/owners/*/head") {
		writeFile(t, name, []byte("damage"))
	}
	if l := keptLists(t.Context(), swarmWord); len(l) != 2 || l[0].err != nil || l[1].err == nil {
		t.Errorf("with a damaged head: %+v", l)
	}
}
