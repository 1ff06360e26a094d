package route

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// TestTracesTellTheLivingFromTheDead: what an instance has in the kernel is listed; once its device is gone, it is orphaned; a route of somebody else in its table is named.
func TestTracesTellTheLivingFromTheDead(t *testing.T) {
	testnet.Need(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "traced0"}, PeerName: "traced1"}
	must(netlink.LinkAdd(link))
	index := indexOf(t, "traced0")
	h, err := Open(Config{Instance: "traced", Device: "traced0", StateDir: t.TempDir()})
	must(err)
	t.Cleanup(func() { h.Close() })
	must(h.Setup())
	must(h.Apply(Plan{Captures: []Capture{{Prefix: netip.MustParsePrefix("10.77.0.0/16")}}}))
	find := func() Trace {
		t.Helper()
		list, err := Traces()
		must(err)
		i := slices.IndexFunc(list, func(x Trace) bool { return x.Table == h.Identity().Table })
		if i < 0 {
			t.Fatalf("%+v", list)
		}
		return list[i]
	}
	if x := find(); x.Orphaned() || x.Captures != 1 || x.BlackHoles != 1 || x.Rules == 0 || len(x.Foreign) != 0 {
		t.Errorf("%+v", x)
	}
	foreign := &netlink.Route{Dst: toIPNet(netip.MustParsePrefix("10.77.1.0/24")), Table: int(h.Identity().Table), LinkIndex: index, Scope: netlink.SCOPE_LINK}
	must(netlink.RouteAdd(foreign))
	if x := find(); len(x.Foreign) != 1 || !strings.Contains(x.Foreign[0], "10.77.1.0/24") {
		t.Errorf("%+v", x)
	}
	must(netlink.LinkDel(link))
	if x := find(); !x.Orphaned() || x.Captures != 0 || x.BlackHoles != 1 {
		t.Errorf("%+v", x)
	}
}

func indexOf(t *testing.T, device string) int {
	t.Helper()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().Index
}

// TestContendersAreAskedFirstAndCoverWhatIsProtected: rules behind the instance's, for other prefixes, and of the local table do not count.
func TestContendersAreAskedFirstAndCoverWhatIsProtected(t *testing.T) {
	testnet.Need(t)
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "contend0"}, PeerName: "contend1"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	index := indexOf(t, "contend0")
	id := Derive("contended")
	protected := []netip.Prefix{netip.MustParsePrefix("10.78.0.0/16")}
	for _, c := range []struct {
		name, route string
		rule        func(*netlink.Rule)
		want        int
		always      bool
	}{
		{"covers it", "10.0.0.0/8", func(*netlink.Rule) {}, 1, true},
		{"a part of it", "10.78.9.0/24", func(*netlink.Rule) {}, 1, true},
		{"everything", "0.0.0.0/0", func(*netlink.Rule) {}, 1, true},
		{"for one source", "10.0.0.0/8", func(r *netlink.Rule) { r.Src = toIPNet(netip.MustParsePrefix("10.9.0.1/32")) }, 1, false},
		{"default routes suppressed", "0.0.0.0/0", func(r *netlink.Rule) { r.SuppressPrefixlen = 0 }, 0, false},
		{"another network", "172.16.0.0/12", func(*netlink.Rule) {}, 0, false},
		{"asked later", "10.0.0.0/8", func(r *netlink.Rule) { r.Priority = id.Priority + 1 }, 0, false},
	} {
		r := netlink.NewRule()
		r.Family, r.Priority, r.Table = unix.AF_INET, 100, 77
		c.rule(r)
		way := &netlink.Route{Dst: toIPNet(netip.MustParsePrefix(c.route)), Table: 77, LinkIndex: index, Scope: netlink.SCOPE_LINK}
		if err := netlink.RouteAdd(way); err != nil {
			t.Fatal(c.name, err)
		}
		if err := netlink.RuleAdd(r); err != nil {
			t.Fatal(c.name, err)
		}
		list, err := Contenders(id, protected)
		if err != nil || len(list) != c.want || c.want == 1 && (list[0].Always != c.always || len(list[0].Routes) != 1) {
			t.Errorf("%s: %+v, %v", c.name, list, err)
		}
		if err := netlink.RuleDel(r); err != nil {
			t.Fatal(err)
		}
		_ = netlink.RouteDel(way)
	}
}
