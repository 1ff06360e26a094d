package interchange

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// yes reads yes or no, which may be shortened.
func yes(s string) (value, ok bool) {
	word, matches := shortened(strings.TrimSpace(s), []string{"yes", "no"})
	return word == "yes", matches == 1
}

// flag sets *to from a tag that takes yes or no, if the command has it.
func (n *netsh) flag(a *arguments, tag string, to *bool) bool {
	s, given := a.last(tag)
	if !given {
		return false
	}
	v, ok := yes(s)
	if !ok {
		n.lost(a.line, "%s: %s takes yes or no", a.command, tag)
		return false
	}
	*to = v
	return true
}

// flags sets each *to from its tag, where the command has it, and returns false if one of them is neither yes nor no.
func (n *netsh) flags(a *arguments, to map[string]*bool) bool {
	for _, tag := range slices.Sorted(maps.Keys(to)) {
		if _, given := a.last(tag); given && !n.flag(a, tag, to[tag]) {
			n.lost(a.line, "%s: the command is left out", a.command)
			return false
		}
	}
	return true
}

// number sets *to from a tag that takes a number, if the command has it.
func (n *netsh) number(a *arguments, tag string, limit uint64, to *uint64) bool {
	s, given := a.last(tag)
	if !given {
		return false
	}
	v, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || v > limit {
		n.lost(a.line, "%s: %s takes a number up to %d", a.command, tag, limit)
		return false
	}
	*to = v
	return true
}

// netshSide reads one side of a filter: an address with its mask, me, any, a range, a server type, or a DNS name.
func netshSide(addr, mask string) (policy.AddrSpec, error) {
	addr, mask = strings.TrimSpace(addr), strings.TrimSpace(mask)
	switch lower := strings.ToLower(addr); lower {
	case "":
		return policy.AddrSpec{}, fmt.Errorf("the address is empty")
	case "me":
		return policy.AddrSpec{Kind: policy.Me}, nil
	case "any":
		return policy.AddrSpec{Kind: policy.Any}, nil
	default:
		if kind, ok := serverKinds[lower]; ok {
			return policy.AddrSpec{Kind: kind}, nil
		}
	}
	if from, to, ok := strings.Cut(addr, "-"); ok {
		if a, err := netip.ParseAddr(strings.TrimSpace(from)); err == nil {
			return rangeSide(a, strings.TrimSpace(to))
		}
	}
	if bare, bits, ok := strings.Cut(addr, "/"); ok {
		addr, mask = bare, bits
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return nameSide(addr)
	}
	return maskedSide(a, mask)
}

func rangeSide(from netip.Addr, end string) (policy.AddrSpec, error) {
	to, err := netip.ParseAddr(end)
	r := classifier.Range{From: from.Unmap(), To: to.Unmap()}
	switch {
	case err != nil:
		return policy.AddrSpec{}, fmt.Errorf("%s is no address", quote(end))
	case !r.IsValid():
		return policy.AddrSpec{}, fmt.Errorf("%s to %s is no range of addresses", quote(from.String()), quote(end))
	case r.IsHost():
		return hostSide(r.From)
	}
	return policy.AddrSpec{Kind: policy.AddrRange, Range: r}, nil
}

// maskedSide reads an address with its mask, which is a prefix length or, with IPv4, four numbers with dots. Windows writes 0.0.0.0 for
// what is me under a full mask, and any under an empty one.
func maskedSide(a netip.Addr, mask string) (policy.AddrSpec, error) {
	a = a.Unmap()
	if a.Zone() != "" {
		return policy.AddrSpec{}, fmt.Errorf("the address %s has a zone, which no packet carries", quote(a.String()))
	}
	bits := a.BitLen()
	if mask != "" {
		n, err := prefixLength(mask, a)
		if err != nil {
			return policy.AddrSpec{}, err
		}
		bits = n
	}
	switch {
	case a.IsUnspecified() && bits == 0:
		return policy.AddrSpec{Kind: policy.Any}, nil
	case a.IsUnspecified() && bits == a.BitLen():
		return policy.AddrSpec{Kind: policy.Me}, nil
	case bits == a.BitLen():
		return hostSide(a)
	}
	return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.PrefixFrom(a, bits))}, nil
}

func hostSide(a netip.Addr) (policy.AddrSpec, error) {
	if a.IsUnspecified() {
		return policy.AddrSpec{}, fmt.Errorf("%v is no host", a)
	}
	return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(a)}, nil
}

// prefixLength reads a mask in either form.
func prefixLength(mask string, a netip.Addr) (int, error) {
	if v, err := strconv.ParseUint(mask, 10, 8); err == nil && int(v) <= a.BitLen() {
		return int(v), nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.Is4() != a.Is4() {
		return 0, fmt.Errorf("%s is no mask for %v", quote(mask), a)
	}
	bits, gap := 0, false
	for _, b := range m.AsSlice() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && gap {
				return 0, fmt.Errorf("the mask %s has a gap: such a set of addresses is no subnet", quote(mask))
			}
			if one {
				bits++
			}
			gap = gap || !one
		}
	}
	return bits, nil
}

// nameSide takes a DNS name. What is neither address nor name is refused.
func nameSide(s string) (policy.AddrSpec, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	numeric := true
	for label := range strings.SplitSeq(name, ".") {
		bad := label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-'
		if bad || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return policy.AddrSpec{}, fmt.Errorf("%s is no address and no name", quote(s))
		}
		numeric = strings.Trim(label, "0123456789") == ""
	}
	if numeric || len(name) > 253 {
		return policy.AddrSpec{}, fmt.Errorf("%s is no address and no name", quote(s))
	}
	return policy.AddrSpec{Kind: policy.DNSName, Name: name}, nil
}

// netshProtocol reads a protocol; 0 is any.
func netshProtocol(s string) (uint8, error) {
	s = strings.TrimSpace(s)
	word, _ := shortened(s, []string{"any", "icmp", "tcp", "udp", "raw"})
	if p, ok := map[string]uint8{"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "raw": 255}[word]; ok {
		return p, nil
	}
	v, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%s is no protocol: there are ANY, ICMP, TCP, UDP, RAW and numbers up to 255", quote(s))
	}
	return uint8(v), nil
}

// netshPort reads a port; 0 is any.
func netshPort(s string) (classifier.Ports, error) {
	v, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	switch {
	case err != nil:
		return classifier.Ports{}, fmt.Errorf("%s is no port", quote(s))
	case v == 0:
		return classifier.Ports{}, nil
	}
	return classifier.Port(uint16(v)), nil
}
