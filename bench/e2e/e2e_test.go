package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goipsec/goipsec/bench/flood"
	"github.com/goipsec/goipsec/bench/measure"
)

func TestParseIPerf(t *testing.T) {
	text, err := os.ReadFile("testdata/iperf3.json") // iperf 3.12, two flows over loopback
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseIPerf(text)
	want := transfer{version: "iperf 3.12", flows: 2, bytes: 2694053888, gbps: 21.52950218417385, resent: 0}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"an error":         {`{"start":{},"end":{},"error":"unable to connect to server: Connection refused"}`, "Connection refused"},
		"nothing":          {``, "cannot be read"},
		"half":             {string(text[:len(text)/2]), "cannot be read"},
		"no end":           {`{"start":{"version":"iperf 3.12"},"end":{}}`, "stood still"},
		"no bytes":         {`{"end":{"sum_sent":{},"sum_received":{"bytes":0,"bits_per_second":0}}}`, "stood still"},
		"no receiver":      {`{"end":{"sum_sent":{"retransmits":3}}}`, "stood still"},
		"another document": {`["iperf3"]`, "cannot be read"},
	} {
		if _, err := parseIPerf([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := Options{}.complete()
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Peers: []string{"goipsec", "wireguard-go"}, Measures: []string{"tcp", "udp", "load", "calls"}, Flows: []int{1, 4}, Seconds: 10, Rounds: 5, Echoes: 200,
		Window: 384, Progress: io.Discard}
	if diff := cmp.Diff(want, o, cmp.Comparer(func(a, b io.Writer) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for name, o := range map[string]Options{
		"unknown peer":  {Peers: []string{"openvpn"}},
		"no build":      {Peers: []string{"goipsec="}},
		"the reference": {Peers: []string{Bare}},
		"peer twice":    {Peers: []string{"goipsec", "goipsec"}},
		"no flow":       {Flows: []int{0}},
		"129 flows":     {Flows: []int{129}},
		"flows twice":   {Flows: []int{4, 4}},
		"back in time":  {Seconds: -1},
		"no rounds":     {Rounds: -1},
		"no echoes":     {Echoes: -1},
		"no window":     {Window: 63},
		"bad window":    {Window: -2},
		"a stranger":    {Peers: []string{"goipsec"}, Streams: []string{"tailscale"}},
		"minus one":     {IdleRounds: -1},
		"a silent one":  {Peers: []string{"goipsec"}, IdleRounds: 1, IdlePeers: []string{"tailscale"}},
		"no measure":    {Measures: []string{"tcp", "weight"}},
	} {
		if _, err := o.complete(); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every peer that is offered has a driver.
func TestEveryPeerIsKnown(t *testing.T) {
	if _, err := (Options{Peers: Peers()}).complete(); err != nil {
		t.Error(err)
	}
}

func TestAnotherBuild(t *testing.T) {
	for peer, want := range map[string]string{"goipsec": "", "goipsec=": "", "wireguard-go": "", "goipsec=/tmp/old": "/tmp/old"} {
		if got := anotherBuild(peer); got != want {
			t.Errorf("%s: %q", peer, got)
		}
	}
	if _, err := (Options{Peers: []string{"goipsec", "goipsec=/tmp/old"}}).complete(); err != nil {
		t.Error(err)
	}
}

// made is a run of two rounds, the second on a machine that was half as fast.
func made() Result {
	peers := []Peer{{Name: Bare, Protects: "nothing"}, {Name: "goipsec", Version: "v1", Protects: "ESP"}, {Name: "wireguard-go", Version: "v2", Protects: "WireGuard"}}
	udp := func(perSecond, sent uint64, cpu float64) (list []datagrams) {
		for range udpCases {
			list = append(list, datagrams{sent: flood.Sent{Packets: sent}, counts: flood.Counts{Received: perSecond * 10, InTime: perSecond * 10, Seconds: 10}, cpu: cpu})
		}
		return list
	}
	samples := [][]sample{
		{{gbps: []float64{12, 16}, resent: []float64{0, 0}, cpu: []float64{0, 0}, udp: udp(600000, 6000000, 0), rtt: 20, loadMedian: 30, loadP99: 100, mtu: 1500},
			{gbps: []float64{6, 8}, resent: []float64{0, 1}, cpu: []float64{0, 0}, udp: udp(300000, 3000000, 0), rtt: 40, loadMedian: 60, loadP99: 200, mtu: 1500}},
		{{gbps: []float64{6, 4}, resent: []float64{2, 3}, cpu: []float64{1.5, 2}, udp: udp(300000, 3000000, 2), rtt: 90, loadMedian: 500, loadP99: 1000, callsTCP: []float64{20}, callsUDP: []float64{100}, mtu: 1435},
			{gbps: []float64{3, 2}, resent: []float64{4, 5}, cpu: []float64{1.7, 2}, udp: udp(150000, 2000000, 3), rtt: 120, loadMedian: 1000, loadP99: 2000, callsTCP: []float64{30}, callsUDP: []float64{120}, mtu: 1435}},
		{{gbps: []float64{2, 2}, resent: []float64{2, 3}, cpu: []float64{3, 4}, udp: udp(100000, 1000000, 6), rtt: 100, loadMedian: 700, loadP99: 4000, loadLost: 1, noCalls: "not here", mtu: 1420},
			{gbps: []float64{1, 1}, resent: []float64{4, 5}, cpu: []float64{3, 4}, udp: udp(50000, 500000, 6), rtt: 160, loadMedian: 900, loadP99: 6000, loadLost: 1, noCalls: "not here", mtu: 1420}},
	}
	samples[2][1].udp[3].counts.Reordered = 7
	m := measure.Machine{OS: "linux", Arch: "amd64", CPU: "a processor", CPUs: 2, Kernel: "6.18", Go: "go1.26", Commit: "0123456789ab", Load: "0.00 0.01 0.05"}
	return summarise(Result{Schema: Schema, Machine: m, IPerf: "iperf 3.12", Seconds: 10, Rounds: 2, Window: 384}, []int{1, 4}, peers, samples, nil)
}

// What slows the whole machine down in one round cancels from the ratios and the differences.
func TestSummarise(t *testing.T) {
	r := made()
	ours := r.Peers[1]
	if ours.MTU != 1435 || ours.Added.Median != 75 || ours.Added.Min != 70 || ours.Added.Max != 80 || ours.RTT.Median != 105 {
		t.Errorf("%+v", ours)
	}
	one, four := ours.TCP[0], ours.TCP[1]
	if one.Gbps.Median != 4.5 || one.OfBare.Min != 0.5 || one.OfBare.Max != 0.5 || four.OfBare.Median != 0.25 || one.Resent.Max != 4 || four.Flows != 4 {
		t.Errorf("%+v", ours.TCP)
	}
	if theirs := r.Peers[2].TCP; theirs[0].Ratio.Min != 3 || theirs[0].Ratio.Max != 3 || theirs[1].Ratio.Median != 2 {
		t.Errorf("%+v", theirs)
	}
	u := ours.UDP[2]
	if u.Size != 64 || u.Flows != 1 || u.Rate.Max != 300000 || u.OfBare.Min != 0.5 || u.OfBare.Max != 0.5 || u.Lost.Min != 0 || u.Lost.Max != 0.25 || u.CPU.Median != 2.5 {
		t.Errorf("%+v", u)
	}
	if g := ours.UDP[0].Gbps; g.Max < 3.2927 || g.Max > 3.2929 { // 300,000 times 1372 bytes
		t.Errorf("%+v", g)
	}
	if theirs := r.Of("wireguard-go"); theirs.UDP[0].Ratio.Median != 3 || theirs.UDP[3].Reordered != 7 || theirs.Load.Lost != 2 || theirs.Load.P99.Median != 5000 || theirs.Calls.Missing != "not here" {
		t.Errorf("%+v", theirs)
	}
	if ours.Calls.TCP.Median != 25 || ours.Calls.UDP.Max != 120 || r.Of("openvpn") != nil {
		t.Errorf("%+v", ours.Calls)
	}
}

// Further rounds are of echoes alone, of those peers whose figure matters, in turn with the bare veth; the figures are of all rounds.
func TestIdleRounds(t *testing.T) {
	o, err := Options{Peers: []string{"goipsec", "null", "tailscale"}, Rounds: 1, IdleRounds: 2, IdlePeers: []string{"goipsec", "tailscale"}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	want := []measure.Turn{{Round: 0, What: 0}, {Round: 0, What: 1}, {Round: 0, What: 2}, {Round: 0, What: 3},
		{Round: 1, What: 0}, {Round: 1, What: 1}, {Round: 1, What: 3}, {Round: 2, What: 0}, {Round: 2, What: 1}, {Round: 2, What: 3}}
	if diff := cmp.Diff(want, o.turns([]string{Bare, "goipsec", "null", "tailscale"})); diff != "" {
		t.Error(diff)
	}
	if o, err := (Options{IdleRounds: 1}).complete(); err != nil || len(o.IdlePeers) != len(o.Peers) {
		t.Errorf("%v, %v", o.IdlePeers, err)
	}
	r := summarise(Result{Rounds: 1, IdleRounds: 2, IdlePeers: o.IdlePeers}, []int{1}, []Peer{{Name: Bare}, {Name: "goipsec"}, {Name: "null"}, {Name: "tailscale"}},
		[][]sample{{{rtt: 20}}, {{rtt: 120}}, {{rtt: 100}}, {{rtt: 400}}}, [][]float64{{30, 40}, {230, 340}, nil, {530, 640}})
	for name, want := range map[string][]float64{"goipsec": {100, 200, 300}, "null": {80}, "tailscale": {380, 500, 600}} {
		if diff := cmp.Diff(want, r.Of(name).Added.Samples); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var b strings.Builder
	if err := r.Markdown(&b); err != nil || !strings.Contains(b.String(), "The idle round trips of goipsec, tailscale are medians of 3 rounds, 2 of which had nothing else.\n") {
		t.Error(err, b.String())
	}
	for _, c := range r.Charts() {
		if c.File == idleChart && !strings.Contains(c.Note, "medians of 1 (goipsec, tailscale: 3) interleaved rounds") {
			t.Error(c.Note)
		}
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"idle_rounds":2,"idle_peers":["goipsec","tailscale"]`) {
		t.Errorf("%s, %v", text, err)
	}
}

// What was not measured leaves no empty table behind.
func TestSummariseOfLittle(t *testing.T) {
	peers := []Peer{{Name: Bare}, {Name: "goipsec"}}
	r := summarise(Result{Rounds: 1}, []int{1}, peers, [][]sample{{{rtt: 20, mtu: 1500}}, {{rtt: 90, mtu: 1435}}}, nil)
	var b strings.Builder
	r.Again = []string{"round 1, goipsec: iperf3: no\nlog"}
	if err := r.Markdown(&b); err != nil || !strings.Contains(b.String(), "taken once more: round 1, goipsec: iperf3: no**\n") {
		t.Fatal(err, b.String())
	}
	if text := b.String(); strings.Contains(text, "TCP") || strings.Contains(text, "UDP") || strings.Contains(text, "calls") || !strings.HasPrefix(text, "|  | idle round trip added, µs |\n|---|---|\n| veth | (20 in all) |\n| goipsec | 70 (70 – 70) |\n\n") {
		t.Error(text)
	}
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	if err := made().Markdown(&b); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/result.md")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/result.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
	var text strings.Builder
	if err := made().Text(&text); err != nil || !strings.Contains(text.String(), "wireguard-go   1.50 (1.00 – 2.00)") {
		t.Errorf("%v:\n%s", err, text.String())
	}
}

// A program that reads the JSON finds every sample.
func TestJSONHoldsEverySample(t *testing.T) {
	text, err := json.Marshal(made())
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made(), back); diff != "" {
		t.Error(diff)
	}
	if got := back.Peers[2].TCP[1].Gbps.Samples; len(got) != 2 || got[0] != 2 || got[1] != 1 {
		t.Errorf("%v", got)
	}
}

func TestWireGuardConfiguration(t *testing.T) {
	a, err := newWGEnd(netip.MustParseAddr("10.99.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := newWGEnd(netip.MustParseAddr("10.99.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(a.wgSet(b, netip.MustParsePrefix("10.100.2.0/24")), "\n")
	var keys []string
	for _, l := range lines {
		key, value, _ := strings.Cut(l, "=")
		keys = append(keys, key)
		if strings.HasSuffix(key, "_key") && len(value) != 64 {
			t.Errorf("%s is not 32 bytes in hexadecimal", key)
		}
	}
	want := []string{"set", "private_key", "listen_port", "replace_peers", "public_key", "endpoint", "replace_allowed_ips", "allowed_ip", "", ""}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
	if lines[5] != "endpoint=10.99.0.2:51820" || lines[7] != "allowed_ip=10.100.2.0/24" {
		t.Error(lines[5], lines[7])
	}
	if a.wgSet(b, netip.Prefix{}) == b.wgSet(a, netip.Prefix{}) {
		t.Error("both ends are the same")
	}
}

func TestWireGuardAnswers(t *testing.T) {
	values, err := wgAnswer(strings.NewReader("private_key=00\ntx_bytes=17\nrx_bytes=4\nerrno=0\n\nnot of this answer\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := number(values, "tx_bytes"); n != 17 || err != nil {
		t.Error(n, err)
	}
	if _, err := number(values, "nothing"); err == nil {
		t.Error("a number out of nothing")
	}
	for _, text := range []string{"errno=-22\n\n", "\n", "tx_bytes=1\n", "", "errno=0\n"} {
		if v, err := wgAnswer(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %v", text, v)
		}
	}
}

// A peer of which only TCP was measured has no row among the datagrams, and no ratio is made of nothing, whether it comes first or later.
func TestStreamsOnly(t *testing.T) {
	full := sample{gbps: []float64{2}, resent: []float64{0}, cpu: []float64{1}, udp: make([]datagrams, len(udpCases)), mtu: 1420}
	few := full
	few.udp = nil
	for _, samples := range [][][]sample{{{full}, {full}, {few}}, {{full}, {few}, {full}}} {
		r := summarise(Result{Rounds: 1}, []int{1}, []Peer{{Name: Bare}, {Name: "x"}, {Name: "y"}}, samples, nil)
		if g := r.datagrams(); len(g.Rows) != 2 {
			t.Errorf("%v", g.Rows)
		}
		for _, c := range r.Charts() {
			if strings.HasPrefix(c.File, "e2e-udp-64-1") && !strings.HasSuffix(c.File, "cpu") && len(c.Bars) != 2 {
				t.Errorf("%+v", c)
			}
		}
	}
}

// There is a chart for each measure that was taken, and none for others.
func TestCharts(t *testing.T) {
	var files []string
	for _, c := range made().Charts() {
		files = append(files, c.File)
		var names []string
		for _, b := range c.Bars {
			names = append(names, b.Name)
			if b.Own != (b.Name == "goipsec") {
				t.Errorf("%s: %+v", c.File, b)
			}
		}
		want := "veth goipsec wireguard-go"
		switch {
		case strings.HasPrefix(c.File, "e2e-calls"): // the other one's could not be counted
			want = "goipsec"
		case strings.HasSuffix(c.File, "cpu") || c.File == "e2e-idle":
			want = "goipsec wireguard-go"
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s", c.File, got)
		}
	}
	want := "e2e-tcp-1 e2e-tcp-1-cpu e2e-tcp-4 e2e-tcp-4-cpu e2e-udp-1400-1 e2e-udp-1400-1-cpu e2e-udp-1400-64 e2e-udp-1400-64-cpu e2e-udp-64-1 e2e-udp-64-1-cpu e2e-udp-64-64 e2e-udp-64-64-cpu e2e-idle e2e-load e2e-calls-tcp e2e-calls-udp"
	if got := strings.Join(files, " "); got != want {
		t.Error(got)
	}
	little := summarise(Result{Rounds: 1}, []int{1}, []Peer{{Name: Bare}, {Name: "goipsec"}}, [][]sample{{{rtt: 20, mtu: 1500}}, {{rtt: 90, mtu: 1435}}}, nil)
	if list := little.Charts(); len(list) != 1 || list[0].File != "e2e-idle" {
		t.Errorf("%+v", list)
	}
}
