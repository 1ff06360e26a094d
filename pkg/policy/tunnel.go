package policy

import "github.com/goipsec/goipsec/pkg/classifier"

// Windows describes a tunnel by two rules, one a direction, each with the tunnel endpoint of its direction: the peer's address
// for what leaves, this host's own for what arrives. Here they are joined into one rule with both ends, which is what IKE and
// the data plane work with.

// genericKey is a generic filter without its place.
type genericKey struct {
	src, dst           sideKey
	proto              uint8
	srcPorts, dstPorts classifier.Ports
}

type sideKey struct {
	kind  AddrKind
	addrs classifier.Range
	name  string
}

func keyOf(g *GenericFilter) genericKey {
	side := func(a *AddrSpec) sideKey { return sideKey{a.Kind, a.Range, a.Name} }
	return genericKey{side(&g.Src), side(&g.Dst), g.Proto, g.SrcPorts, g.DstPorts}
}

// mirrorKey is the key of the opposite direction's filter. The type and code of ICMP, ICMPv6 and mobility headers have no sides.
func mirrorKey(g *GenericFilter) genericKey {
	k := keyOf(g)
	k.src, k.dst = k.dst, k.src
	if k.proto != 1 && k.proto != 58 && k.proto != 135 {
		k.srcPorts, k.dstPorts = k.dstPorts, k.srcPorts
	}
	return k
}

// half is one filter of a rule for arriving traffic.
type half struct {
	rule *Rule
	at   Position
	used bool
}

// joinTunnelRules returns rules with every pair of one-directional tunnel rules joined.
func (x *expansion) joinTunnelRules(rules []*Rule) []*Rule {
	var list, leaving []*Rule
	arriving := map[genericKey]*half{}
	var halves []*half
	for _, r := range rules {
		switch {
		case r.Tunnel == nil || !r.Tunnel.Endpoint.IsValid():
			list = append(list, r)
		case x.offline:
			// Which end the endpoint is, only the host's addresses tell.
		case x.local[r.Tunnel.Endpoint]:
			for i := range r.Filters {
				h := &half{rule: r, at: r.Filters[i].Source}
				halves = append(halves, h)
				arriving[keyOf(&r.Filters[i])] = h
			}
		default:
			leaving = append(leaving, r)
		}
	}
	x.elsewhere = map[genericKey]*Rule{}
	for _, r := range leaving {
		for i := range r.Filters {
			x.elsewhere[keyOf(&r.Filters[i])] = r
		}
	}
	for _, r := range leaving {
		list = append(list, x.join(r, arriving)...)
	}
	for _, h := range halves {
		if !h.used {
			x.lonely(h.rule, h.at, "arrives", "leaves")
		}
	}
	return list
}

// join makes of r and the rules that hold the mirror images of its filters one rule for each of these.
func (x *expansion) join(r *Rule, arriving map[genericKey]*half) []*Rule {
	var list []*Rule
	joined := map[*Rule]*Rule{}
	for i := range r.Filters {
		g := &r.Filters[i]
		h := arriving[mirrorKey(g)]
		if h == nil {
			x.oneWay(r, g)
			continue
		}
		h.used = true
		both := joined[h.rule]
		if both == nil {
			if both = x.joinPair(r, h.rule); both == nil {
				return nil
			}
			joined[h.rule] = both
			list = append(list, both)
		}
		both.Filters = append(both.Filters, *g)
	}
	return list
}

// joinPair returns a rule with both ends and no filters yet, nil if the halves disagree.
func (x *expansion) joinPair(out, in *Rule) *Rule {
	a, b := *out, *in
	a.Tunnel, b.Tunnel = nil, nil
	if a.Meaning() != b.Meaning() {
		x.faults.add(in.Source, "one negotiation makes the SAs of both directions: give both rules the same, or write one rule with tunnel: {local, remote}",
			"rule %q and rule %q at %v are the two directions of one tunnel, but differ in action, authentication or peer options",
			in.Name, out.Name, out.Source)
		return nil
	}
	if out.Tunnel.Endpoint.Is4() != in.Tunnel.Endpoint.Is4() {
		x.faults.add(in.Source, "both ends of a tunnel are IPv4, or both IPv6", "rule %q: the endpoints %v and %v of one tunnel are of different families",
			in.Name, in.Tunnel.Endpoint, out.Tunnel.Endpoint)
		return nil
	}
	a.Filters = nil
	a.Tunnel = &Tunnel{Local: in.Tunnel.Endpoint, Remote: out.Tunnel.Endpoint, Inner: out.Tunnel.Inner}
	return &a
}

// oneWay deals with a filter for what leaves that has none for what arrives beside it.
func (x *expansion) oneWay(r *Rule, g *GenericFilter) {
	if other := x.elsewhere[mirrorKey(g)]; other != nil && x.host.LookOnly {
		x.warn(g.Source, "rule %q and rule %q are the two directions of a tunnel, and neither of its ends, %v and %v, is an address of this host", r.Name, other.Name, r.Tunnel.Endpoint, other.Tunnel.Endpoint)
		return
	}
	x.lonely(r, g.Source, "leaves", "arrives")
}

func (x *expansion) lonely(r *Rule, at Position, does, other string) {
	x.faults.add(at, "write a second rule with the sides exchanged and the other end as its endpoint, or one rule with tunnel: {local, remote}",
		"rule %q: its filter is for what %s (its endpoint %v is %s), and no rule is for what %s", r.Name, does, r.Tunnel.Endpoint,
		map[string]string{"leaves": "no address of this host", "arrives": "this host's"}[does], other)
}
