package route

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// LocalAddrs returns the host's own unicast addresses of interfaces that are up, sorted, without those of loopback interfaces, of
// link-local scope and of the interfaces named in except (the TUN).
func LocalAddrs(except ...string) ([]netip.Addr, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("the host's interfaces could not be listed: %w", err)
	}
	var out []netip.Addr
	for _, i := range ifs {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || slices.Contains(except, i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface vanished while we looked
		}
		for _, a := range addrs {
			p, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, ok := netip.AddrFromSlice(p.IP)
			if ip = ip.Unmap(); ok && !ip.IsLinkLocalUnicast() && !ip.IsLoopback() && !ip.IsMulticast() {
				out = append(out, ip)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
