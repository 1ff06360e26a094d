package route

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Traces lists what instances have in the kernel's routing, those that run and those that were killed.
func Traces() ([]Trace, error) {
	byTable := map[uint32]*Trace{}
	at := func(table int) *Trace {
		t := byTable[uint32(table)]
		if t == nil {
			t = &Trace{Table: uint32(table)}
			byTable[uint32(table)] = t
		}
		return t
	}
	for _, family := range families {
		rules, err := allRules(family)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if r.Protocol == Protocol && r.Table != tableMain {
				at(r.Table).Rules++
			}
		}
	}
	routes, err := tableRoutes(unix.RT_TABLE_UNSPEC)
	if err != nil {
		return nil, err
	}
	for i := range routes {
		r := &routes[i]
		ours := uint32(r.Table)&MarkMask == MarkBase
		switch {
		case ours && r.Protocol != Protocol && !automatic(r):
			at(r.Table).Foreign = append(at(r.Table).Foreign, describeRoute(r))
		case r.Protocol != Protocol:
		case r.Type == unix.RTN_BLACKHOLE:
			at(r.Table).BlackHoles++
		case r.Type == unix.RTN_UNICAST:
			at(r.Table).Captures++
		}
	}
	var list []Trace
	for _, t := range byTable {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Trace) int { return int(int64(a.Table) - int64(b.Table)) })
	return list, nil
}

// automatic reports whether the kernel made a route by itself.
func automatic(r *netlink.Route) bool { return r.Protocol == unix.RTPROT_KERNEL }

func allRules(family int) ([]netlink.Rule, error) {
	rules, err := whole(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err, "the policy-routing rules could not be listed")
	}
	for i := range rules {
		rules[i].Family = family
	}
	return rules, nil
}

// Contenders lists the rules of others that the kernel asks before those of an instance, and that take packets to some of the prefixes away from it.
func Contenders(id Identity, prefixes []netip.Prefix) ([]Contender, error) {
	routes, err := tableRoutes(unix.RT_TABLE_UNSPEC)
	if err != nil {
		return nil, err
	}
	var list []Contender
	for _, family := range families {
		rules, err := allRules(family)
		if err != nil {
			return nil, err
		}
		for i := range rules {
			r := &rules[i]
			if r.Priority >= id.Priority || r.Protocol == Protocol || r.Table == unix.RT_TABLE_LOCAL || r.Goto > 0 {
				continue
			}
			if c := contender(r, routes, prefixes); len(c.Routes) > 0 {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

func contender(r *netlink.Rule, routes []netlink.Route, prefixes []netip.Prefix) Contender {
	c := Contender{Rule: describeRule(r), Always: r.Src == nil && r.Dst == nil && r.IifName == "" && r.OifName == "" && r.Mark == 0 && !r.Invert &&
		r.UIDRange == nil && r.Dport == nil && r.Sport == nil && r.IPProto == 0}
	for i := range routes {
		x := &routes[i]
		if r.Table == 0 || x.Table != r.Table || familyOf(routePrefix(x, r.Family).Addr()) != r.Family || r.SuppressPrefixlen >= routePrefix(x, r.Family).Bits() {
			continue
		}
		if covers(routePrefix(x, r.Family), prefixes) {
			c.Routes = append(c.Routes, describeRoute(x))
		}
	}
	if r.Type == unix.RTN_BLACKHOLE || r.Type == unix.RTN_UNREACHABLE || r.Type == unix.RTN_PROHIBIT {
		c.Routes = append(c.Routes, "the rule refuses packets itself")
	}
	return c
}

// routePrefix is a route's destination, that of a default route spelled out.
func routePrefix(r *netlink.Route, family int) netip.Prefix {
	if p := fromIPNet(r.Dst); p.IsValid() {
		return p
	}
	if family == unix.AF_INET {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

func covers(p netip.Prefix, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, p.Overlaps)
}

// StrictInterfaces lists the interfaces on which strict reverse-path filtering is in force.
func StrictInterfaces() ([]string, error) { return strictInterfaces() }

// DeviceFor is the name of the device by which an unmarked packet of this host to an address leaves.
func DeviceFor(to netip.Addr) (string, error) {
	r, err := lookup(to, 0)
	if err != nil {
		return "", err
	}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return "", fmt.Errorf("the interface that leads to %v: %w", to, err)
	}
	return link.Attrs().Name, nil
}
