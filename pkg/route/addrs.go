package route

import (
	"net/netip"
	"slices"
)

// LocalAddrs returns the host's own unicast addresses of interfaces that are up, sorted, without those of loopback interfaces, of
// link-local scope and of the interfaces named in except (the TUN).
func LocalAddrs(except ...string) ([]netip.Addr, error) {
	ifs, err := Interfaces(except...)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, i := range ifs {
		out = append(out, i.Addresses...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
