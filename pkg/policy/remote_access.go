package policy

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/password"
)

// What the gateways of IKEv1 remote access need beside main mode: a second, personal authentication (XAUTH), and addresses that the gateway assigns
// (mode config).

// XAuth is extended authentication beside an authentication method (draft-beaulieu-ike-xauth-02): after main mode the one who began it shows a name and a password. It
// is either the client's half, User and Password, or the server's, Users.
type XAuth struct {
	User     string
	Password Secret
	Users    map[string]password.Hash
}

// Server reports whether it is the server's half.
func (x *XAuth) Server() bool { return x.Users != nil }

// Assign returns p with the inner addresses that gateways have assigned, by rule name, in the rules that ask for one. p itself does not change.
func (p *Policy) Assign(inner map[string]netip.Prefix) *Policy {
	var out *Policy
	for i, r := range p.Rules {
		a, ok := inner[r.Name]
		if !ok || r.Tunnel == nil || !r.Tunnel.AskAddress {
			continue
		}
		if out == nil {
			shallow := *p
			shallow.Rules = append([]*Rule(nil), p.Rules...)
			out = &shallow
		}
		rule, tunnel := *r, *r.Tunnel
		tunnel.Inner = a
		rule.Tunnel = &tunnel
		out.Rules[i] = &rule
	}
	if out == nil {
		return p
	}
	return out
}

// AsksIPv6 reports whether the address that a rule asks for is one of IPv6: the family of what its filters lead to, IPv4 where they lead to both.
func (r *Rule) AsksIPv6() bool {
	six := false
	for i := range r.Filters {
		switch d := &r.Filters[i].Dst; d.Kind {
		case Host, Subnet, AddrRange:
			if d.Range.From.Is4() {
				return false
			}
			six = true
		default:
			return false
		}
	}
	return six
}
