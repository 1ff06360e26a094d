package endpoint

import (
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// knownSources are the addresses that the policy in force was expanded for, and those that it is known to leave out of *me*, such as those of the loopback
// device. The data plane asks; the endpoint's goroutine writes.
type knownSources struct {
	list atomic.Pointer[map[netip.Addr]bool]
}

// mostKnown bounds the addresses that are left out.
const mostKnown = 4096

func (k *knownSources) set(own []netip.Addr) {
	m := make(map[netip.Addr]bool, len(own))
	for _, a := range own {
		m[a] = true
	}
	k.list.Store(&m)
}

func (k *knownSources) add(a netip.Addr) {
	m := map[netip.Addr]bool{}
	if old := k.list.Load(); old != nil && len(*old) < mostKnown {
		for known := range *old {
			m[known] = true
		}
	}
	m[a] = true
	k.list.Store(&m)
}

// stranger reports whether an address is this host's and not known. Packets of others, which this host forwards, are no strangers.
func (k *knownSources) stranger(a netip.Addr) bool {
	if m := k.list.Load(); m != nil && (*m)[a] {
		return false
	}
	return isLocal(a)
}

// isLocal asks the system at this moment: only an address of the host can be bound.
func isLocal(a netip.Addr) bool {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// families remembers which IP families the host has had addresses of.
type families struct{ four, six bool }

func (f *families) see(own []netip.Addr) {
	for _, a := range own {
		f.four, f.six = f.four || a.Is4(), f.six || a.Is6()
	}
}

func (f families) has(a netip.Addr) bool { return a.Is4() && f.four || a.Is6() && f.six }

// pointedTo lists where packets of *me* go that a rule blocks or protects.
func pointedTo(r *policy.Rule) []netip.Prefix {
	var list []netip.Prefix
	if r.Action.Kind == policy.Permit {
		return nil
	}
	for i := range r.Filters {
		f := &r.Filters[i]
		if f.Src.Kind == policy.Me {
			list = append(list, prefixesOf(&f.Dst)...)
		}
		if f.Dst.Kind == policy.Me && f.Mirrored {
			list = append(list, prefixesOf(&f.Src)...)
		}
	}
	return list
}

func prefixesOf(a *policy.AddrSpec) []netip.Prefix {
	var list []netip.Prefix
	switch a.Kind {
	case policy.Me, policy.LiveDNS, policy.LiveWINS, policy.LiveDHCP, policy.LiveGateway: // what these stand for now, the expansion knows
	case policy.Any:
		list = append(list, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	case policy.DNSName:
		for _, x := range a.Resolved {
			list = append(list, prefixes(classifier.Range{From: x, To: x})...)
		}
	default:
		list = prefixes(a.Range)
	}
	return list
}
