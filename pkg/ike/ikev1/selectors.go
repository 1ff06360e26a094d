package ikev1

import (
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// sideless reports whether a protocol's "ports" are types and codes, which have no sides (ICMP, ICMPv6, mobility headers).
func sideless(proto uint8) bool { return proto == 1 || proto == 58 || proto == 135 }

// clientIDs are IDci and IDcr for a selector of the initiator (RFC 2407 §4.6.2): one port each, 0 for any.
func clientIDs(sel isakmp.Selector) (ci, cr isakmp.Identification, err error) {
	sp, err1 := onePort(sel.SrcPorts)
	dp, err2 := onePort(sel.DstPorts)
	if err1 != nil || err2 != nil {
		return ci, cr, fmt.Errorf("the filter %v has a range of ports or port 0, which an IKEv1 identity cannot say", sel)
	}
	return isakmp.RangeID(sel.Src, sel.Proto, sp), isakmp.RangeID(sel.Dst, sel.Proto, dp), nil
}

func onePort(p isakmp.Ports) (uint16, error) {
	if !p.Given {
		return 0, nil
	}
	if p.From != p.To || p.From == 0 {
		return 0, errPortRange
	}
	return p.From, nil
}

var errPortRange = fmt.Errorf("not one port")

// selectorOf is the selector, as this responder sees it, of the initiator's identities.
func selectorOf(ci, cr isakmp.Identification) (isakmp.Selector, error) {
	var sel isakmp.Selector
	var err error
	if sel.Dst, err = ci.Range(); err != nil {
		return sel, err
	}
	if sel.Src, err = cr.Range(); err != nil {
		return sel, err
	}
	if ci.Protocol != cr.Protocol || ci.Protocol == 0 && (ci.Port != 0 || cr.Port != 0) || sel.Src.From.Is4() != sel.Dst.From.Is4() {
		return sel, fmt.Errorf("the identities disagree in protocol or family, or name a port of no protocol")
	}
	sel.Proto = ci.Protocol
	sel.DstPorts, sel.SrcPorts = portOf(ci.Port), portOf(cr.Port)
	if sideless(sel.Proto) {
		sel.SrcPorts, sel.DstPorts = sel.DstPorts, sel.SrcPorts
	}
	return sel, nil
}

func portOf(p uint16) isakmp.Ports {
	if p == 0 {
		return isakmp.Ports{}
	}
	return isakmp.Ports{From: p, To: p, Given: true}
}

func hostSelector(local, remote netip.Addr) isakmp.Selector {
	return isakmp.Selector{Src: isakmp.Range{From: local, To: local}, Dst: isakmp.Range{From: remote, To: remote}}
}

// findFilter is the outbound filter that allows a child with a selector, the heaviest if several do, nil if none does. Never is anything wider than
// policy (security.md A5).
func (m *Machine) findFilter(s *mainMode, sel isakmp.Selector, mode suite.Mode) *policy.QuickModeFilter {
	return m.filters.find(sel, func(f *policy.QuickModeFilter) bool { return s.allows(f, &sel, mode) })
}

// allows reports whether f allows a child with a selector: in tunnel mode one that equals it and whose rule has these tunnel endpoints, in transport
// mode one that contains it.
func (s *mainMode) allows(f *policy.QuickModeFilter, sel *isakmp.Selector, mode suite.Mode) bool {
	if f.Action != policy.Negotiate || f.Rule.Manual != nil || (f.Rule.Tunnel != nil) != (mode == suite.Tunnel) {
		return false
	}
	// Peers whom several rules are for, told apart by their identities, have no part in each other's.
	if s.aggressive() && f.MainMode != s.meaning {
		return false
	}
	if mode == suite.Tunnel {
		return tunnelFits(f, sel) && s.mayUse(f, sel) && endFits(f.Rule.Tunnel.Local, s.local.Addr()) && endFits(f.Rule.Tunnel.Remote, s.remote.Addr())
	}
	return f.Filter.Contains(sel) && f.Filter.Proto == sel.Proto && f.Filter.SrcPorts == sel.SrcPorts && f.Filter.DstPorts == sel.DstPorts
}

// tunnelFits reports whether a tunnel filter allows sel: an equal one, or, in a rule for peers that call from anywhere, one for a single inner address out
// of the filter's.
func tunnelFits(f *policy.QuickModeFilter, sel *isakmp.Selector) bool {
	if f.Filter == *sel {
		return true
	}
	narrow := f.Filter
	narrow.Dst = sel.Dst
	return !f.Rule.Tunnel.Remote.IsValid() && sel.Dst.From == sel.Dst.To && f.Filter.Contains(sel) && narrow == *sel
}

// endFits compares a tunnel endpoint of a rule, which may be left open, with an address.
func endFits(end, a netip.Addr) bool { return !end.IsValid() || end.IsUnspecified() || end == a }

// localSelectors are the offered selectors as they apply in one mode. In transport mode they must be the two hosts themselves;
// where a NAT is between, the peer may have named an address from behind it, and the address that it is seen under takes
// its place (RFC 3948 §5.2, as RFC 7296 §2.23.1 puts it). The original ones come back too.
func localSelectors(s *mainMode, sel isakmp.Selector, mode suite.Mode) (out isakmp.Selector, local, remote netip.Addr, ok bool) {
	if mode == suite.Tunnel {
		return sel, local, remote, true
	}
	if sel.Src.From != sel.Src.To || sel.Dst.From != sel.Dst.To {
		return sel, local, remote, false
	}
	if src := sel.Src.From; src != s.local.Addr() && (s.nat.local || s.nat.forced) {
		local, sel.Src = src, isakmp.Range{From: s.local.Addr(), To: s.local.Addr()}
	}
	if dst := sel.Dst.From; dst != s.remote.Addr() && s.nat.remote {
		remote, sel.Dst = dst, isakmp.Range{From: s.remote.Addr(), To: s.remote.Addr()}
	}
	return sel, local, remote, sel.Src.From == s.local.Addr() && sel.Dst.From == s.remote.Addr()
}
