package policy

import (
	"net/netip"
	"strings"
	"testing"
)

// TestMulticastAndBroadcastPermitAndBlockOnly: whatever way a filter comes to name them, by itself, by a DNS name, in a tunnel or with manual keys, a rule that protects them is a fault;
// one that permits or blocks is none. A range that holds other addresses too is no multicast filter.
func TestMulticastAndBroadcastPermitAndBlockOnly(t *testing.T) {
	name := func(addr string) GenericFilter {
		g := generic("me <-> cast.example.com", 0)
		g.Dst.Resolved = []netip.Addr{netip.MustParseAddr(addr)}
		return g
	}
	tunnel := func(r *Rule) {
		r.Tunnel = &Tunnel{Local: me4, Remote: netip.MustParseAddr("198.51.100.1")}
		r.Filters[0].Mirrored = false
	}
	manual := func(r *Rule) { r.Manual, r.Auth = &ManualKeys{}, nil }
	for _, c := range []struct {
		name   string
		filter GenericFilter
		change func(*Rule)
		what   string // "": allowed
	}{
		{"multicast", generic("me <-> 224.0.0.251", 0), nil, "multicast"},
		{"all multicast", generic("me <-> 224.0.0.0/4", 0), nil, "multicast"},
		{"multicast as a source", generic("239.1.2.3 <-> me", 0), nil, "multicast"},
		{"IPv6 multicast", generic("me <-> ff02::/16", 0), nil, "multicast"},
		{"broadcast", generic("me <-> 255.255.255.255", 0), nil, "broadcast"},
		{"broadcast of a subnet", generic("me <-> 192.0.2.255", 0), nil, "broadcast in a subnet of this host"},
		{"a name for multicast", name("224.0.0.5"), nil, "multicast"},
		{"a name for a subnet's broadcast", name("192.0.2.255"), nil, "broadcast in a subnet of this host"},
		{"multicast in a tunnel", generic("192.0.2.0/24 -> 239.0.0.0/8", 0), tunnel, "multicast"},
		{"multicast with manual keys", generic("192.0.2.1 <-> 224.0.0.5", 0), manual, "multicast"},
		{"the last address of another subnet", generic("me <-> 198.51.100.255", 0), nil, ""},
		{"everything", generic("me <-> any", 0), nil, ""},
		{"a subnet", generic("me <-> 192.0.2.0/24", 0), nil, ""},
	} {
		host := LocalHost{Addresses: locals, Broadcasts: []netip.Addr{netip.MustParseAddr("192.0.2.255")}}
		for _, kind := range []ActionKind{Negotiate, Permit, Block} {
			if kind != Negotiate && c.change != nil {
				continue
			}
			r := rule("r", kind, c.filter)
			if c.change != nil {
				c.change(r)
			}
			_, err := CompileOn(policyOf(r), host)
			switch want := c.what != "" && kind == Negotiate; {
			case want && (err == nil || !strings.Contains(err.Error(), "IKE cannot protect "+c.what+" (") || !strings.Contains(err.Error(), "permit or block it")):
				t.Errorf("%s, %v: %v", c.name, kind, err)
			case !want && err != nil:
				t.Errorf("%s, %v: %v", c.name, kind, err)
			}
		}
	}
}
