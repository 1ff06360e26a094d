package classifier

import (
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	known := packet.ProtoKnown | packet.PortsKnown
	key := packet.Key{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.1.9"), Proto: 6, SrcPort: 5, DstPort: 25, Flags: known}
	opaque := key
	opaque.Flags = packet.ProtoKnown | packet.Fragment | packet.NonFirst
	unknown := key
	unknown.Flags = packet.Fragment | packet.NonFirst
	six := key
	six.Src, six.Dst = netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("::ffff:10.0.1.9")
	for _, c := range []struct {
		filter string
		key    packet.Key
		want   bool
	}{
		{"any any", key, true},
		{"any6 any6", key, false},
		{"10.0.0.1 10.0.1.0/24 tcp 5 25", key, true},
		{"10.0.0.1 10.0.1.0-10.0.1.9 tcp any 20-30", key, true},
		{"10.0.0.1 10.0.1.0-10.0.1.8", key, false},
		{"10.0.0.2 any", key, false},
		{"any any udp", key, false},
		{"any any any any 25", key, true},
		{"any any any any 26-65535", key, false},
		{"any any any 6-65535 any", key, false},
		{"any any tcp", opaque, true},
		{"any any tcp any 25", opaque, false},
		{"any any tcp any 0-65535", opaque, false}, // ports that are given, even all, need ports that can be read
		{"any any tcp", unknown, false},
		{"any any", unknown, true},
		{"any any", six, false}, // an IPv6 packet is never an IPv4 filter's, mapped or not
		{"any6 any6", six, true},
	} {
		f := filter(t, c.filter)
		if got := f.Match(&c.key); got != c.want {
			t.Errorf("%s: %v for %+v", c.filter, got, c.key)
		}
	}
}

func TestContainsAndOverlapsAgreeWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, g := drawFilter().Draw(t, "f"), drawFilter().Draw(t, "g")
		for _, k := range rapid.SliceOfN(drawKey(), 1, 50).Draw(t, "keys") {
			inF, inG := f.Match(&k), g.Match(&k)
			if f.Contains(&g) && inG && !inF {
				t.Fatalf("%v contains %v but not %+v", f, g, k)
			}
			if !f.Overlaps(&g) && inF && inG {
				t.Fatalf("%v and %v share %+v but do not overlap", f, g, k)
			}
		}
		if f.Overlaps(&g) != g.Overlaps(&f) {
			t.Fatal("overlap has a direction")
		}
		if f.IsValid() && f.Contains(&g) && g.IsValid() && !f.Overlaps(&g) {
			t.Fatal("contained and apart")
		}
	})
}

func TestMirrorMatchesTheAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, k := drawFilter().Draw(t, "f"), drawKey().Draw(t, "k")
		answer := k
		answer.Src, answer.Dst = k.Dst, k.Src
		if k.Proto != 1 && k.Proto != 58 && k.Proto != 135 {
			answer.SrcPort, answer.DstPort = k.DstPort, k.SrcPort
		}
		m := f.Mirror()
		if f.Proto != 0 && f.Match(&k) != m.Match(&answer) {
			t.Fatalf("%v matches %v, its mirror %v", f, f.Match(&k), m.Match(&answer))
		}
		if m.Mirror() != f {
			t.Fatal("mirrored twice is not itself")
		}
		if m.Compare(&f) != 0 && f.SrcPorts.weigh() == f.DstPorts.weigh() {
			t.Fatal("a mirror weighs more")
		}
	})
}

func TestRanges(t *testing.T) {
	for s, want := range map[string]string{
		"10.0.0.7/24":             "10.0.0.0/24",
		"10.0.0.7":                "10.0.0.7",
		"10.0.0.7-10.0.0.7":       "10.0.0.7",
		"10.0.0.0-10.0.0.255":     "10.0.0.0/24",
		"10.0.0.1-10.0.0.255":     "10.0.0.1-10.0.0.255",
		"10.0.0.128-10.0.1.127":   "10.0.0.128-10.0.1.127",
		"0.0.0.0-255.255.255.255": "any4",
		"::/0":                    "any6",
		"fd00::/63":               "fd00::/63",
		"fd00::-fd00::1:0":        "fd00::-fd00::1:0",
		"fd00::/127":              "fd00::/127",
		"10.0.0.2-10.0.0.1":       "invalid range",
	} {
		r := rangeOf(t, s)
		if r.String() != want {
			t.Errorf("%s: %s, want %s", s, r, want)
		}
		if p, ok := r.Prefix(); ok && RangeOf(p) != r {
			t.Errorf("%s: prefix %v", s, p)
		}
	}
	if _, ok := (Range{}).Prefix(); ok || RangeOf(netip.Prefix{}).IsValid() {
		t.Error("nothing is not a prefix")
	}
	if !AnyV4.IsAny() || !AnyV6.IsAny() || AnyV4.IsHost() || (Range{}).IsAny() || (Range{}).IsHost() || AnyV4.Overlaps(AnyV6) {
		t.Error("any")
	}
	if !AnyV4.Contains(netip.MustParseAddr("255.255.255.255")) || AnyV6.Contains(netip.MustParseAddr("1.2.3.4")) || AnyV4.Contains(netip.Addr{}) {
		t.Error("contains")
	}
}

func TestFilterString(t *testing.T) {
	for s, want := range map[string]string{
		"any 10.0.0.1":               "any4 -> 10.0.0.1",
		"any any tcp any 25":         "any4 -> any4 proto 6 ports any -> 25",
		"10.0.0.0/8 any udp 500 1-9": "10.0.0.0/8 -> any4 proto 17 ports 500 -> 1-9",
	} {
		if got := filter(t, s).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestParseClassBench(t *testing.T) {
	f, err := ParseClassBench("@76.148.0.0/16\t10.0.0.1/32\t0 : 65535\t1024 : 2000\t0x06/0xFF\t0x0000/0x0200\t")
	if want := filter(t, "76.148.0.0/16 10.0.0.1 tcp any 1024-2000"); err != nil || f != want {
		t.Errorf("%v %v", f, err)
	}
	if f, err = ParseClassBench("@1.2.3.4/0 ::1/0 0 : 65535 0 : 65535 0x00/0x00 0/0"); err == nil {
		t.Errorf("mixed families: %v", f)
	}
	for _, bad := range []string{
		"", "@1.2.3.4/32 1.2.3.4/32 0 : 65535 0 : 65535", "@x/32 1.2.3.4/32 0 : 1 0 : 1 0x06/0xFF", "@1.2.3.4/32 y 0 : 1 0 : 1 0x06/0xFF",
		"@1.2.3.4/32 1.2.3.4/32 0 : 70000 0 : 1 0x06/0xFF", "@1.2.3.4/32 1.2.3.4/32 0 : 1 z : 1 0x06/0xFF", "@1.2.3.4/32 1.2.3.4/32 0 : 1 0 : 1 q/0xFF",
		"@1.2.3.4/32 1.2.3.4/32 0 : 1 0 : 1 0x06/0x0F", "@1.2.3.4/32 1.2.3.4/32 9 : 1 0 : 1 0x06/0xFF",
	} {
		if f, err := ParseClassBench(bad); err == nil {
			t.Errorf("%q was read as %v", bad, f)
		}
	}
}
