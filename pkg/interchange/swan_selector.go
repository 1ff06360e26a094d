package interchange

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// selector is a traffic selector: one side of what a child SA carries.
type selector struct {
	side    policy.AddrSpec
	dynamic bool // the host itself, whatever its address is
	proto   uint8
	ports   classifier.Ports
	rough   bool // it could not be read: it holds what it is about, and perhaps more
}

// roughSelector is what is left of a selector that cannot be read: its addresses without protocol and port, or every address.
func roughSelector(s string) selector {
	body, _, bracket := strings.Cut(s, "[")
	t, err := parseSelector(body)
	if err != nil || !bracket {
		t = selector{side: policy.AddrSpec{Kind: policy.Any}}
	}
	t.rough = true
	return t
}

// servicePorts are the names of ports that selectors use most.
var servicePorts = map[string]uint16{"ssh": 22, "smtp": 25, "domain": 53, "tftp": 69, "http": 80, "ntp": 123, "snmp": 161, "ldap": 389, "https": 443, "syslog": 514,
	"l2tp": 1701, "l2f": 1701, "radius": 1812, "nfs": 2049, "sip": 5060}

// serviceProtocols are the names of protocols that selectors use.
var serviceProtocols = map[string]uint8{"icmp": 1, "igmp": 2, "ipip": 4, "ipencap": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
	"ipv6-icmp": 58, "icmpv6": 58, "ospf": 89, "ospfigp": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136}

// parseSelector reads a subnet, an address, a range, dynamic, with [protocol/port] behind it or without.
func parseSelector(s string) (selector, error) {
	s = strings.TrimSpace(s)
	body, rest, bracket := strings.Cut(s, "[")
	var t selector
	if bracket {
		inside, ok := strings.CutSuffix(strings.TrimSpace(rest), "]")
		if !ok {
			return t, fmt.Errorf("%s is no selector", quote(s))
		}
		if err := t.protoPort(inside); err != nil {
			return t, fmt.Errorf("%s: %w", quote(s), err)
		}
	}
	switch body = strings.TrimSpace(body); body {
	case "dynamic", "%dynamic", "":
		t.dynamic = true
		return t, nil
	}
	var err error
	if from, to, ok := strings.Cut(body, "-"); ok {
		a, aerr := netip.ParseAddr(strings.TrimSpace(from))
		if aerr != nil {
			return t, fmt.Errorf("%s is no selector", quote(s))
		}
		t.side, err = rangeSide(a, strings.TrimSpace(to))
		return t, err
	}
	p, err := netip.ParsePrefix(body)
	if err != nil {
		a, aerr := netip.ParseAddr(body)
		if aerr != nil || a.Zone() != "" {
			return t, fmt.Errorf("%s is no selector", quote(s))
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		return t, fmt.Errorf("%s is IPv4 in IPv6 form", quote(s))
	}
	t.side = policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(p)}
	if p.IsSingleIP() {
		t.side.Kind = policy.Host
	}
	if t.side.Kind == policy.Host && p.Addr().IsUnspecified() {
		return t, fmt.Errorf("%s is no host", quote(s))
	}
	return t, nil
}

// protoPort reads protocol/port, either of which may be missing or %any.
func (t *selector) protoPort(s string) error {
	proto, port, _ := strings.Cut(strings.ToLower(strings.TrimSpace(s)), "/")
	if proto != "" && proto != "%any" && proto != "any" {
		p, ok := serviceProtocols[proto]
		if !ok {
			v, err := strconv.ParseUint(proto, 10, 8)
			if err != nil {
				return fmt.Errorf("the protocol %s is not known", quote(proto))
			}
			p = uint8(v)
		}
		t.proto = p
	}
	if port == "" || port == "%any" || port == "any" || port == "0" {
		return nil
	}
	if n, ok := servicePorts[port]; ok {
		t.ports = classifier.Port(n)
		return nil
	}
	from, to, isRange := strings.Cut(port, "-")
	if !isRange {
		to = from
	}
	lo, err1 := strconv.ParseUint(from, 10, 16)
	hi, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || lo > hi {
		return fmt.Errorf("the port %s is not known", quote(port))
	}
	t.ports = classifier.Ports{From: uint16(lo), To: uint16(hi), Given: true}
	return nil
}

// pair makes a filter of two selectors. own and peer stand for what is dynamic.
func pair(local, remote selector, own, peer policy.AddrSpec) (policy.GenericFilter, error) {
	f := policy.GenericFilter{Src: local.side, Dst: remote.side, SrcPorts: local.ports, DstPorts: remote.ports}
	if local.dynamic {
		f.Src = own
	}
	if remote.dynamic {
		f.Dst = peer
	}
	f.Proto = local.proto
	switch {
	case f.Proto == 0:
		f.Proto = remote.proto
	case remote.proto != 0 && remote.proto != f.Proto:
		return f, fmt.Errorf("the two sides have different protocols")
	}
	if isICMP(f.Proto) {
		return icmpPair(f, local, remote)
	}
	if (f.SrcPorts.Given || f.DstPorts.Given) && !slices.Contains([]uint8{6, 17, 33, 132, 136}, f.Proto) {
		return f, fmt.Errorf("a port needs a protocol that has ports")
	}
	return f, nil
}

// icmpPair makes of a port, which stands for type and code there (type times 256, and code), what it is here.
func icmpPair(f policy.GenericFilter, local, remote selector) (policy.GenericFilter, error) {
	p := local.ports
	if remote.ports.Given {
		p = remote.ports
	}
	f.SrcPorts, f.DstPorts = classifier.Ports{}, classifier.Ports{}
	switch {
	case !p.Given:
	case p.From == p.To && p.From < 256: // a type alone
		f.SrcPorts = p
	case p.From == p.To:
		f.SrcPorts, f.DstPorts = classifier.Port(p.From>>8), classifier.Port(p.From&0xff)
	default:
		return f, fmt.Errorf("a range of ICMP types is not here")
	}
	return f, nil
}

// byIKEv1 reports whether IKEv1 can negotiate a filter: an identity has room for one port, and for no ICMP type.
func byIKEv1(f *policy.GenericFilter) bool {
	for _, p := range [...]classifier.Ports{f.SrcPorts, f.DstPorts} {
		if p.Given && (isICMP(f.Proto) || p.From != p.To || p.From == 0) {
			return false
		}
	}
	return true
}

// fits reports whether two sides can be those of one packet.
func fits(a, b *policy.AddrSpec) bool {
	return !a.Range.IsValid() || !b.Range.IsValid() || a.Range.From.Is4() == b.Range.From.Is4()
}
