package route

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sysClassNet is where the kernel describes interfaces.
const sysClassNet = "/sys/class/net"

// dialledLinks returns what tells whether an interface is of a kind that is dialled although it may not be point-to-point: TUN and TAP devices, PPP, and
// mobile broadband, whose drivers say wwan as the type of the device.
func dialledLinks() func(name string) bool {
	kinds := map[string]bool{}
	links, _ := whole(netlink.LinkList) // without the list the flags and sysfs are left
	for _, l := range links {
		kind := l.Type()
		kinds[l.Attrs().Name] = kind == "tuntap" || kind == "tun" || kind == "ppp" || kind == "wwan" || kind == "wireguard" || l.Attrs().EncapType == "ppp"
	}
	return func(name string) bool { return kinds[name] || dialledFiles(sysClassNet, name) }
}

// dialledFiles looks into sysfs for the marks of a TUN or TAP device and of mobile broadband.
func dialledFiles(root, name string) bool {
	dir := filepath.Join(root, filepath.Base(name))
	if _, err := os.Stat(filepath.Join(dir, "tun_flags")); err == nil {
		return true
	}
	uevent, _ := os.ReadFile(filepath.Join(dir, "uevent"))
	return slices.ContainsFunc(bytes.Fields(uevent), func(word []byte) bool { return string(word) == "DEVTYPE=wwan" })
}

// Gateways returns the next hops of the default routes of the main table, sorted, without link-local ones.
func Gateways() ([]netip.Addr, error) {
	var out []netip.Addr
	add := func(ip net.IP) {
		a, ok := netip.AddrFromSlice(ip)
		if a = a.Unmap(); ok && !a.IsUnspecified() && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	for _, family := range families {
		routes, err := whole(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, explain(err, "the default routes could not be listed")
		}
		for _, r := range routes {
			if r.Dst != nil && fromIPNet(r.Dst).Bits() != 0 || r.Protocol == Protocol {
				continue
			}
			add(r.Gw)
			if via, ok := r.Via.(*netlink.Via); ok {
				add(via.Addr)
			}
			for _, hop := range r.MultiPath {
				add(hop.Gw)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
