package policy

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Me4 and Me6 stand for me in what CompileOpen returns: a side of a filter that is one of them means every address that the host has when a packet passes, but
// for those that me never stands for. No network has them (RFC 1112 §4, RFC 6666 §3).
var (
	Me4 = netip.AddrFrom4([4]byte{240, 0, 0, 1})
	Me6 = netip.AddrFrom16([16]byte{0x01, 15: 1})
)

// CompileOpen expands p like CompileOn, but leaves me open: where that makes a filter for each address of the host it makes one with Me4 and one with Me6, with
// the weights that those would have. It is for enforcers that learn at the packet whether an address is the host's (a firewall), and so have no moment in which
// an address that is new is not covered. The host's addresses still tell which filters are for arriving and which for leaving packets; and me in a
// rule of a connection type is still every address that interfaces of that type have.
func CompileOpen(p *Policy, h LocalHost) (*Compiled, error) {
	x := newExpansion(p, h)
	x.open = []netip.Addr{Me4, Me6}
	x.local[Me4], x.local[Me6] = true, true
	return x.compile()
}

// StandsFor reports whether f, of a policy compiled with me left open, is in the place of g, of the same policy expanded for a host.
func (f *QuickModeFilter) StandsFor(g *QuickModeFilter) bool {
	open := f.Filter
	for _, side := range [...]struct{ mine, theirs *classifier.Range }{{&open.Src, &g.Filter.Src}, {&open.Dst, &g.Filter.Dst}} {
		if a := side.mine.From; side.mine.IsHost() && (a == Me4 || a == Me6) && side.theirs.IsHost() && side.theirs.From.Is4() == a.Is4() {
			*side.mine = *side.theirs
		}
	}
	return f.source.Source == g.source.Source && f.Rule.Name == g.Rule.Name && open == g.Filter
}
