package route

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// entry tells one route of table T from another; the source address is what may change under it.
type entry struct {
	prefix netip.Prefix
	kind   int // unix.RTN_*
	metric int
}

// Apply makes table T, the rules for networks behind the gateway and the addresses of the TUN what p says. What p has in common with
// what stands there stays untouched. The order is: black holes, routes into the TUN, then deletion of what is not in p, the black
// hole last; so a prefix that is captured before and after is captured throughout, and none is ever half captured.
func (h *Host) Apply(p Plan) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.link()
	if err != nil {
		return err
	}
	// Addresses first: a route may name one as its source.
	if err := setAddresses(link, p.Addresses); err != nil {
		return err
	}
	want := p.entries()
	have, err := h.table(link.Attrs().Index)
	if err != nil {
		return err
	}
	if err := h.addMissing(want, have, link.Attrs().Index); err != nil {
		return err
	}
	if err := h.setBehindRules(p); err != nil {
		return err
	}
	return h.deleteSurplus(want, have)
}

// entries returns the routes that p asks for, with their preferred sources.
func (p *Plan) entries() map[entry]netip.Addr {
	want := map[entry]netip.Addr{}
	exempt := map[netip.Prefix]bool{}
	for _, e := range p.Exempt {
		exempt[e.Masked()] = true
		want[entry{e.Masked(), unix.RTN_THROW, captureMetric}] = netip.Addr{}
	}
	for _, c := range p.Captures {
		prefix := c.Prefix.Masked()
		if exempt[prefix] || !prefix.IsValid() {
			continue
		}
		want[entry{prefix, unix.RTN_BLACKHOLE, blackHoleMetric}] = netip.Addr{}
		want[entry{prefix, unix.RTN_UNICAST, captureMetric}] = c.Source
	}
	return want
}

// table returns what stands in table T. Routes to another device than the TUN with the index given count as absent.
func (h *Host) table(tun int) (map[entry]netip.Addr, error) {
	routes, err := tableRoutes(h.id.Table)
	if err != nil {
		return nil, err
	}
	have := map[entry]netip.Addr{}
	for _, r := range routes {
		if r.Type == unix.RTN_UNICAST && r.LinkIndex != tun {
			continue
		}
		src, _ := netip.AddrFromSlice(r.Src)
		have[entry{fromIPNet(r.Dst), r.Type, r.Priority}] = src.Unmap()
	}
	return have, nil
}

func tableRoutes(table uint32) ([]netlink.Route, error) {
	var all []netlink.Route
	for _, family := range families {
		routes, err := whole(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: int(table)}, netlink.RT_FILTER_TABLE)
		})
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, explain(err, "the routes of table %d could not be listed", table)
		}
		all = append(all, routes...)
	}
	return all, nil
}

// order is the one in which routes are added: exemptions and black holes before what leads into the TUN.
var order = [...]int{unix.RTN_THROW, unix.RTN_BLACKHOLE, unix.RTN_UNICAST}

func (h *Host) addMissing(want, have map[entry]netip.Addr, tun int) error {
	for _, kind := range order {
		for e, src := range want {
			if e.kind != kind {
				continue
			}
			if old, ok := have[e]; ok && old == src {
				continue
			}
			if err := netlink.RouteReplace(h.route(e, src, tun)); err != nil {
				return h.explainRoute(err, e.prefix, src)
			}
		}
	}
	return nil
}

func (h *Host) explainRoute(err error, prefix netip.Prefix, src netip.Addr) error {
	if prefix.Addr().Is6() && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAFNOSUPPORT)) {
		return fmt.Errorf("the route to %v into the tunnel could not be set: IPv6 is switched off; type  sysctl -w net.ipv6.conf.all.disable_ipv6=0 "+
			"net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.%s.disable_ipv6=0  or leave IPv6 out of the policy (%v)", prefix, h.cfg.Device, err)
	}
	if src.IsValid() {
		return explain(err, "the route to %v into the tunnel could not be set; is its preferred source %v an address of this host?", prefix, src)
	}
	return explain(err, "the route to %v into the tunnel could not be set", prefix)
}

func (h *Host) route(e entry, src netip.Addr, tun int) *netlink.Route {
	r := &netlink.Route{Table: int(h.id.Table), Dst: toIPNet(e.prefix), Type: e.kind, Priority: e.metric, Protocol: Protocol,
		Family: familyOf(e.prefix.Addr())}
	if e.kind == unix.RTN_UNICAST {
		r.LinkIndex = tun
		r.Scope = netlink.SCOPE_LINK
		if src.IsValid() {
			r.Src = src.AsSlice()
			r.Scope = netlink.SCOPE_UNIVERSE
		}
	}
	return r
}

// deleteSurplus removes what is not wanted, in the reverse order of adding, so that the black hole goes last.
func (h *Host) deleteSurplus(want, have map[entry]netip.Addr) error {
	var errs []error
	for i := len(order) - 1; i >= 0; i-- {
		for e := range have {
			if _, keep := want[e]; keep || e.kind != order[i] {
				continue
			}
			err := netlink.RouteDel(h.route(e, netip.Addr{}, 0))
			if err != nil && !errors.Is(err, unix.ESRCH) {
				errs = append(errs, explain(err, "the route to %v could not be removed", e.prefix))
			}
		}
	}
	return errors.Join(errs...)
}

// setAddresses gives link exactly the addresses wanted, but for the link-local ones that the kernel makes.
func setAddresses(link netlink.Link, wanted []netip.Prefix) error {
	have, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return explain(err, "the addresses of %s could not be listed", link.Attrs().Name)
	}
	missing := map[netip.Prefix]bool{}
	for _, p := range wanted {
		missing[p] = true
	}
	var errs []error
	for _, a := range have {
		p := fromIPNet(a.IPNet)
		if missing[p] {
			delete(missing, p)
			continue
		}
		if p.Addr().IsLinkLocalUnicast() {
			continue
		}
		if err := netlink.AddrDel(link, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			errs = append(errs, explain(err, "the address %v could not be taken from %s", p, link.Attrs().Name))
		}
	}
	for p := range missing {
		// No prefix route: what is captured is what Captures say. No duplicate detection: the TUN has no neighbours.
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
			Flags: unix.IFA_F_NOPREFIXROUTE}
		if p.Addr().Is6() {
			a.Flags |= unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, explain(err, "the address %v could not be put on %s", p, link.Attrs().Name))
		}
	}
	return errors.Join(errs...)
}
