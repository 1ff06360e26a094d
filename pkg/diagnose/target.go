package diagnose

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// resolution finds out what the target is: a rule, a peer, or an address behind one.
func (p *pinger) resolution(ctx context.Context) bool {
	if p.byRule() {
		return p.known("the rule's peer is " + p.peer.String())
	}
	if p.rule != nil { // a rule without one peer
		p.trace.failed(LayerResolution, fmt.Sprintf("rule %q is for more than one peer", p.rule.Name), "its filters stand for a network or for any host",
			"name one of the peers, or an address that the rule protects")
		return false
	}
	addr, err := netip.ParseAddr(p.Target)
	what := "the target is an address"
	if err != nil {
		list, err := p.lookup(ctx)
		if err != nil {
			p.trace.failed(LayerResolution, fmt.Sprintf("no rule is called %q, and the name has no address: %v", p.Target, err), first(p.NoPolicy, "a mistyped name, or DNS does not answer"),
				"goipsec policy show lists the rules; or name the peer by its address")
			return false
		}
		addr = p.preferred(list)
		what = fmt.Sprintf("%s is %v", p.Target, addr)
	}
	p.byAddress(addr.Unmap())
	return p.known(what)
}

// lookup asks DNS for the target, for not longer than a layer may take.
func (p *pinger) lookup(ctx context.Context) ([]netip.Addr, error) {
	ctx, cancel := p.narrow(ctx)
	defer cancel()
	if p.Resolve == nil || strings.ContainsAny(p.Target, " /\\") || p.Target == "" {
		return nil, fmt.Errorf("%q cannot be the name of a host", p.Target)
	}
	list, err := p.Resolve(ctx, p.Target)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("it has no address")
	}
	return list, err
}

// preferred takes the first address that a rule protects, else the first.
func (p *pinger) preferred(list []netip.Addr) netip.Addr {
	for _, a := range list {
		if p.Policy != nil && (p.tunnelTo(a.Unmap()) != nil || p.filterFor(a.Unmap()) != nil) {
			return a
		}
	}
	return list[0]
}

// known notes what was found.
func (p *pinger) known(what string) bool {
	if p.filter != nil && p.rule == nil {
		p.rule = p.filter.Rule
	}
	if p.rule != nil {
		p.trace.Rule = p.rule.Name
	}
	if !p.peer.IsValid() {
		p.trace.failed(LayerResolution, what+", and the rule that protects it only answers peers, wherever they call from", "the tunnel's remote end is any", "ping from the other end")
		return false
	}
	p.trace.Peer = p.peer.String()
	p.trace.ok(LayerResolution, what)
	return true
}

// byRule takes the target for the name of a rule. If the rule has no one peer, only the rule is set.
func (p *pinger) byRule() bool {
	if p.Policy == nil {
		return false
	}
	for _, f := range p.Policy.Outbound {
		if f.Action != policy.Negotiate || f.Rule.Name != p.Target && f.ID != p.Target {
			continue
		}
		p.rule = f.Rule
		if t := f.Rule.Tunnel; t != nil {
			p.peer, p.filter = t.Remote, f
			return t.Remote.IsValid()
		}
		if f.Filter.Dst.IsHost() {
			p.peer, p.filter = f.Filter.Dst.From, f
			return true
		}
	}
	return false
}

// byAddress takes the target for the outer end of a tunnel, or for an address that a filter protects.
func (p *pinger) byAddress(a netip.Addr) {
	p.peer = a
	if p.Policy == nil {
		return
	}
	if f := p.tunnelTo(a); f != nil {
		p.filter = f
		return
	}
	f := p.filterFor(a)
	if f == nil {
		return
	}
	p.filter = f
	if t := f.Rule.Tunnel; t != nil {
		p.peer = t.Remote
		if !p.Inner.IsValid() {
			p.Inner = a
		}
	}
}

// tunnelTo is the heaviest filter whose tunnel ends at a.
func (p *pinger) tunnelTo(a netip.Addr) *policy.QuickModeFilter {
	i := slices.IndexFunc(p.Policy.Outbound, func(f *policy.QuickModeFilter) bool {
		return f.Action == policy.Negotiate && f.Rule.Tunnel != nil && f.Rule.Tunnel.Remote == a
	})
	if i < 0 {
		return nil
	}
	return p.Policy.Outbound[i]
}

// filterFor is the filter that decides about packets of this host to a, if it protects them. Where no filter is for all of them, it is the heaviest
// for some protocol or port.
func (p *pinger) filterFor(a netip.Addr) *policy.QuickModeFilter {
	var some *policy.QuickModeFilter
	for _, source := range ownAddresses(a) {
		k := packet.Key{Src: source, Dst: a}
		for _, f := range p.Policy.Outbound {
			if !f.Filter.Src.Contains(source) || !f.Filter.Dst.Contains(a) {
				continue
			}
			whole := f.Filter.Match(&k)
			switch {
			case f.Action == policy.Negotiate && whole:
				return f
			case f.Action == policy.Negotiate && some == nil:
				some = f
			}
			if whole {
				break
			}
		}
	}
	return some
}

// decides says what the policy does with packets to the peer where it does not protect them.
func (p *pinger) decides() string {
	if p.Policy == nil {
		return first(p.NoPolicy, "no policy is known")
	}
	for _, source := range ownAddresses(p.peer) {
		k := packet.Key{Src: source, Dst: p.peer}
		for _, f := range p.Policy.Outbound {
			if f.Filter.Match(&k) {
				return fmt.Sprintf("rule %q decides about packets to %v: %v", f.Rule.Name, p.peer, f.Action)
			}
		}
	}
	return fmt.Sprintf("no rule of the policy is about packets to %v: they leave in clear", p.peer)
}

// ownAddresses lists this host's addresses of the family of a, without those of loopback and link scope.
func ownAddresses(a netip.Addr) (own []netip.Addr) {
	list, _ := net.InterfaceAddrs()
	for _, x := range list {
		n, ok := x.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if ip = ip.Unmap(); ok && ip.Is4() == a.Is4() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			own = append(own, ip)
		}
	}
	return own
}
