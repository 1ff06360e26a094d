package policy

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// LocalHost is what the expansion of a policy takes from the host it is for. It is not changed.
type LocalHost struct {
	// Addresses are all local addresses.
	Addresses []netip.Addr
	// ByConnection holds, for each connection type, those of Addresses that interfaces of it have; one address may be on interfaces of
	// both. Nil: nothing is known of interfaces, and every address counts for every type.
	ByConnection map[Connection][]netip.Addr
	// Broadcasts are the broadcast addresses of the subnets that the host is in, ascending.
	Broadcasts []netip.Addr
	// Sources holds, for the peers of tunnels without a local end, the local address that packets to them leave from.
	Sources map[netip.Addr]netip.Addr
	// LookOnly is set where the policy is only looked at, perhaps away from its host: DNS names that were not resolved, and pairs of tunnel rules neither end of
	// which is an address of the host, then stand for nothing, where they would be faults.
	LookOnly bool
	// Live holds what the live keywords stand for, but for wins, which the policy tells.
	Live map[AddrKind][]netip.Addr
}

// Same reports whether a policy expands on both hosts into the same, as far as lists of addresses can tell.
func (h *LocalHost) Same(o *LocalHost) bool {
	if !slices.Equal(h.Addresses, o.Addresses) || !slices.Equal(h.Broadcasts, o.Broadcasts) || (h.ByConnection == nil) != (o.ByConnection == nil) {
		return false
	}
	for _, c := range [...]Connection{LAN, RemoteAccess} {
		if !slices.Equal(h.ByConnection[c], o.ByConnection[c]) {
			return false
		}
	}
	for _, k := range LiveKinds {
		if !slices.Equal(h.Live[k], o.Live[k]) {
			return false
		}
	}
	return maps.Equal(h.Sources, o.Sources)
}

// LiveKinds are the live keywords.
var LiveKinds = [...]AddrKind{LiveDNS, LiveWINS, LiveDHCP, LiveGateway}

// Connection is the connection type of a rule: the interfaces whose traffic it is for.
type Connection uint8

const (
	// AllConnections does not look at the interface.
	AllConnections Connection = iota
	// LAN is every interface that is not of RemoteAccess, but for loopback and the endpoint's own device.
	LAN
	// RemoteAccess is a dialled or point-to-point interface: PPP, WWAN, tunnels and TUN devices of others.
	RemoteAccess
)

// String returns the type as a policy file names it.
func (c Connection) String() string {
	switch c {
	case LAN:
		return "lan"
	case RemoteAccess:
		return "remote_access"
	}
	return "all"
}

// keyword is a live keyword as a policy file has it.
func (k AddrKind) keyword() string {
	return [...]string{"dns", "wins", "dhcp", "gateway"}[k-LiveDNS]
}

// UsesLive reports whether a filter of p has a live keyword, and so what the system's settings say matters to it.
func (p *Policy) UsesLive() bool {
	return slices.ContainsFunc(p.Rules, usesLive)
}

// live gives the servers that a live keyword stands for now. None is no fault: a host has days without a name server.
func (x *expansion) live(r *Rule, a *AddrSpec, at Position) ([]classifier.Range, bool) {
	if x.offline {
		return nil, false
	}
	servers := x.host.Live[a.Kind]
	if a.Kind == LiveWINS {
		servers = x.policy.WINS
	}
	var list []netip.Addr
	for _, s := range servers {
		s = s.Unmap().WithZone("")
		// A server on the host itself is no peer, and a link-local one speaks with link-local addresses, which me is not.
		if s.IsValid() && !x.local[s] && !s.IsLoopback() && !s.IsLinkLocalUnicast() && !s.IsUnspecified() {
			list = append(list, s)
		}
	}
	switch {
	case len(list) == 0 && a.Kind == LiveWINS && len(x.policy.WINS) == 0:
		x.warn(at, "rule %q: no system tells its WINS servers: name them with wins_servers: [ADDRESS] at the top of the file; until then the filter matches nothing", r.Name)
		return nil, false
	case len(list) == 0:
		x.warn(at, "rule %q: %s stands for no address now: the filter matches nothing until it does", r.Name, a)
		return nil, false
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return hosts(slices.Compact(list)), true
}

// ownOf is what me stands for in a rule of a connection type.
func (x *expansion) ownOf(c Connection) []netip.Addr {
	if c == AllConnections || x.host.ByConnection == nil {
		if x.open != nil {
			return x.open
		}
		return x.me
	}
	var own []netip.Addr
	for _, a := range x.me {
		if slices.Contains(x.host.ByConnection[c], a) {
			own = append(own, a)
		}
	}
	return own
}

// asleep reports whether a rule of a connection type has nothing to do now: no interface of the type has an address, or the way to the
// tunnel's other end leads through another.
func (x *expansion) asleep(r *Rule) bool {
	if r.Connection == AllConnections || x.host.ByConnection == nil || x.offline {
		return false
	}
	if len(x.own) == 0 {
		x.warn(r.Source, "rule %q is for %s connections, and there is none now: it does nothing until there is one", r.Name, r.Connection)
		return true
	}
	t := r.Tunnel
	if t == nil {
		return false
	}
	outer := t.Local
	if !outer.IsValid() {
		outer = x.host.Sources[t.Remote]
	}
	if outer.IsValid() && !slices.Contains(x.own, outer) {
		x.warn(r.Source, "rule %q is for %s connections, and its tunnel's outer address %v is on no such interface now: it does nothing until it is", r.Name, r.Connection, outer)
		return true
	}
	return false
}

// through narrows a filter of a rule with a connection type to this host's own traffic through such interfaces: that from or to one of
// their addresses, whatever side of the filter holds it. The filters of a tunnel stay as they are, for there the tunnel goes through
// the interface. A packet does not tell which interface it will leave by, but its source does, for the route has chosen that.
func (x *expansion) through(r *Rule, f classifier.Filter) []classifier.Filter {
	if r.Connection == AllConnections || x.host.ByConnection == nil || x.offline || r.Tunnel != nil {
		return []classifier.Filter{f}
	}
	for _, side := range [...]classifier.Range{f.Src, f.Dst} {
		switch {
		case !x.isLocal(side):
		case slices.Contains(x.own, side.From):
			return []classifier.Filter{f}
		default:
			return nil
		}
	}
	var list []classifier.Filter
	for _, a := range x.own {
		n := f
		if f.Src.Contains(a) {
			n.Src = classifier.HostRange(a)
			list = append(list, n)
		}
		if n = f; f.Dst.Contains(a) {
			n.Dst = classifier.HostRange(a)
			list = append(list, n)
		}
	}
	return list
}
