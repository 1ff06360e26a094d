package route

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// Interfaces are sorted by what can be dialled and what cannot.
func TestInterfacesByConnectionType(t *testing.T) {
	testnet.NeedTUN(t)
	lan := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan0"}, PeerName: "lan1"}
	tap := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tap7"}, Mode: netlink.TUNTAP_MODE_TAP}
	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun7"}, Mode: netlink.TUNTAP_MODE_TUN}
	own := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "own7"}, Mode: netlink.TUNTAP_MODE_TUN}
	for n, l := range []netlink.Link{lan, tap, tun, own} {
		if err := netlink.LinkAdd(l); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(l) })
		ip := &net.IPNet{IP: net.IPv4(10, 7, byte(n), 1), Mask: net.CIDRMask(24, 32)}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ip}); err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	ifs, err := Interfaces("own7")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range ifs {
		got[i.Name] = fmt.Sprint(i.RemoteAccess, i.Addresses, i.Broadcasts)
	}
	for name, want := range map[string]string{"lan0": "false [10.7.0.1] [10.7.0.255]", "tap7": "true [10.7.1.1] [10.7.1.255]", "tun7": "true [10.7.2.1] []", "own7": ""} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// What sysfs says of mobile broadband and of TAP devices.
func TestDialledFiles(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"wwan0/uevent":   "DEVTYPE=wwan\nINTERFACE=wwan0\nIFINDEX=4\n",
		"eth0/uevent":    "INTERFACE=eth0\nIFINDEX=2\n",
		"wlan0/uevent":   "DEVTYPE=wlan\nINTERFACE=wlan0\n",
		"tap0/tun_flags": "0x1002\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"wwan0": true, "eth0": false, "wlan0": false, "tap0": true, "none0": false, "../tap0": true} {
		if got := dialledFiles(root, name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestGateways(t *testing.T) {
	testnet.NeedTUN(t)
	l := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "gw0"}, PeerName: "gw1"}
	if err := netlink.LinkAdd(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(l) })
	for _, name := range []string{"gw0", "gw1"} {
		x, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 8, 0, 1), Mask: net.CIDRMask(24, 32)}}); err != nil {
		t.Fatal(err)
	}
	said := func(want string) {
		t.Helper()
		if got, err := Gateways(); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	}
	said("[]")
	to := func(prefix, gateway string, priority int) *netlink.Route {
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Gw: net.ParseIP(gateway), Priority: priority}
		if prefix != "" {
			_, r.Dst, _ = net.ParseCIDR(prefix)
		}
		return r
	}
	for _, r := range []*netlink.Route{to("", "10.8.0.254", 10), to("", "10.8.0.253", 20), to("192.0.2.0/24", "10.8.0.252", 0)} {
		if err := netlink.RouteAdd(r); err != nil {
			t.Fatal(err)
		}
	}
	said("[10.8.0.253 10.8.0.254]")
	if err := netlink.RouteDel(to("", "10.8.0.254", 10)); err != nil {
		t.Fatal(err)
	}
	said("[10.8.0.253]")
}
