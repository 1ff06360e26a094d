package config

import (
	"cmp"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// tunnel reads the ends of a tunnel.
func (r *reader) tunnel(n *node) *policy.Tunnel {
	t := &policy.Tunnel{}
	var local, remote, endpoint, address, pool, dns, push *node
	ok := r.each(n, "tunnel", tunnelKeys, func(key string, _, v *node) {
		switch key {
		case "local":
			local = v
			t.Local, _ = r.host(v, key)
		case "remote":
			remote = v
			if !isScalar(v) || v.Value != "any" {
				t.Remote, _ = r.host(v, key)
			}
		case "endpoint":
			endpoint = v
			t.Endpoint, _ = r.host(v, key)
		case "address":
			address = v
			if t.AskAddress = isScalar(v) && v.Value == "config"; !t.AskAddress {
				t.Inner = r.inner(v)
			}
		case "address_pool":
			pool = v
			t.Pool = r.pool(v)
		case "push":
			push = v
			t.Push = r.boolean(v, key)
		case "dns":
			dns = v
			t.DNS = r.nameServers(v)
		}
	})
	switch {
	case !ok:
	case endpoint != nil && (local != nil || remote != nil):
		r.fail(endpoint, "write local and remote in one rule for both directions, or an endpoint in two rules, one a direction", "endpoint stands beside local or remote")
	case endpoint == nil && remote == nil:
		r.fail(n, "write remote: ADDRESS for the peer, or remote: any for peers that call from anywhere", "the tunnel has no remote")
	case t.Local.IsValid() && t.Remote.IsValid() && t.Local.Is4() != t.Remote.Is4():
		r.fail(remote, "both ends of a tunnel are IPv4, or both IPv6; what it carries may be either", "the tunnel's ends mix IPv4 and IPv6")
	case t.Local.IsValid() && t.Local == t.Remote:
		r.fail(remote, "local is this host's address, remote the peer's", "the tunnel's ends are the same: a host has no tunnel to itself")
	case address != nil && t.Inner.IsValid() && (t.Inner.Addr() == t.Local || t.Inner.Addr() == t.Remote):
		r.fail(address, "address is that inside of the tunnel", "the inner address is also an outer one")
	default:
		r.checkAssignment(t, address, pool, cmp.Or(dns, push))
	}
	return t
}

// inner reads the address that this host has inside the tunnel, with or without a prefix length.
func (r *reader) inner(n *node) netip.Prefix {
	s, ok := r.text(n, "address")
	if !ok {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, aerr := netip.ParseAddr(s)
		if aerr != nil {
			r.fail(n, "write an address, or one with a prefix length such as 10.9.0.5/24", "address must be an address; here is %q", shorten(s))
			return netip.Prefix{}
		}
		if a.Zone() == "" {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	a := p.Addr()
	if hint, err := plainAddr(a); err != nil || a.IsMulticast() || a.IsLoopback() || a == broadcast {
		r.fail(n, hint, "address: %q is no address for a host", shorten(s))
		return netip.Prefix{}
	}
	return p
}

// checkTunnelFilters checks what a tunnel makes of its filters: none is mirrored.
func (r *reader) checkTunnelFilters(rule *policy.Rule, filters []written) {
	for i := range filters {
		f := &filters[i]
		if f.mirroredAt != nil {
			r.fail(f.mirroredAt, "write -> or leave mirrored out: the filter is for what leaves, and tunnel: {local, remote} gives the way back",
				"a tunnel rule's filter cannot be mirrored")
		}
		f.Mirrored = false
		r.noteOwnPeer(rule.Tunnel, f)
	}
}

// noteOwnPeer warns of a tunnel that is to carry what goes to its own far end. It is legal, and IKE, ESP and AH themselves never
// enter the tunnel; but a person who did not write any seldom means it.
func (r *reader) noteOwnPeer(t *policy.Tunnel, f *written) {
	for _, a := range [2]classifier.Range{f.Src.Range, f.Dst.Range} {
		if a.Contains(t.Remote) && !a.IsAny() {
			r.warn(f.node, "the tunnel carries traffic with its own far end %v: IKE, ESP and AH stay outside of it, everything else to that address goes in", t.Remote)
		}
	}
}
