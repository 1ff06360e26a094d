package endpoint

import (
	"errors"
	"math/big"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/guard"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
	"github.com/goipsec/goipsec/pkg/suite"
)

var errNoSource = errors.New("this host has no address of the peer's family")

// plan says what must be routed into the TUN device for a policy: wherever an outbound filter that blocks or protects points to. Filters that permit need
// no route: what they except is captured, if at all, by what they are exceptions from.
// What rules for *me* point to is captured whether or not the host has an address now: it may have one the next moment, and use it at once.
func plan(c *policy.Compiled, dynamic []*policy.QuickModeFilter, own []netip.Addr, owned families, sourceFor func(netip.Addr) (netip.Addr, error)) route.Plan {
	var p route.Plan
	seen := map[netip.Prefix]bool{}
	for _, f := range c.Outbound {
		if f.Rule.Tunnel == nil || f.Action != policy.Negotiate {
			continue
		}
		for _, net := range prefixes(f.Filter.Src) {
			if net.Bits() > 0 && !slices.Contains(p.Behind, net) {
				p.Behind = append(p.Behind, net)
			}
		}
	}
	for _, f := range slices.Concat(c.Outbound, dynamic) {
		if f.Action == policy.Permit {
			continue
		}
		for _, net := range prefixes(f.Filter.Dst) {
			if !seen[net] {
				seen[net] = true
				p.Captures = append(p.Captures, capture(net, f, &p, own, sourceFor))
			}
		}
	}
	for _, r := range c.Policy.Rules {
		for _, net := range pointedTo(r) {
			if owned.has(net.Addr()) && !seen[net] {
				seen[net] = true
				p.Captures = append(p.Captures, capture(net, &policy.QuickModeFilter{Rule: r}, &p, own, sourceFor))
			}
		}
	}
	for _, special := range unrouted {
		if slices.ContainsFunc(p.Captures, func(c route.Capture) bool {
			return c.Prefix.Bits() < special.Bits() && c.Prefix.Contains(special.Addr())
		}) {
			p.Exempt = append(p.Exempt, special)
		}
	}
	for _, r := range c.Policy.Rules {
		if r.Tunnel != nil && r.Tunnel.Inner.IsValid() {
			p.Addresses = append(p.Addresses, r.Tunnel.Inner)
		}
	}
	return p
}

// unrouted are the prefixes whose packets have no business in the device even if a captured prefix covers them: they belong to one link. Where a filter
// blocks them, the guard does it.
var unrouted = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8")}

// capture chooses the source that the host's own packets to net have: in transport mode the one that they would have without us, since the device has
// none of its own and the system would take any.
func capture(net netip.Prefix, f *policy.QuickModeFilter, p *route.Plan, own []netip.Addr, sourceFor func(netip.Addr) (netip.Addr, error)) route.Capture {
	if f.Rule.Tunnel == nil {
		to := net.Addr()
		if to.IsUnspecified() { // a filter for all: its typical packet is one to far away
			to = map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.1"), false: netip.MustParseAddr("2001:db8::1")}[to.Is4()]
		}
		source, _ := sourceFor(to) // no route: no source either
		if source.IsLoopback() {
			source = netip.Addr{}
		}
		return route.Capture{Prefix: net, Source: source}
	}
	if a := f.Rule.Tunnel.Inner; a.IsValid() && a.Addr().Is4() == net.Addr().Is4() {
		return route.Capture{Prefix: net, Source: a.Addr()}
	}
	return route.CaptureOf(net, p.Behind, own)
}

// prefixes cuts a range into the fewest prefixes that make it up, in order.
func prefixes(r classifier.Range) []netip.Prefix {
	if p, ok := r.Prefix(); ok {
		return []netip.Prefix{p}
	}
	var list []netip.Prefix
	one := big.NewInt(1)
	from, to := number(r.From), number(r.To)
	bits := r.From.BitLen()
	for from.Cmp(to) <= 0 {
		size := bits // grow the block while it is aligned and within the range
		for size > 0 {
			block := new(big.Int).Lsh(one, uint(bits-size+1))
			last := new(big.Int).Sub(new(big.Int).Add(from, block), one)
			if from.Bit(bits-size) != 0 || last.Cmp(to) > 0 {
				break
			}
			size--
		}
		raw := from.FillBytes(make([]byte, bits/8))
		addr, _ := netip.AddrFromSlice(raw)
		list = append(list, netip.PrefixFrom(addr, size))
		from.Add(from, new(big.Int).Lsh(one, uint(bits-size)))
	}
	return list
}

