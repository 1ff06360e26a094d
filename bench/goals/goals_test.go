package goals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/bench/classify"
	"github.com/goipsec/goipsec/bench/e2e"
	"github.com/goipsec/goipsec/bench/handshake"
	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/memory"
	"github.com/goipsec/goipsec/bench/pipeline"
)

// tunnels is a run of two rounds in which now one WireGuard is faster and now the other.
func tunnels() *e2e.Result {
	peer := func(name string, tcp, udp, added, p99 []float64) e2e.Peer {
		return e2e.Peer{Name: name, TCP: []e2e.TCP{{Flows: 1, Gbps: measure.Of(tcp)}, {Flows: 4, Gbps: measure.Of(tcp)}},
			UDP:   []e2e.UDP{{Size: 64, Flows: 1, Rate: measure.Of(udp)}, {Size: 64, Flows: 64, Rate: measure.Of(udp)}},
			Added: measure.Of(added), Load: e2e.Load{P99: measure.Of(p99)}}
	}
	return &e2e.Result{Peers: []e2e.Peer{
		peer(e2e.Bare, []float64{12, 12}, []float64{600, 600}, nil, nil),
		peer("goipsec", []float64{4, 6}, []float64{100, 300}, []float64{30, 40}, []float64{500, 900}),
		peer("wireguard-go", []float64{1, 3}, []float64{50, 40}, []float64{60, 200}, []float64{1000, 2000}),
		peer("tailscale", []float64{2, 2}, []float64{40, 60}, []float64{100, 50}, []float64{2000, 1500}),
		peer(null, []float64{5, 6}, nil, nil, nil),
	}}
}

func all() *Results {
	way := pipeline.Way{Ratio: measure.Of([]float64{0.5, 0.7}), Allocs: measure.Of([]float64{0, 0})}
	slow := way
	slow.Ratio = measure.Of([]float64{5, 7})
	worse := way
	worse.Allocs = measure.Of([]float64{0.5, 0.5})
	lookup := func(ns float64) *classify.Result {
		spread := func(ns float64) classify.Spread {
			return classify.Spread{Median: ns, Min: ns / 2, Max: ns * 2, Rounds: 9}
		}
		return &classify.Result{Lookup: spread(ns), Together: spread(ns - 100)}
	}
	grown := lookup(800)
	grown.Changes = &classify.Changes{Each: measure.Of([]float64{4000, 5000, 6000})}
	return &Results{E2E: tunnels(),
		Pipeline: &pipeline.Result{Cases: []pipeline.Case{
			{Suite: "aes-gcm-16-128", SAs: 100_000, Kind: pipeline.Datagrams, Size: 1420, Out: slow, In: slow}, // what no goal is about
			{Suite: "aes-gcm-16-128", SAs: 1, Kind: pipeline.Superpackets, Size: 1420, Out: slow, In: slow},
			{Suite: "aes-gcm-16-128", SAs: 1, Kind: pipeline.Datagrams, Size: 1420, Out: way, In: way},
			{Suite: "aes-gcm-16-128", SAs: 1, Kind: pipeline.Datagrams, Size: 64, Out: way, In: worse},
			{Suite: "aes-cbc-128 hmac-sha256-128", SAs: 1, Kind: pipeline.Datagrams, Size: 1420, Out: way, In: way}}},
		Classify:  map[string]*classify.Result{hostPairs: lookup(200), "acl1": lookup(557), "fw1": lookup(2 * 241), "ipc1": lookup(374 / 2.0), grownFew: lookup(400), grownMillion: grown},
		Handshake: &handshake.Result{Cases: []handshake.Case{{Exchange: "curve25519", Place: handshake.Single, Rate: measure.Of([]float64{1})}, {Exchange: "curve25519", Place: handshake.Several, Rate: measure.Of([]float64{3000})}}},
		Memory:    &memory.Result{Pairs: []memory.Pair{{Suite: "aes-gcm-16-128", Bytes: measure.Of([]float64{5120, 5120, 5120})}}}}
}

