package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// side reads one side of a filter: me, any, a host, a subnet, a range or a DNS name. The error's text goes into a message
// behind the name of the key; hint may be empty.
func side(s string) (spec policy.AddrSpec, hint string, err error) {
	switch strings.ToLower(s) {
	case "me":
		return policy.AddrSpec{Kind: policy.Me}, "", nil
	case "any":
		return policy.AddrSpec{Kind: policy.Any}, "", nil
	case "dns":
		return policy.AddrSpec{Kind: policy.LiveDNS}, "", nil
	case "wins":
		return policy.AddrSpec{Kind: policy.LiveWINS}, "", nil
	case "dhcp":
		return policy.AddrSpec{Kind: policy.LiveDHCP}, "", nil
	case "gateway":
		return policy.AddrSpec{Kind: policy.LiveGateway}, "", nil
	case "":
		return spec, sidesHint, fmt.Errorf("is empty")
	}
	if strings.Contains(s, "/") {
		return subnet(s)
	}
	if from, to, ok := strings.Cut(s, "-"); ok {
		if a, err := netip.ParseAddr(strings.TrimSpace(from)); err == nil {
			return addrRange(s, a, strings.TrimSpace(to))
		}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		if hint, err := plainAddr(a); err != nil {
			return spec, hint, err
		}
		return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(a)}, "", nil
	}
	return dnsName(s)
}

const sidesHint = "a side is me, any, an address, a subnet (10.0.0.0/8), a range (10.0.0.1-10.0.0.9), dns, wins, dhcp, gateway, or a DNS name with a dot"

// plainAddr refuses addresses that mean one host under two names.
func plainAddr(a netip.Addr) (hint string, err error) {
	switch {
	case a.Zone() != "":
		return "leave out the zone", fmt.Errorf("%q has a zone, which no packet carries", shorten(a.String()))
	case a.Is4In6():
		return fmt.Sprintf("write %v", a.Unmap()), fmt.Errorf("%q is an IPv4 address in IPv6 form", a)
	case a.IsUnspecified():
		return "write any for every address", fmt.Errorf("%q is no host", a)
	}
	return "", nil
}

func subnet(s string) (spec policy.AddrSpec, hint string, err error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, mask, ok := strings.Cut(s, "/"); ok && strings.Contains(mask, ".") {
			if m, err := netip.ParseAddr(mask); err == nil && m.Is4() {
				if bits, ok := maskBits(m); ok {
					return spec, fmt.Sprintf("write %s/%d", a, bits), fmt.Errorf("%q has a mask in dots", shorten(s))
				}
			}
		}
		return spec, "a subnet is an address, a slash and a prefix length, such as 10.0.0.0/8 or 2001:db8::/32", fmt.Errorf("%q is no subnet", shorten(s))
	}
	if p.Addr().Is4In6() {
		return spec, "write it as an IPv4 subnet", fmt.Errorf("%q is an IPv4 subnet in IPv6 form", s)
	}
	if p != p.Masked() {
		return spec, fmt.Sprintf("write %v for the subnet, or %v for the host", p.Masked(), p.Addr()),
			fmt.Errorf("%q has bits set behind its prefix length", s)
	}
	if p.Bits() == 0 {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(p)}, "", nil
	}
	if p.IsSingleIP() {
		if hint, err := plainAddr(p.Addr()); err != nil {
			return spec, hint, err
		}
		return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(p.Addr())}, "", nil
	}
	return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(p)}, "", nil
}

// maskBits is the prefix length of a dotted mask.
func maskBits(m netip.Addr) (int, bool) {
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for ; v&(1<<31) != 0; v <<= 1 {
		n++
	}
	return n, v == 0
}

func addrRange(s string, from netip.Addr, end string) (spec policy.AddrSpec, hint string, err error) {
	to, err := netip.ParseAddr(end)
	if err != nil {
		return spec, "a range is two addresses with a dash between", fmt.Errorf("%q: %q is no address", shorten(s), shorten(end))
	}
	for _, a := range [2]netip.Addr{from, to} {
		if a.IsUnspecified() {
			continue // a range may begin at 0.0.0.0
		}
		if hint, err := plainAddr(a); err != nil {
			return spec, hint, err
		}
	}
	switch {
	case from.Is4() != to.Is4():
		return spec, "both ends are IPv4, or both IPv6", fmt.Errorf("%q mixes IPv4 and IPv6", s)
	case to.Less(from):
		return spec, fmt.Sprintf("did you mean %v-%v?", to, from), fmt.Errorf("%q ends before it begins", s)
	case from == to:
		return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(from)}, "", nil
	}
	return policy.AddrSpec{Kind: policy.AddrRange, Range: classifier.Range{From: from, To: to}}, "", nil
}

// dnsName accepts a name of at least two labels, or of one with a dot behind it: a name without a dot is far more often a
// misspelt "me" or "any".
func dnsName(s string) (spec policy.AddrSpec, hint string, err error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return spec, sidesHint, fmt.Errorf("%q is no address, subnet, range or name", shorten(s))
		}
	}
	last := labels[len(labels)-1]
	switch {
	case strings.Trim(last, "0123456789") == "":
		return spec, sidesHint, fmt.Errorf("%q is no IP address", shorten(s))
	case len(labels) == 1 && !strings.HasSuffix(s, "."):
		return spec, didYouMean(s, []string{"me", "any", "dns", "wins", "dhcp", "gateway"}, "a DNS name has a dot: write "+shorten(name)+". if it is one"), fmt.Errorf("%q is no address, subnet or range", shorten(s))
	case len(name) > 253:
		return spec, sidesHint, fmt.Errorf("%q is too long for a DNS name", shorten(s))
	}
	return policy.AddrSpec{Kind: policy.DNSName, Name: name}, "", nil
}

// family is 4 or 6 for a side of one family, 0 for one of both.
func family(a *policy.AddrSpec) int {
	switch {
	case !a.Range.IsValid():
		return 0
	case a.Range.From.Is4():
		return 4
	}
	return 6
}

// host reads one address, of a tunnel's end or a socket.
func (r *reader) host(n *node, what string) (netip.Addr, bool) {
	s, ok := r.text(n, what)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		r.fail(n, "write one IPv4 or IPv6 address", "%s must be an address; here is %q", what, shorten(s))
		return netip.Addr{}, false
	}
	if hint, err := plainAddr(a); err != nil {
		r.fail(n, hint, "%s: %v", what, err)
		return netip.Addr{}, false
	}
	if a.IsMulticast() || a == broadcast {
		r.fail(n, "write the address of one host", "%s: %v is no host", what, a)
		return netip.Addr{}, false
	}
	return a, true
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
