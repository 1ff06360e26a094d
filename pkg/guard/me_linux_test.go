package guard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestD11MeIsEveryAddressOfTheMoment: rules for me hold for an address that the host gets after they were put in force, from its first packet on, and not for
// addresses that are never me: those on the TUN, link-local ones, and those of others that this host forwards to.
func TestD11MeIsEveryAddressOfTheMoment(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	me := func(src, me string, proto uint8, ports ...uint16) classifier.Filter {
		return filter(src, me, proto, ports...)
	}
	for name, rules := range map[string][]Rule{
		"one by one": {{me("10.9.0.0/16", "240.0.0.1/32", 17, 80), Accept}, {me("10.9.0.0/16", "240.0.0.1/32", 0), Drop},
			{me("fd09::/48", "100::1/128", 17, 80), Accept}, {me("fd09::/48", "100::1/128", 0), Drop}},
		"in sets": {{me("10.9.0.2/32", "240.0.0.1/32", 17, 80), Accept}, {me("10.9.0.3/32", "240.0.0.1/32", 17, 80), Accept}, {me("10.9.0.4/32", "240.0.0.1/32", 17, 80), Accept},
			{me("10.9.0.2/32", "240.0.0.1/32", 17, 79), Drop}, {me("10.9.0.2/32", "240.0.0.1/32", 0), Drop}, {me("10.9.0.3/32", "240.0.0.1/32", 0), Drop},
			{me("10.9.0.4/32", "240.0.0.1/32", 0), Drop}, {me("10.9.0.5/32", "240.0.0.1/32", 0), Drop},
			{me("fd09::2/128", "100::1/128", 17, 80), Accept}, {me("fd09::3/128", "100::1/128", 17, 80), Accept}, {me("fd09::4/128", "100::1/128", 17, 80), Accept},
			{me("fd09::2/128", "100::1/128", 17, 79), Drop}, {me("fd09::2/128", "100::1/128", 0), Drop}, {me("fd09::3/128", "100::1/128", 0), Drop},
			{me("fd09::4/128", "100::1/128", 0), Drop}, {me("fd09::5/128", "100::1/128", 0), Drop}},
	} {
		must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules, Me: []netip.Addr{me4, me6},
			NotMe: []netip.Addr{netip.MustParseAddr(mine[1]), netip.MustParseAddr(mine[3])}}))
		for fam, added := range []string{"10.9.0.77/16", "fd09::77/48"} {
			p := netip.MustParsePrefix(added)
			testnet.AddAddrs(t, "wire", []netip.Prefix{p})
			b.learn(t, p.Addr())
			usable(t, p.Addr())
			for _, c := range []struct {
				dst    string
				port   uint16
				passes bool
			}{{mine[2*fam], 81, false}, {mine[2*fam], 80, true}, {mine[2*fam+1], 81, true}, {p.Addr().String(), 81, false}, {p.Addr().String(), 80, true}} {
				text := fmt.Sprintf("%s port %d", c.dst, c.port)
				b.inject(udp(netip.MustParseAddr(theirs[3*fam]), netip.MustParseAddr(c.dst), 1000, c.port, text))
				if got := b.arrived(fam); slices.Contains(got, text) != c.passes {
					t.Errorf("%s, %s: passed %q, want %v", name, text, got, c.passes)
				}
			}
			l, err := netlink.LinkByName("wire")
			must(t, err)
			must(t, netlink.AddrDel(l, &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}))
		}
	}
}

// TestGuardWatchesMeOnTheWayOut: what leaves from an address of this host is judged as from me, whatever the address; what it leaves from elsewhere is not.
func TestGuardWatchesMeOnTheWayOut(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	must(t, Install(Config{Instance: "test", Device: "tun7", Me: []netip.Addr{me4, me6}, NotMe: []netip.Addr{netip.MustParseAddr(mine[1])},
		Outbound: []Rule{{filter("240.0.0.1/32", "10.9.0.2/32", 0), Drop}, {filter("100::1/128", "fd09::2/128", 0), Drop}}}))
	for _, c := range []struct {
		from, to string
		leaves   bool
	}{{mine[0], "10.9.0.2", false}, {mine[1], "10.9.0.2", true}, {mine[0], "10.9.0.3", true}, {mine[2], "fd09::2", false}, {mine[2], "fd09::3", true}} {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.from), 0)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.to), 9)))
		must(t, err)
		_, err = conn.Write([]byte("x"))
		conn.Close()
		if (err == nil) != c.leaves {
			t.Errorf("from %s to %s: %v, want it to leave: %v", c.from, c.to, err, c.leaves)
		}
	}
	_ = b
}

// learn makes the other host know the link-layer address of one of ours, so that its first packet leaves at once.
func (b *bench) learn(t *testing.T, a netip.Addr) {
	t.Helper()
	wire, err := netlink.LinkByName("wire")
	must(t, err)
	b.other.Do(func() {
		peer, err := netlink.LinkByName("peer")
		must(t, err)
		must(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: peer.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: wire.Attrs().HardwareAddr}))
	})
}

// usable waits until an address takes packets: the system takes a moment for that, also where it does not look for duplicates.
func usable(t *testing.T, a netip.Addr) {
	t.Helper()
	for range 200000 {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
	}
	t.Fatalf("%v takes no packets", a)
}
