package metrics

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// hostile is text that a policy or a peer may choose.
const hostile = "a\"b\\c\nd\te{f=\"g\"} \xff\x00ü # HELP x"

func fullStatus() *endpoint.Status {
	start := time.Unix(1_800_000_000, 250_000_000)
	s := &endpoint.Status{Version: "1.2", Instance: "lab", Started: start, Now: start.Add(90 * time.Second), Warnings: []string{"x"},
		Policy:   endpoint.PolicyStatus{Name: hostile, Rules: 3, MainModeFilters: 1, OutboundFilters: 4, InboundFilters: 5, Applied: start.Add(30 * time.Second)},
		Failures: []endpoint.Failure{{Time: start.Add(time.Second), Rule: hostile, Remote: netip.MustParseAddrPort("[2001:db8::2]:500"), What: hostile, Why: "why"}},
		Drops:    endpoint.Drops{"no-sa": 3, "blocked": 9}, IKE: endpoint.IKECounters{HalfOpen: 2, Refused: map[string]uint64{"malformed": 7}},
		Traffic:    endpoint.Traffic{FromTUN: 100, Sealed: 60, Soft: 5, Waiting: 4, Fragments: 21, Split: 22},
		Process:    endpoint.Process{HeapBytes: 31, Collections: 32, Goroutines: 33},
		Negotiated: endpoint.Negotiations{MainModesInitiated: 1, MainModesAnswered: 2, MainModesFailed: 3, QuickModesInitiated: 4, QuickModesAnswered: 5, QuickModesFailed: 6, QuickModesUnderWay: 7},
		Counts:     endpoint.SACounts{MainMode: 8, QuickMode: 9, Tunnels: 2, OldestQuickModeSeconds: 77}}
	s.Statistics.QuickMode = endpoint.QuickModeStatistics{Rekeys: 11, BytesSentInTunnels: 1 << 60, TransportBytesReceived: 12, ConfidentialBytesSent: 13}
	return s
}

// parse reads the text with the parser of Prometheus itself and with the stricter rules that it does not look at.
func parse(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	line := regexp.MustCompile(`^(# HELP [a-z_]+ [^\n]+|# TYPE [a-z_]+ (counter|gauge)|([a-z_]+)(\{[a-z_]+="(\\[\\"n]|[^"\\\n])*"(,[a-z_]+="(\\[\\"n]|[^"\\\n])*")*\})? -?[0-9.e+]+)$`)
	current, seen, series := "", map[string]bool{}, map[string]bool{}
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("not a line of the format: %q", l)
		}
		if name, ok := strings.CutPrefix(l, "# HELP "); ok {
			current, _, _ = strings.Cut(name, " ")
			if seen[current] {
				t.Errorf("%s begins twice", current)
			}
			seen[current] = true
		}
		if m[3] != "" && m[3] != current {
			t.Errorf("a sample of %s stands under %s", m[3], current)
		}
		if name := m[3] + m[4]; m[3] != "" && series[name] {
			t.Errorf("%s stands twice", name)
		} else {
			series[name] = true
		}
	}
	for name, f := range families {
		if f.GetHelp() == "" || !strings.HasPrefix(name, "goipsec_") || strings.HasSuffix(name, "_total") != (f.GetType() == dto.MetricType_COUNTER) {
			t.Errorf("%s: help %q, type %v", name, f.GetHelp(), f.GetType())
		}
	}
	return families
}

// value finds the one sample with these labels.
func value(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	f := families[name]
	if f == nil {
		t.Fatalf("there is no %s", name)
	}
	for _, m := range f.Metric {
		fits := len(m.Label) == len(labels)/2
		for _, l := range m.Label {
			for i := 0; i < len(labels); i += 2 {
				fits = fits && (l.GetName() != labels[i] || l.GetValue() == labels[i+1])
			}
		}
		if fits && f.GetType() == dto.MetricType_COUNTER {
			return m.Counter.GetValue()
		} else if fits {
			return m.Gauge.GetValue()
		}
	}
	t.Fatalf("%s has no sample %q", name, labels)
	return 0
}