func number(a netip.Addr) *big.Int { return new(big.Int).SetBytes(a.AsSlice()) }

// guardRules says what the firewall does with clear packets: those that a filter blocks or wants protected are dropped. Inbound, packets of a
// tunnel filter arrive in clear only if something is wrong.
func guardRules(list []*policy.QuickModeFilter) []guard.Rule {
	rules := make([]guard.Rule, 0, len(list))
	for _, f := range list {
		verdict := guard.Drop
		if f.Action == policy.Permit {
			verdict = guard.Accept
		}
		rules = append(rules, guard.Rule{Filter: f.Filter, Verdict: verdict})
	}
	return rules
}

// twinsOf are the same filters for the opposite direction.
func twinsOf(list []*policy.QuickModeFilter) []*policy.QuickModeFilter {
	twins := make([]*policy.QuickModeFilter, 0, len(list))
	for _, f := range list {
		twins = append(twins, f.Twin)
	}
	return twins
}

// inboundRules are those for packets that arrive, by the filters with me left open. Right before a filter, so that heavier ones still decide, stand the pairs of
// hosts whose traffic flows in clear under a soft SA, which is known by the ID of the twin of a filter of expanded that it stands for.
func inboundRules(open, expanded []*policy.QuickModeFilter, soft map[string][]dataplane.Pair) []guard.Rule {
	var clear []*policy.QuickModeFilter
	for _, f := range expanded {
		if f.Twin != nil && len(soft[f.Twin.ID]) > 0 {
			clear = append(clear, f)
		}
	}
	rules := make([]guard.Rule, 0, len(open))
	for i, r := range guardRules(open) {
		if passesThrough(open[i]) {
			r.Verdict = guard.Accept
		}
		for _, f := range clear {
			if r.Verdict != guard.Drop || !open[i].StandsFor(f) {
				continue
			}
			for _, p := range soft[f.Twin.ID] {
				narrow := f.Filter
				narrow.Src, narrow.Dst = classifier.HostRange(p.Remote), classifier.HostRange(p.Local)
				rules = append(rules, guard.Rule{Filter: narrow, Verdict: guard.Accept})
			}
		}
		rules = append(rules, r)
	}
	return rules
}

// passesThrough reports whether clear packets that arrive and match f are accepted although it wants its traffic protected (inbound passthrough).
func passesThrough(f *policy.QuickModeFilter) bool {
	return f.Action == policy.Negotiate && f.Rule.Action.InboundPassthrough && f.Rule.Tunnel == nil
}

// overhead is the most that a method of the policy adds to a packet, outer headers included, in bytes.
func overhead(c *policy.Compiled) int {
	most := 0
	for r := range c.Policy.EveryRule {
		if r.Action.Kind != policy.Negotiate {
			continue
		}
		for _, m := range r.Action.Methods {
			most = max(most, outerOverhead(r)+methodOverhead(&m))
		}
	}
	return most
}

// outerOverhead is the outer IP header of a tunnel and the UDP header, which NAT detection may call for at any time.
func outerOverhead(r *policy.Rule) int {
	const udp = 8
	if r.Tunnel == nil {
		return udp
	}
	if r.Tunnel.Remote.Is6() {
		return 40 + udp
	}
	return 20 + udp
}

func methodOverhead(m *policy.Method) int {
	n := 0
	if m.ESP != nil {
		n += 8 + 2
		if i, ok := m.ESP.Encr.Info(); ok {
			n += i.IVLen + i.ICVLen + max(i.BlockSize, 4) - 1
		}
		if i, ok := m.ESP.Integ.Info(); ok && m.ESP.Integ != suite.IntegNone {
			n += i.ICVLen
		}
	}
	if m.AH != nil {
		n += 12
		if i, ok := m.AH.Integ.Info(); ok {
			n += i.IVLen + i.ICVLen + 7
		}
	}
	return n
}
