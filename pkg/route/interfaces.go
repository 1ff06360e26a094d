package route

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Interface is one network interface that is up, with its unicast addresses but for loopback and link-local ones.
type Interface struct {
	Name string
	// RemoteAccess is set for interfaces that are dialled or lead to one other end: PPP, WWAN, tunnels, TUN and TAP devices.
	RemoteAccess bool
	Addresses    []netip.Addr
}

// Interfaces lists the host's interfaces that are up, but for loopback ones and those named in except (the endpoint's own TUN).
func Interfaces(except ...string) ([]Interface, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("the host's interfaces could not be listed: %w", err)
	}
	var out []Interface
	dialled := dialledLinks()
	for _, i := range ifs {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || slices.Contains(except, i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface vanished while we looked
		}
		out = append(out, Interface{Name: i.Name, RemoteAccess: i.Flags&net.FlagPointToPoint != 0 || dialled(i.Name), Addresses: usable(addrs)})
	}
	return out, nil
}

// usable are the unicast addresses by which other hosts can reach this one.
func usable(addrs []net.Addr) (list []netip.Addr) {
	for _, a := range addrs {
		p, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(p.IP)
		if ip = ip.Unmap(); ok && !ip.IsLinkLocalUnicast() && !ip.IsLoopback() && !ip.IsMulticast() {
			list = append(list, ip)
		}
	}
	return list
}
