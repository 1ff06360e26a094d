package guard

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/go-cmp/cmp"
)

// sample has rules of every kind that pf and the platform of Windows are told differently.
func sample() *Config {
	side := func(s string) classifier.Range {
		from, to, isRange := strings.Cut(s, "-")
		if isRange {
			return classifier.Range{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
		}
		return classifier.RangeOf(netip.MustParsePrefix(s))
	}
	rule := func(v Verdict, src, dst string, proto uint8, ports ...classifier.Ports) Rule {
		r := Rule{Filter: classifier.Filter{Src: side(src), Dst: side(dst), Proto: proto}, Verdict: v}
		if len(ports) > 0 {
			r.Filter.SrcPorts, r.Filter.DstPorts = ports[0], ports[1]
		}
		return r
	}
	one, any := classifier.Port, classifier.Ports{}
	span := func(from, to uint16) classifier.Ports { return classifier.Ports{From: from, To: to, Given: true} }
	const me4, me6 = "240.0.0.1/32", "100::1/128"
	return &Config{
		Instance: "sample", Device: "utun4", Ports: []uint16{500, 4500}, Me: []netip.Addr{netip.MustParseAddr("240.0.0.1"), netip.MustParseAddr("100::1")},
		NotMe: []netip.Addr{netip.MustParseAddr("10.9.9.9")},
		Inbound: []Rule{
			rule(Accept, "192.0.2.7/32", me4, 6, any, one(22)),
			rule(Drop, "192.0.2.7/32", me4, 0),
			rule(Drop, "fd00::7/128", me6, 17, one(88), span(1000, 2000)),
			rule(Accept, "198.51.100.1-198.51.100.9", "10.0.0.0/8", 1, one(8), one(0)),
			rule(Drop, "198.51.100.0/24", me4, 1, span(3, 5), any),
			rule(Drop, "198.51.100.0/24", me4, 132, any, one(99)),
			rule(Accept, "198.51.100.0/24", me4, 132, any, one(98)),
			rule(Drop, "172.16.0.0/12", "10.0.0.0/8", 0),
			rule(Drop, "0.0.0.0/0", "0.0.0.0/0", 0),
		},
		Outbound: []Rule{
			rule(Accept, me4, "192.0.2.7/32", 6, one(22), any),
			rule(Drop, me4, "192.0.2.7/32", 0),
			rule(Drop, "10.0.0.0/8", "172.16.0.0/12", 17),
			rule(Drop, me6, "fd00::7/128", 0),
		},
		Exempt: []classifier.Filter{{Src: classifier.AnyV4, Dst: classifier.AnyV4, Proto: 17, SrcPorts: classifier.Port(88)}},
	}
}

// golden compares with a file of testdata; UPDATE_GOLDEN=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what is generated changed; UPDATE_GOLDEN=1 writes it anew (-want +got):\n%s", diff)
	}
}

func TestPFRules(t *testing.T) { golden(t, "pf.txt", pfRules(sample())) }

func TestWFPFilters(t *testing.T) {
	var b strings.Builder
	last := uint64(1) << 63
	for _, f := range wfpFilters(sample(), 7) {
		if f.Weight >= last {
			t.Errorf("%s is not lighter than the one before", f.Name)
		}
		last = f.Weight
		b.WriteString(f.String() + "\n")
	}
	golden(t, "wfp.txt", b.String())
}

// TestWhatCannotBeExpressedDropsMore: rules of pf and for forwarding that are wider than the policy's never accept.
func TestWhatCannotBeExpressedDropsMore(t *testing.T) {
	for line := range strings.Lines(pfRules(sample())) {
		if strings.Contains(line, "wider than") && !strings.HasPrefix(line, "block") {
			t.Error(line)
		}
		if strings.HasPrefix(line, "pass") && strings.Contains(line, "proto 132") {
			t.Error("ports of SCTP cannot be told to pf, and this accepts all: ", line)
		}
	}
	for _, f := range wfpFilters(sample(), 7) {
		if strings.HasPrefix(f.Layer, "forward") && !f.Block && strings.Contains(f.Name, "proto") {
			t.Error(f.String())
		}
	}
}

// TestPFIsReadBack reads what pfctl prints of rules with their counters.
func TestPFIsReadBack(t *testing.T) {
	l := readPF("sample", `pass quick on lo0 all no state label "0 loopback"
  [ Evaluations: 9         Packets: 9         Bytes: 900         States: 0     ]
  [ Inserted: uid 0 pid 77 State Creations: 0     ]
block drop in quick inet from 192.0.2.7 to (self) ! tagged goipsec_notme label "2 192.0.2.7 -> me4"
  [ Evaluations: 5         Packets: 3         Bytes: 210         States: 0     ]
block drop out quick inet from 10.0.0.0/8 to 172.16.0.0/12 label "1 10.0.0.0/8 -> 172.16.0.0/12 proto 17"
  [ Evaluations: 5         Packets: 4         Bytes: 280         States: 0     ]
pass in inet from any to 169.254.0.0/16 no state tag goipsec_notme
`)
	want := []Line{{Direction: inbound, What: "loopback", Verdict: accept}, {Direction: inbound, Rule: 2, What: "192.0.2.7 -> me4", Verdict: drop, Packets: 3, Bytes: 210},
		{Direction: outbound, Rule: 1, What: "10.0.0.0/8 -> 172.16.0.0/12 proto 17", Verdict: drop, Packets: 4, Bytes: 280}}
	if diff := cmp.Diff(want, l.Lines); diff != "" || l.Dropped != (Dropped{Inbound: 3, Outbound: 4}) {
		t.Errorf("%+v (-want +got):\n%s", l.Dropped, diff)
	}
	names := readPFAnchors("  goipsec/b\n  goipsec/a\nother\n")
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Error(diff)
	}
}