func TestEveryFigureIsWhereItBelongs(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, fullStatus()); err != nil {
		t.Fatal(err)
	}
	f := parse(t, b.Bytes())
	clean := strings.ToValidUTF8(hostile, "�")
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "goipsec_up", nil}, {1, "goipsec_configured", []string{"policy", clean}}, {90, "goipsec_uptime_seconds", nil}, {60, "goipsec_policy_age_seconds", nil},
		{1_800_000_000.25, "goipsec_start_time_seconds", nil}, {1_800_000_001.25, "goipsec_last_error_timestamp_seconds", nil},
		{1, "goipsec_last_error_info", []string{"rule", clean, "remote", "2001:db8::2", "what", clean, "why", "why"}},
		{1, "goipsec_negotiations_total", []string{"mode", "main", "result", "established", "role", "initiator"}},
		{5, "goipsec_negotiations_total", []string{"mode", "quick", "result", "established", "role", "responder"}},
		{6, "goipsec_negotiations_total", []string{"mode", "quick", "result", "failed", "role", "any"}},
		{7, "goipsec_negotiations_under_way", []string{"mode", "quick"}}, {8, "goipsec_sas", []string{"kind", "main"}}, {2, "goipsec_sas", []string{"kind", "tunnel"}},
		{77, "goipsec_oldest_sa_age_seconds", []string{"kind", "quick"}}, {11, "goipsec_rekeys_total", nil},
		{1 << 60, "goipsec_bytes_total", []string{"mode", "tunnel", "direction", "out"}}, {12, "goipsec_bytes_total", []string{"mode", "transport", "direction", "in"}},
		{13, "goipsec_confidential_bytes_total", []string{"direction", "out"}}, {60, "goipsec_packets_total", []string{"stage", "sealed"}},
		{5, "goipsec_packets_total", []string{"stage", "soft"}}, {4, "goipsec_packets_waiting", nil}, {9, "goipsec_drops_total", []string{"reason", "blocked"}}, {7, "goipsec_ike_refused_total", []string{"reason", "malformed"}},
		{21, "goipsec_packets_total", []string{"stage", "fragments"}}, {22, "goipsec_packets_total", []string{"stage", "split"}},
		{31, "goipsec_heap_bytes", nil}, {32, "goipsec_collections_total", nil}, {33, "goipsec_goroutines", nil},
		{4, "goipsec_policy_filters", []string{"list", "outbound"}},
	} {
		if got := value(t, f, c.name, c.labels...); got != c.want {
			t.Errorf("%s%q = %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

func TestAnIdleOrAbsentEndpointIsWellFormedToo(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, &endpoint.Status{Policy: endpoint.PolicyStatus{Unassigned: true}}); err != nil {
		t.Fatal(err)
	}
	f := parse(t, b.Bytes())
	if value(t, f, "goipsec_configured", "policy", "") != 0 || value(t, f, "goipsec_last_error_timestamp_seconds") != 0 {
		t.Error("nothing configured and no error are not told")
	}
	b.Reset()
	if err := Unreachable(&b); err != nil {
		t.Fatal(err)
	}
	if value(t, parse(t, b.Bytes()), "goipsec_up") != 0 {
		t.Error("an endpoint that does not answer is up")
	}
}

// P20: whatever a label is made from, the parser gives back that, and the text has no line more.
func FuzzP20Labels(f *testing.F) {
	f.Add(hostile, "x")
	f.Add("\\", "\\n\"")
	f.Add("} 1\ngoipsec_up 0\n", "\r\u2028")
	f.Fuzz(func(t *testing.T, a, b string) {
		var text bytes.Buffer
		w := &writer{w: &text}
		w.metric("goipsec_fuzz", gauge, a).count(3, "first", a, "second", b)
		if n := strings.Count(text.String(), "\n"); n != 3 {
			t.Fatalf("%d lines:\n%s", n, text.String())
		}
		p := expfmt.NewTextParser(model.LegacyValidation)
		families, err := p.TextToMetricFamilies(&text)
		if err != nil {
			t.Fatal(err)
		}
		m := families["goipsec_fuzz"].Metric
		if len(m) != 1 || m[0].GetGauge().GetValue() != 3 {
			t.Fatalf("%v", m)
		}
		want := map[string]string{"first": strings.ToValidUTF8(a, "�"), "second": strings.ToValidUTF8(b, "�")}
		for _, l := range m[0].Label {
			if l.GetValue() != want[l.GetName()] {
				t.Errorf("%s: %q, want %q", l.GetName(), l.GetValue(), want[l.GetName()])
			}
		}
	})
}
