package route

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestNextHopIsWhatTheKernelWouldUse(t *testing.T) {
	testnet.Need(t)
	p := netip.MustParsePrefix
	other := testnet.NewHost(t)
	testnet.Veth(t, other, "wire", []netip.Prefix{p("10.9.0.1/24"), p("fd09::1/64")}, []netip.Prefix{p("10.9.0.2/24")})
	l, err := netlink.LinkByName("wire")
	if err != nil {
		t.Fatal(err)
	}
	index := l.Attrs().Index
	is := func(remote string, mark uint32, mtu int, hardware string) {
		t.Helper()
		h, err := NextHop(netip.MustParseAddr(remote), mark)
		if hardware == "" {
			if !errors.Is(err, ErrNoHop) && !errors.Is(err, ErrNoRoute) {
				t.Errorf("to %s: %+v, %v", remote, h, err)
			}
			return
		}
		if err != nil || h.Interface != index || !bytes.Equal(h.Source[:], l.Attrs().HardwareAddr) || h.MTU != mtu || net.HardwareAddr(h.Hardware[:]).String() != hardware {
			t.Errorf("to %s: %+v, %v", remote, h, err)
		}
	}
	add := func(a, hardware string, state int) {
		t.Helper()
		n := &netlink.Neigh{LinkIndex: index, IP: net.ParseIP(a), State: state}
		if hardware != "" {
			n.HardwareAddr, _ = net.ParseMAC(hardware)
		}
		if err := netlink.NeighSet(n); err != nil {
			t.Fatal(err)
		}
	}
	route := func(r netlink.Route) {
		t.Helper()
		if r.Type != unix.RTN_BLACKHOLE {
			r.LinkIndex = index
		}
		if err := netlink.RouteReplace(&r); err != nil {
			t.Fatal(err)
		}
	}
	to := func(s string) *net.IPNet {
		_, n, _ := net.ParseCIDR(s)
		return n
	}
	is("10.9.0.9", 0, 0, "") // no entry
	add("10.9.0.9", "02:00:00:00:00:09", netlink.NUD_PERMANENT)
	is("10.9.0.9", 0, 1500, "02:00:00:00:00:09")
	add("10.9.0.9", "02:00:00:00:00:0a", netlink.NUD_STALE)
	is("10.9.0.9", 0, 1500, "02:00:00:00:00:0a")
	add("10.9.0.9", "02:00:00:00:00:0a", netlink.NUD_FAILED)
	is("10.9.0.9", 0, 0, "")
	add("10.9.0.9", "02:00:00:00:00:0a", netlink.NUD_NOARP)
	is("10.9.0.9", 0, 0, "")

	// By a router, by one with a mark of its own, and with an MTU of its own.
	add("10.9.0.3", "02:00:00:00:00:03", netlink.NUD_PERMANENT)
	add("10.9.0.4", "02:00:00:00:00:04", netlink.NUD_PERMANENT)
	route(netlink.Route{Dst: to("10.8.0.0/16"), Gw: net.ParseIP("10.9.0.3"), MTU: 1300})
	route(netlink.Route{Dst: to("10.8.0.0/16"), Gw: net.ParseIP("10.9.0.4"), Table: 77})
	r := netlink.NewRule()
	r.Mark, r.Table, r.Priority = 5, 77, 100
	if err := netlink.RuleAdd(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = netlink.RuleDel(r)
		_ = netlink.RouteDel(&netlink.Route{Dst: to("10.7.0.0/16"), Type: unix.RTN_BLACKHOLE})
	})
	is("10.8.0.1", 0, 1300, "02:00:00:00:00:03")
	is("10.8.0.1", 5, 1500, "02:00:00:00:00:04")

	is("10.9.0.1", 0, 0, "")     // ourselves
	is("10.9.0.255", 0, 0, "")   // broadcast
	is("198.51.100.1", 0, 0, "") // no route
	is("fd09::2", 0, 0, "")      // IPv6
	is("127.0.0.1", 0, 0, "")    // loopback
	route(netlink.Route{Dst: to("10.7.0.0/16"), Type: unix.RTN_BLACKHOLE})
	is("10.7.0.1", 0, 0, "")
	// The other end's interface down is a cable pulled out: this one is up, and the route and the neighbour entry stay.
	is("10.8.0.1", 0, 1300, "02:00:00:00:00:03")
	other.Do(func() {
		peer, err := netlink.LinkByName("peer")
		if err == nil {
			err = netlink.LinkSetDown(peer)
		}
		if err != nil {
			t.Error(err)
		}
	})
	is("10.8.0.1", 0, 0, "")
	if err := netlink.LinkSetDown(l); err != nil {
		t.Fatal(err)
	}
	is("10.8.0.1", 0, 0, "")
}
