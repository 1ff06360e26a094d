package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// MaxAddressesPerName bounds the addresses of one DNS name; each becomes a filter of its own.
const MaxAddressesPerName = 64

// expansion turns the generic filters of one policy into specific ones.
type expansion struct {
	policy    *Policy
	host      LocalHost
	offline   bool                // no host is at hand: unresolved names and unknown directions are no faults
	me        []netip.Addr        // what me stands for, ascending
	open      []netip.Addr        // what stands for me if it is left open
	local     map[netip.Addr]bool // every address of the host, for telling directions
	out, in   []*QuickModeFilter
	mainMode  []*MainModeFilter
	pairs     map[addressPair]*MainModeFilter
	said      map[sourcePair]bool  // pairs of filters that were complained of
	elsewhere map[genericKey]*Rule // rules of tunnels for what leaves, by their filters
	clash     map[rulePair]bool    // pairs of rules that were complained of
	warnings  []Warning
	faults    faults

	// of the rule at hand
	meaning, mmMeaning string
	own                []netip.Addr // what me stands for in it
}

type addressPair struct{ local, remote classifier.Range }

func newExpansion(p *Policy, h LocalHost) *expansion {
	x := &expansion{policy: p, host: h, local: map[netip.Addr]bool{}, pairs: map[addressPair]*MainModeFilter{}, said: map[sourcePair]bool{}, clash: map[rulePair]bool{}}
	for _, a := range h.Addresses {
		a = a.Unmap().WithZone("")
		if !a.IsValid() || x.local[a] {
			continue
		}
		x.local[a] = true
		// A rule for me is about the network. Loopback never leaves the host, and link-local addresses must be able to
		// reach their router before any IPsec is possible; who wants them protected writes them.
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified() {
			x.me = append(x.me, a)
		}
	}
	slices.SortFunc(x.me, netip.Addr.Compare)
	return x
}

func (x *expansion) warn(at Position, format string, args ...any) {
	if len(x.warnings) < maxErrors {
		x.warnings = append(x.warnings, Warning{at, fmt.Sprintf(format, args...)})
	}
}

// rule expands all filters of r.
func (x *expansion) rule(r *Rule) {
	x.meaning, x.mmMeaning = r.Meaning(), mainModeMeaning(x.policy, r)
	x.own = x.ownOf(r.Connection)
	if x.asleep(r) {
		return
	}
	if t := r.Tunnel; t != nil && !x.tunnelEnds(r, t) {
		return
	}
	for i := range r.Filters {
		x.generic(r, &r.Filters[i])
	}
}

// tunnelEnds checks the ends of a tunnel against the host's addresses and notes its main-mode filters.
func (x *expansion) tunnelEnds(r *Rule, t *Tunnel) bool {
	if t.Remote.IsValid() && x.local[t.Remote] {
		x.faults.add(r.Source, "a tunnel's remote is the peer's address; if this file is the peer's own, swap local and remote, and from and to",
			"rule %q: the tunnel's remote %v is an address of this host", r.Name, t.Remote)
		return false
	}
	if t.Local.IsValid() && len(x.local) > 0 && !x.offline && !x.local[t.Local] {
		x.warn(r.Source, "rule %q: the tunnel's local %v is no address of this host (yet): its traffic is dropped until it is", r.Name, t.Local)
	}
	if r.Action.Kind == Negotiate && r.Manual == nil {
		for _, p := range tunnelPairs(t) {
			x.addMainMode(r, p)
		}
	}
	return true
}

