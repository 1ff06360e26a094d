package endpoint

import (
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/live"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
)

// lingering is for how long a server that the system does not name any more still counts. Clients write their files anew in steps: between two of them a
// name server that stays would be without its filter.
const lingering = 3 * time.Second

// follower remembers when the system last named each server.
type follower map[policy.AddrKind]map[netip.Addr]time.Time

// merge adds to what live keywords stand for now what they stood for a moment ago, sorted.
func (f follower) merge(now time.Time, said map[policy.AddrKind][]netip.Addr) map[policy.AddrKind][]netip.Addr {
	for kind, list := range said {
		if f[kind] == nil {
			f[kind] = map[netip.Addr]time.Time{}
		}
		for _, a := range list {
			f[kind][a] = now
		}
	}
	merged := map[policy.AddrKind][]netip.Addr{}
	for kind, seen := range f {
		for a, last := range seen {
			if now.Sub(last) >= lingering {
				delete(seen, a)
				continue
			}
			merged[kind] = append(merged[kind], a)
		}
		slices.SortFunc(merged[kind], netip.Addr.Compare)
	}
	return merged
}

// look is what the expansion of p takes from the host now.
func (e *Endpoint) look(now time.Time, p *policy.Policy) policy.LocalHost {
	uses := e.usesLive
	if p != e.policy || e.compiled == nil {
		uses = p.UsesLive()
	}
	h := e.host.look(p, uses)
	if uses {
		if e.servers == nil {
			e.servers = follower{}
		}
		h.Live = e.servers.merge(now, h.Live)
	}
	return h
}

// serversChanged reports whether live keywords stand for something else than in the policy in force.
func (e *Endpoint) serversChanged(now time.Time) bool {
	h := e.look(now, e.policy)
	return !h.Same(&e.compiled.Host)
}

// follow puts the policy in force again if it expands into something else on the host as it is now. If not, the firewall and the routes are still gone over, for a
// route may be new: what hundreds of addresses expand into is not made anew for each message of the kernel.
func (e *Endpoint) follow(now time.Time) (changed bool, err error) {
	h := e.look(now, e.policy)
	if h.Same(&e.compiled.Host) {
		return false, e.host.apply(e.compiled, e.dynamicFilters())
	}
	return true, e.change(now, e.policy)
}

// warnAnew logs the warnings of the policy in force that the one before it, which may be nil, did not have. Status has all of them.
func (e *Endpoint) warnAnew(before *policy.Compiled) {
	for _, w := range e.compiled.Warnings {
		if before == nil || !slices.Contains(before.Warnings, w) {
			e.log.Warn(w)
		}
	}
}

// recent is what the system said last. What it cannot say now is taken to be as it was: an error must not look like a host without addresses, which would be one without filters.
type recent struct {
	addresses    []netip.Addr
	byConnection map[policy.Connection][]netip.Addr
	broadcasts   []netip.Addr
	gateways     []netip.Addr
}

// look asks the system.
func (h *systemHost) look(p *policy.Policy, uses bool) policy.LocalHost {
	l := policy.LocalHost{Addresses: h.addresses(), Sources: h.tunnelSources(p)}
	l.ByConnection, l.Broadcasts = h.interfaces()
	if uses {
		l.Live = h.liveServers(l.Addresses)
	}
	return l
}

// interfaces sorts the host's addresses by the type of their interfaces, without those of the endpoint's own device, and lists the broadcast addresses.
func (h *systemHost) interfaces() (byConnection map[policy.Connection][]netip.Addr, broadcasts []netip.Addr) {
	ifs, err := route.Interfaces(h.name)
	if err != nil {
		h.opts.Log.Error("the host's interfaces could not be read; they are taken to be what they were", "error", err)
		return h.recent.byConnection, h.recent.broadcasts
	}
	sorted := map[policy.Connection][]netip.Addr{}
	for _, i := range ifs {
		kind := policy.LAN
		if i.RemoteAccess {
			kind = policy.RemoteAccess
		}
		sorted[kind] = append(sorted[kind], i.Addresses...)
		broadcasts = append(broadcasts, i.Broadcasts...)
	}
	for _, list := range sorted {
		slices.SortFunc(list, netip.Addr.Compare)
	}
	slices.SortFunc(broadcasts, netip.Addr.Compare)
	h.recent.byConnection, h.recent.broadcasts = sorted, slices.Compact(broadcasts)
	return h.recent.byConnection, h.recent.broadcasts
}

// tunnelSources asks the routes for the outer addresses of tunnels whose connection type depends on them.
func (h *systemHost) tunnelSources(p *policy.Policy) map[netip.Addr]netip.Addr {
	var sources map[netip.Addr]netip.Addr
	for _, r := range p.Rules {
		if r.Connection == policy.AllConnections || r.Tunnel == nil || r.Tunnel.Local.IsValid() || !r.Tunnel.Remote.IsValid() {
			continue
		}
		if a, err := h.sourceFor(r.Tunnel.Remote); err == nil {
			if sources == nil {
				sources = map[netip.Addr]netip.Addr{}
			}
			sources[r.Tunnel.Remote] = a
		}
	}
	return sources
}

// liveServers asks the system's files and its routing table.
func (h *systemHost) liveServers(own []netip.Addr) map[policy.AddrKind][]netip.Addr {
	files := live.Files{FS: h.opts.Files}
	if gateways, err := route.Gateways(); err == nil {
		h.recent.gateways = gateways
	} else {
		h.opts.Log.Error("the default routes could not be read; they are taken to be what they were", "error", err)
	}
	return map[policy.AddrKind][]netip.Addr{
		policy.LiveDNS:     files.DNS(),
		policy.LiveDHCP:    files.DHCP(func(a netip.Addr) bool { return slices.Contains(own, a) }),
		policy.LiveGateway: h.recent.gateways,
	}
}

// ThisHost is what the expansion of a policy takes from the machine that the program runs on, for a look at a policy without an endpoint.
func ThisHost(p *policy.Policy) (policy.LocalHost, error) {
	opts := Options{Policy: p}
	if err := opts.check(); err != nil {
		return policy.LocalHost{}, err
	}
	h := &systemHost{opts: &opts, id: route.Derive(opts.Instance)}
	return h.look(p, p.UsesLive()), nil
}

// liveNames and connectionNames are for status.
func liveNames(h *policy.LocalHost) map[string][]netip.Addr {
	if h.Live == nil {
		return nil
	}
	names := map[string][]netip.Addr{}
	for _, kind := range policy.LiveKinds {
		if kind != policy.LiveWINS { // that stands in the file
			side := policy.AddrSpec{Kind: kind}
			names[side.String()] = h.Live[kind]
		}
	}
	return names
}

func connectionNames(h *policy.LocalHost) map[string][]netip.Addr {
	if h.ByConnection == nil {
		return nil
	}
	return map[string][]netip.Addr{policy.LAN.String(): h.ByConnection[policy.LAN], policy.RemoteAccess.String(): h.ByConnection[policy.RemoteAccess]}
}