// TestBesides: what stands beside a figure is told with it and not judged.
func TestBesides(t *testing.T) {
	for name, want := range map[string]string{
		"1,000,000 host-pair filters, a look-up":                                        "200 ns (100 – 400); 32 packets together 100 ns (50 – 200)",
		"1,000,000 mixed filters grown from these sets, a look-up, 32 packets together": "700 ns (350 – 1400); one by one 800 ns (400 – 1600)",
		"the same of 10,000 grown alike, looked up together as well":                    "2.33 × (1.17 – 4.67); one by one 2.00 × (1.00 – 4.00)",
	} {
		for _, row := range Judge(all()) {
			if row.Goal == name && (row.Text != want || row.Beside == nil) {
				t.Errorf("%s: %+v", name, row)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	got := map[string]Row{}
	for _, row := range Judge(all()) {
		key := row.Goal
		for i := 2; got[key].Goal != ""; i++ {
			key = fmt.Sprintf("%s %d", row.Goal, i)
		}
		got[key] = row
	}
	for name, want := range map[string]struct {
		median, min, max float64
		met              Met
	}{
		"TCP, 1 flow, AES-128-GCM in UDP":                                               {2, 2, 2, MustMet},        // 4 of 2 and 6 of 3
		"the same of the null forwarder":                                                {90, 80, 100, AimMet},     // percent
		"the same of the null forwarder 2":                                              {90, 80, 100, MustMet},    // there is no aim
		"UDP, 64-byte packets a second, 1 flow":                                         {3.5, 2, 5, MustMet},      // 100 of 50 and 300 of 60
		"idle round trip added":                                                         {0.65, 0.5, 0.8, MustMet}, // 30 of 60 and 40 of 50
		"round trip under TCP load, p99":                                                {0.55, 0.5, 0.6, MustMet}, // 500 of 1000 and 900 of 1500
		"outbound in memory, AES-128-GCM, 1420 bytes":                                   {0.6, 0.5, 0.7, AimMet},   // the limit itself is met
		"allocations a packet, the worst of all":                                        {0.5, 0.5, 0.5, NotMet},   // of the smallest, inbound
		"1,000,000 host-pair filters, a look-up":                                        {200, 100, 400, MustMet},  //
		"1,000,000 mixed filters grown from these sets, a look-up, 32 packets together": {700, 350, 1400, MustMet},
		"the same of 10,000 grown alike, looked up together as well":                    {7.0 / 3, 3.5 / 3, 14.0 / 3, MustMet},
		"an insertion or deletion at 1,000,000 filters, while readers look up":          {5, 4, 6, AimMet},              // microseconds
		"memory of an SA pair among 100,000":                                            {5, 5, 5, NotMet},              // kilobytes
		"TCP, 1 flow, raw ESP (protocol 50)":                                            {math.NaN(), 0, 0, Unmeasured}, // that peer did not run
		"ClassBench acl1, fw1, ipc1 with 10,000 filters, no cache, geometric mean":      {1, 0.5, 2, MustMet},           // 1, 2 and 1/2
		"IKEv1 main and quick mode a second, X25519, pre-shared key, both ends":         {3000, 3000, 3000, MustMet},
		"the null forwarder itself (4.5 and 7 Gb/s where the plain veth shows 12)":      {100 * 5.5 / 12, 100 * 5.0 / 12, 50, MustMet},
	} {
		row, ok := got[name]
		if !ok {
			t.Errorf("%s: no such goal", name)
			continue
		}
		if row.Met != want.met {
			t.Errorf("%s: %+v", name, row)
		}
		if want.met == Unmeasured {
			if row.Value != nil || row.Why != "the peer goipsec-raw was not measured" {
				t.Errorf("%s: %+v", name, row)
			}
			continue
		}
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, b) }
		if row.Value == nil || !near(row.Value.Median, want.median) || !near(row.Value.Min, want.min) || !near(row.Value.Max, want.max) {
			t.Errorf("%s: %+v, want %+v", name, row.Value, want)
		}
	}
}

// Whatever is missing, no goal of it counts as met, and it says why.
func TestWhatIsMissing(t *testing.T) {
	for _, r := range []*Results{{}, {E2E: &e2e.Result{}, Pipeline: &pipeline.Result{}, Classify: map[string]*classify.Result{}, Handshake: &handshake.Result{}, Memory: &memory.Result{}},
		{Missing: map[Part]string{E2E: "x", Pipeline: "x", Classify: "x", Handshake: "x", Memory: "x"}}} {
		for _, row := range Judge(r) {
			if row.Met != Unmeasured || row.Why == "" || row.Value != nil || row.Text != "–" {
				t.Errorf("%+v", row)
			}
		}
	}
	if got := reason(fmt.Errorf("bench: %w", fs.ErrPermission)); got != "it needs root" {
		t.Error(got)
	}
	if got := reason(errors.New("one\ntwo")); got != "one" {
		t.Error(got)
	}
}

// Each goal can be missed, and an aim is never easier than what must be.
func TestGoalsAreGoals(t *testing.T) {
	for _, g := range table() {
		if !g.noAim && !g.reaches(g.aim, g.must) || g.value == nil || !slices.Contains(Parts(), g.part) {
			t.Errorf("%+v", g)
		}
		beyond := g.must * 0.99
		if g.direction == most {
			beyond = g.must*1.01 + 0.01
		}
		if g.reaches(beyond, g.must) {
			t.Errorf("%s cannot be missed", g.name)
		}
	}
}

func TestReport(t *testing.T) {
	r := Report{Results: *all(), Goals: Judge(all())}
	var b strings.Builder
	if err := errors.Join(r.Text(&b), r.grid().Markdown(&b), r.notes(&b)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| TCP, 1 flow, AES-128-GCM in UDP | ≥ 1.5 W | ≥ 2.2 W | 2.00 W (2.00 – 2.00) | must |",
		"| memory of an SA pair among 100,000 | ≤ 4 KB | ≤ 2 KB | 5.00 KB (5.00 – 5.00) | no |",
		"| TCP, 1 flow, raw ESP (protocol 50) | ≥ 1 W | ≥ 1.5 W | – | not measured |",
		"| allocations a packet, the worst of all | ≤ 0 | ≤ 0 | 0.50 (0.50 – 0.50) | no |",
		"- not measured, because the peer goipsec-raw was not measured: TCP, 1 flow, raw ESP (protocol 50)\n",
		"| the null forwarder itself (4.5 and 7 Gb/s where the plain veth shows 12) | ≥ 37.5 % of veth | ≥ 58.3 % of veth |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing of:\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "Idle round trips") {
		t.Error("further rounds are told of, but there were none")
	}
	r.Results.E2E.Rounds, r.Results.E2E.IdleRounds = 3, 9
	if err := r.notes(&b); err != nil || !strings.Contains(b.String(), "Idle round trips are judged over 12 rounds, the rest of whole tunnels over 3.\n") {
		t.Error(err, b.String())
	}
	var files []string
	for _, c := range r.Charts() {
		files = append(files, c.File)
	}
	if !slices.Contains(files, "classify") || !slices.Contains(files, "e2e-tcp-4") || !slices.Contains(files, "pipeline-00") {
		t.Error(files)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || len(back.Goals) != len(r.Goals) || back.Goals[0].Text != r.Goals[0].Text || back.Results.E2E.Of("tailscale") == nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown part": {Only: []Part{"weight"}}, "no time": {Seconds: -1}, "no rounds": {Rounds: -1}, "no sets": {ClassBench: t.TempDir()},
	} {
		if _, err := Run(context.Background(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acl1_10k.rules"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Options{ClassBench: dir}.complete()
	if err != nil || len(o.Only) != len(Parts()) || o.Seconds != 4 || o.Rounds != 5 {
		t.Errorf("%+v, %v", o, err)
	}
}

// One part runs for real; the others say that they were not asked for.
func TestRun(t *testing.T) {
	var progress strings.Builder
	r, err := Run(t.Context(), Options{Only: []Part{Pipeline}, Rounds: 1, Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Goals {
		if (row.Part == Pipeline) != (row.Value != nil) || row.Part != Pipeline && row.Why != "it was not asked for" {
			t.Errorf("%+v", row)
		}
	}
	var b strings.Builder
	if err := r.Markdown(&b); err != nil || !strings.Contains(b.String(), "\n### pipeline\n\n| suite |") || strings.Contains(b.String(), "### e2e") || progress.String() != "pipeline\n" {
		t.Errorf("%v\n%s\n%s", err, &b, &progress)
	}
	if len(r.Charts()) != 2*len(pipeline.Suites()) {
		t.Errorf("%d charts", len(r.Charts()))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
