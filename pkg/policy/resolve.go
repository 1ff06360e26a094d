package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// Names returns the DNS names in the filters of p, sorted, each once.
func (p *Policy) Names() []string {
	seen := map[string]bool{}
	for _, r := range p.Rules {
		for i := range r.Filters {
			for _, a := range [...]*AddrSpec{&r.Filters[i].Src, &r.Filters[i].Dst} {
				if a.Kind == DNSName {
					seen[a.Name] = true
				}
			}
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// plain writes IPv4 addresses as such: resolvers give them in the form of IPv6.
func plain(addrs []netip.Addr) []netip.Addr {
	list := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		list[i] = a.Unmap().WithZone("")
	}
	return list
}

// Resolve returns a copy of p in which lookup has given every DNS name its addresses. Each name is asked for once, in sorted
// order. An error names the name; no addresses, or too many, are for Compile to complain of, which knows the place.
func (p *Policy) Resolve(lookup func(name string) ([]netip.Addr, error)) (*Policy, error) {
	found := map[string][]netip.Addr{}
	for _, n := range p.Names() {
		addrs, err := lookup(n)
		if err != nil {
			return nil, fmt.Errorf("the name %q of policy %q has no known address: %w (check the host's DNS, or write the addresses in the file)", n, p.Name, err)
		}
		found[n] = plain(addrs)
	}
	if len(found) == 0 {
		return p, nil
	}
	c := *p
	c.Rules = make([]*Rule, len(p.Rules))
	for i, r := range p.Rules {
		copied := *r
		copied.Filters = slices.Clone(r.Filters)
		for j := range copied.Filters {
			for _, a := range [...]*AddrSpec{&copied.Filters[j].Src, &copied.Filters[j].Dst} {
				if a.Kind == DNSName {
					a.Resolved = found[a.Name]
				}
			}
		}
		c.Rules[i] = &copied
	}
	return &c, nil
}
