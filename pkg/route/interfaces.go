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
	// Broadcasts are the broadcast addresses of the subnets that the interface is in, if it knows broadcast.
	Broadcasts []netip.Addr
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
		x := Interface{Name: i.Name, RemoteAccess: i.Flags&net.FlagPointToPoint != 0 || dialled(i.Name), Addresses: usable(addrs)}
		if i.Flags&net.FlagBroadcast != 0 {
			x.Broadcasts = broadcasts(addrs)
		}
		out = append(out, x)
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

// broadcasts are the last addresses of the IPv4 subnets that an interface's addresses are in, where these are larger than a pair (RFC 3021).
func broadcasts(addrs []net.Addr) (list []netip.Addr) {
	for _, a := range addrs {
		p, ok := a.(*net.IPNet)
		if !ok || p.IP.To4() == nil {
			continue
		}
		if ones, bits := p.Mask.Size(); bits-ones < 2 {
			continue
		}
		last, mask := p.IP.To4(), p.Mask[len(p.Mask)-4:]
		var b [4]byte
		for i := range b {
			b[i] = last[i] | ^mask[i]
		}
		list = append(list, netip.AddrFrom4(b))
	}
	return list
}