// tunnelPairs returns the address pairs that IKE may use for a tunnel: one, or one a family where no end tells the family.
func tunnelPairs(t *Tunnel) []addressPair {
	var pairs []addressPair
	for _, all := range anyRanges {
		p := addressPair{local: all, remote: all}
		if t.Local.IsValid() {
			p.local = classifier.HostRange(t.Local)
		}
		if t.Remote.IsValid() {
			p.remote = classifier.HostRange(t.Remote)
		}
		if sameFamily(p.local, p.remote) && !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// generic expands one filter.
func (x *expansion) generic(r *Rule, g *GenericFilter) {
	if g.Src.Kind == Me && g.Dst.Kind == Me && (r.Tunnel == nil || !r.Tunnel.Inner.IsValid()) {
		x.warn(g.Source, "rule %q: traffic from me to me stays inside the system: the filter never sees a packet", r.Name)
		return
	}
	src, ok1 := x.ranges(r, &g.Src, g.Source)
	dst, ok2 := x.ranges(r, &g.Dst, g.Source)
	if !ok1 || !ok2 || !x.unicast(r, g.Source, src) || !x.unicast(r, g.Source, dst) {
		return
	}
	matched := false
	for _, s := range src {
		for _, d := range dst {
			if !sameFamily(s, d) {
				continue
			}
			for _, f := range x.through(r, classifier.Filter{Src: s, Dst: d, Proto: g.Proto, SrcPorts: g.SrcPorts, DstPorts: g.DstPorts}) {
				matched = true
				x.specific(r, g, f)
			}
		}
	}
	if !matched && !x.offline {
		x.warn(g.Source, "rule %q: this host has no address for the filter: it matches nothing", r.Name)
	}
}

var anyRanges = [2]classifier.Range{classifier.AnyV4, classifier.AnyV6}

// ranges expands one side of a filter.
func (x *expansion) ranges(r *Rule, a *AddrSpec, at Position) ([]classifier.Range, bool) {
	switch a.Kind {
	case Any:
		return anyRanges[:], true
	case Me:
		if r.Tunnel != nil && r.Tunnel.Inner.IsValid() {
			return hosts([]netip.Addr{r.Tunnel.Inner.Addr()}), true
		}
		return hosts(x.own), true
	case DNSName:
		return x.named(r, a, at)
	case LiveDNS, LiveWINS, LiveDHCP, LiveGateway:
		return x.live(r, a, at)
	default:
		return []classifier.Range{a.Range}, true
	}
}

// named gives the addresses of a DNS name.
func (x *expansion) named(r *Rule, a *AddrSpec, at Position) ([]classifier.Range, bool) {
	switch n := len(a.Resolved); {
	case n == 0 && (x.offline || x.host.LookOnly):
		return nil, false
	case n == 0:
		x.faults.add(at, "check the name and the host's DNS, or write its addresses",
			"rule %q: the name %q has no address", r.Name, a.Name)
		return nil, false
	case n > MaxAddressesPerName:
		x.faults.add(at, "write the addresses as hosts or subnets instead of the name",
			"rule %q: the name %q has %d addresses; a filter takes %d at most", r.Name, a.Name, n, MaxAddressesPerName)
		return nil, false
	}
	list := make([]netip.Addr, 0, len(a.Resolved))
	for _, addr := range a.Resolved {
		list = append(list, addr.Unmap().WithZone(""))
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return hosts(slices.Compact(list)), true
}

func hosts(addrs []netip.Addr) []classifier.Range {
	list := make([]classifier.Range, len(addrs))
	for i, a := range addrs {
		list[i] = classifier.HostRange(a)
	}
	return list
}

func sameFamily(a, b classifier.Range) bool { return a.From.Is4() == b.From.Is4() }

// specific files one specific filter, and its mirror image, under the directions in which they apply.
func (x *expansion) specific(r *Rule, g *GenericFilter, f classifier.Filter) {
	if r.Tunnel != nil {
		twins(x.outbound(r, g, f), x.inbound(r, g, f.Mirror()))
		return
	}
	fromMe, toMe := x.isLocal(f.Src), x.isLocal(f.Dst)
	if fromMe && toMe && r.Action.Kind == Negotiate {
		x.faults.add(g.Source, "the peer of a negotiation is another host; if this file is the peer's own, exchange the sides",
			"rule %q: %v and %v are both addresses of this host", r.Name, f.Src.From, f.Dst.From)
		return
	}
	m := f.Mirror()
	var fo, fi, mo, mi *QuickModeFilter
	if fromMe || !toMe {
		fo = x.outbound(r, g, f)
	}
	if toMe || !fromMe {
		fi = x.inbound(r, g, f)
	}
	switch {
	case m == f:
		mo, mi = fo, fi
	case g.Mirrored:
		if toMe || !fromMe {
			mo = x.outbound(r, g, m)
		}
		if fromMe || !toMe {
			mi = x.inbound(r, g, m)
		}
	}
	twins(fo, mi)
	twins(mo, fi)
	if r.Action.Kind == Negotiate && r.Manual == nil {
		if fo != nil {
			x.addMainMode(r, addressPair{local: f.Src, remote: f.Dst})
		}
		if fi != nil && m != f {
			x.addMainMode(r, addressPair{local: f.Dst, remote: f.Src})
		}
	}
}

// isLocal reports whether r is one address and that of this host.
func (x *expansion) isLocal(r classifier.Range) bool { return r.IsHost() && x.local[r.From] }

func twins(out, in *QuickModeFilter) {
	if out != nil && in != nil {
		out.Twin, in.Twin = in, out
	}
}

func (x *expansion) outbound(r *Rule, g *GenericFilter, f classifier.Filter) *QuickModeFilter {
	q := x.filter(r, g, f, false)
	x.out = append(x.out, q)
	return q
}

func (x *expansion) inbound(r *Rule, g *GenericFilter, f classifier.Filter) *QuickModeFilter {
	q := x.filter(r, g, f, true)
	x.in = append(x.in, q)
	return q
}

func (x *expansion) filter(r *Rule, g *GenericFilter, f classifier.Filter, inbound bool) *QuickModeFilter {
	q := &QuickModeFilter{Filter: f, Action: r.Action.Kind, Rule: r, source: g}
	if r.Action.Kind == Negotiate && r.Manual == nil {
		q.MainMode = x.mmMeaning
	}
	if !x.offline {
		q.ID = filterID(x.meaning, inbound, &f)
	}
	return q
}
