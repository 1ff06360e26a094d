package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
)

// exemptLevels is the table of the four levels, as Microsoft documents the setting.
var exemptLevels = []struct{ multicast, kerberos bool }{{true, true}, {true, false}, {false, true}, {false, false}}

// TestDefaultExemptionLevels tries datagrams of every kind at every level, by Match and by the filters, which must say the same.
func TestDefaultExemptionLevels(t *testing.T) {
	type kind struct {
		key  packet.Key
		what string // "multicast", "kerberos" or "" for what no level lets pass
	}
	key := func(src, dst string, proto uint8, ports ...uint16) packet.Key {
		k := packet.Key{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: proto, Flags: packet.ProtoKnown}
		if len(ports) == 2 {
			k.SrcPort, k.DstPort, k.Flags = ports[0], ports[1], k.Flags|packet.PortsKnown
		}
		return k
	}
	var kinds []kind
	for _, ends := range [][2]string{{"192.0.2.1", "198.51.100.7"}, {"2001:db8::1", "2001:db8::7"}} {
		add := func(what string, proto uint8, ports ...uint16) {
			kinds = append(kinds, kind{key(ends[0], ends[1], proto, ports...), what})
		}
		for _, proto := range []uint8{6, 17} {
			add("kerberos", proto, 88, 40000)
			add("kerberos", proto, 40000, 88)
			add("kerberos", proto, 88, 88)
			add("", proto, 40000, 443)
			add("", proto, 40000, 8888)
			add("", proto) // a fragment whose ports cannot be read
		}
		add("", 132, 88, 88) // SCTP
		add("", 1, 88, 0)
		add("kerberos", 46)
		add("", 47)
	}
	for _, dst := range []string{"224.0.0.1", "239.255.255.250", "255.255.255.255"} {
		kinds = append(kinds, kind{key("192.0.2.1", dst, 17, 1000, 2000), "multicast"})
	}
	kinds = append(kinds, kind{key("2001:db8::1", "ff02::fb", 17, 5353, 5353), "multicast"}, kind{key("192.0.2.1", "223.255.255.255", 17, 1, 2), ""},
		kind{key("192.0.2.1", "240.0.0.1", 17, 1, 2), ""}, kind{key("224.0.0.1", "192.0.2.1", 17, 1, 2), ""})
	for level, passes := range exemptLevels {
		x, ok := ExemptionLevel(level)
		if !ok || x.Level() != level {
			t.Fatalf("level %d is read as %d", level, x.Level())
		}
		filters := x.Filters()
		for _, k := range kinds {
			want := k.what == "multicast" && passes.multicast || k.what == "kerberos" && passes.kerberos
			byFilters := false
			for i := range filters {
				byFilters = byFilters || filters[i].Match(&k.key)
			}
			if got := x.Match(&k.key); got != want || byFilters != want {
				t.Errorf("level %d, %+v: exempt %v, by filters %v, want %v", level, k.key, got, byFilters, want)
			}
		}
		if hole := x.Hole(); (hole != "") != passes.kerberos || passes.kerberos && !strings.Contains(hole, "source port 88") {
			t.Errorf("level %d: the hole is %q", level, hole)
		}
		if n := testing.AllocsPerRun(100, func() { x.Match(&kinds[0].key) }); n != 0 {
			t.Errorf("level %d: %v allocations", level, n)
		}
	}
	if (Exemptions(0)).Level() != StrictestLevel {
		t.Error("a policy that says nothing is not at the strictest level")
	}
	for _, n := range []int{-1, 4} {
		if _, ok := ExemptionLevel(n); ok {
			t.Errorf("there is a level %d", n)
		}
	}
}
