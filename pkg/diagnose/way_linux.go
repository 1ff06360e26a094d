package diagnose

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/route"
)

// lookup asks the kernel how a packet with a mark would leave.
func lookup(to netip.Addr, mark uint32) (netlink.Route, error) {
	o := &netlink.RouteGetOptions{Mark: mark, Oif: to.Zone()}
	list, err := netlink.RouteGetWithOptions(net.IP(to.AsSlice()), o)
	if err == nil && len(list) == 0 {
		err = unix.ENETUNREACH
	}
	if err != nil {
		return netlink.Route{}, fmt.Errorf("there is no route to %v: %w", to, err)
	}
	return list[0], nil
}

func wayTo(to netip.Addr, mark uint32) (way, error) {
	r, err := lookup(to, mark)
	if err != nil {
		return way{}, err
	}
	if r.Type != unix.RTN_UNICAST && r.Type != unix.RTN_LOCAL && r.Type != 0 {
		return way{}, fmt.Errorf("the route to %v refuses packets (%v)", to, r)
	}
	w := way{}
	if w.source, err = route.SourceFor(to, mark); err != nil {
		return way{}, err
	}
	if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
		w.device, w.mtu = link.Attrs().Name, link.Attrs().MTU
		if link.Attrs().Flags&net.FlagUp == 0 {
			return way{}, fmt.Errorf("%s, which leads to %v, is down", w.device, to)
		}
	}
	if r.MTU > 0 {
		w.mtu = r.MTU
	}
	return w, nil
}

// neighbour says whether the next hop to an address has failed to answer ARP or neighbour discovery; "" if it has not, or nobody knows.
func neighbour(to netip.Addr, mark uint32) string {
	r, err := lookup(to, mark)
	if err != nil {
		return ""
	}
	hop, who := to, "the peer"
	if gw, ok := netip.AddrFromSlice(r.Gw); ok {
		hop, who = gw.Unmap(), "the router on the way, "+gw.Unmap().String()+","
	}
	list, err := netlink.NeighList(r.LinkIndex, 0)
	if err != nil {
		return ""
	}
	for _, n := range list {
		if a, ok := netip.AddrFromSlice(n.IP); ok && a.Unmap() == hop && n.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0 {
			return who + " does not answer on its own link: it is down, or not there"
		}
	}
	return ""
}
