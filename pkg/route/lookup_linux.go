package route

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SourceFor returns the address that a socket with the mark given would use towards remote: the outer local address of a peer.
func SourceFor(remote netip.Addr, mark uint32) (netip.Addr, error) {
	r, err := lookup(remote, mark)
	if err != nil {
		return netip.Addr{}, err
	}
	src, ok := netip.AddrFromSlice(r.Src)
	if !ok {
		return netip.Addr{}, fmt.Errorf("the host has no address to reach %v from; put one on the interface that leads there: %w", remote, ErrNoRoute)
	}
	src = src.Unmap()
	if src.IsLinkLocalUnicast() && src.Is6() {
		src = src.WithZone(remote.Zone())
	}
	return src, nil
}

// RouteMTU returns the MTU in octets of the way that a socket with the mark given would take to remote: the route's own if it has one
// (or the kernel's cached path MTU), else the device's.
func RouteMTU(remote netip.Addr, mark uint32) (int, error) {
	r, err := lookup(remote, mark)
	if err != nil {
		return 0, err
	}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return 0, explain(err, "the interface that leads to %v is not there", remote)
	}
	mtu := link.Attrs().MTU
	if r.MTU > 0 {
		mtu = min(mtu, r.MTU)
	}
	return mtu, nil
}

func lookup(remote netip.Addr, mark uint32) (netlink.Route, error) {
	remote = remote.Unmap()
	o := &netlink.RouteGetOptions{Mark: mark}
	if zone := remote.Zone(); zone != "" {
		o.Oif = zone
	}
	routes, err := netlink.RouteGetWithOptions(net.IP(remote.AsSlice()), o)
	if err != nil || len(routes) == 0 {
		return netlink.Route{}, fmt.Errorf("%w to %v (%v). Check the address, and ip route", ErrNoRoute, remote, err)
	}
	return routes[0], nil
}

// Snapshot describes the links, addresses, rules, routes of all tables and rp_filter settings of the host, one a line, sorted: two
// snapshots are equal if nothing was left behind.
func Snapshot() ([]string, error) {
	var out []string
	links, err := whole(netlink.LinkList)
	if err != nil {
		return nil, explain(err, "the links could not be listed")
	}
	for _, l := range links {
		out = append(out, fmt.Sprintf("link %s %s mtu %d", l.Attrs().Name, l.Type(), l.Attrs().MTU))
		if v, err := readSetting(l.Attrs().Name); err == nil {
			out = append(out, fmt.Sprintf("rp_filter %s %s", l.Attrs().Name, v))
		}
	}
	addrs, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, explain(err, "the addresses could not be listed")
	}
	for _, a := range addrs {
		out = append(out, fmt.Sprintf("address %v index %d", a.IPNet, a.LinkIndex))
	}
	for _, family := range families {
		rules, err := whole(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return nil, explain(err, "the rules could not be listed")
		}
		for i := range rules {
			rules[i].Family = family
			out = append(out, describeRule(&rules[i]))
		}
	}
	routes, err := tableRoutes(unix.RT_TABLE_UNSPEC)
	if err != nil {
		return nil, err
	}
	for i := range routes {
		if routes[i].Table == unix.RT_TABLE_LOCAL && routes[i].Protocol == unix.RTPROT_KERNEL {
			continue // these follow the addresses, a little later
		}
		out = append(out, describeRoute(&routes[i]))
	}
	slices.Sort(out)
	return out, nil
}

// ForwardingWarning returns what to tell a gateway whose kernel does not forward, or "". behind are the networks behind it; single
// addresses do not count.
func ForwardingWarning(behind []netip.Prefix) string {
	var off []string
	for _, f := range [...]struct {
		is4           bool
		path, setting string
	}{
		{true, "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward=1"},
		{false, "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding=1"},
	} {
		gateway := slices.ContainsFunc(behind, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Addr().Is4() == f.is4 })
		if gateway && readNumber(f.path) == "0" {
			off = append(off, f.setting)
		}
	}
	if len(off) == 0 {
		return ""
	}
	return "the policy makes this host a gateway, but the kernel does not forward packets; type  sysctl -w " + strings.Join(off, " ")
}
