package classifier

import (
	"math/bits"
	"net/netip"
)

// Range is an inclusive range of addresses of one family. The zero Range is invalid, and an invalid range holds no address.
type Range struct{ From, To netip.Addr }

// AnyV4 and AnyV6 are all addresses of a family: the "any" of a policy.
var (
	AnyV4 = RangeOf(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	AnyV6 = RangeOf(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
)

// HostRange returns the range of one address.
func HostRange(a netip.Addr) Range { return Range{a, a} }

// RangeOf returns the addresses of a prefix. Bits behind the prefix length are ignored; an invalid prefix gives the zero Range.
func RangeOf(p netip.Prefix) Range {
	p = p.Masked()
	if !p.IsValid() {
		return Range{}
	}
	if p.Addr().Is4() {
		to := p.Addr().As4()
		fill(to[:], p.Bits())
		return Range{p.Addr(), netip.AddrFrom4(to)}
	}
	to := p.Addr().As16()
	fill(to[:], p.Bits())
	return Range{p.Addr(), netip.AddrFrom16(to)}
}

// fill sets every bit of b from bit n on.
func fill(b []byte, n int) {
	for i := range b {
		if free := (i+1)*8 - n; free >= 8 {
			b[i] = 0xff
		} else if free > 0 {
			b[i] |= 1<<free - 1
		}
	}
}

// IsValid reports whether both ends are addresses of one family without a zone, in order.
func (r Range) IsValid() bool {
	return r.From.IsValid() && r.From.BitLen() == r.To.BitLen() && r.From.Zone() == "" && r.To.Zone() == "" && r.From.Compare(r.To) <= 0
}

// Contains reports whether a lies in r.
func (r Range) Contains(a netip.Addr) bool {
	return r.IsValid() && a.BitLen() == r.From.BitLen() && r.From.Compare(a) <= 0 && a.WithZone("").Compare(r.To) <= 0
}

// Covers reports whether every address of o lies in r.
func (r Range) Covers(o Range) bool { return !o.IsValid() || r.Contains(o.From) && r.Contains(o.To) }

// Overlaps reports whether some address lies in both.
func (r Range) Overlaps(o Range) bool {
	return r.IsValid() && o.IsValid() && (r.Contains(o.From) || o.Contains(r.From))
}

// IsHost reports whether r is one address.
func (r Range) IsHost() bool { return r.IsValid() && r.From == r.To }

// IsAny reports whether r is every address of its family.
func (r Range) IsAny() bool { return r == AnyV4 || r == AnyV6 }

// Prefix returns the prefix with exactly the addresses of r, or false if there is none.
func (r Range) Prefix() (netip.Prefix, bool) {
	if !r.IsValid() {
		return netip.Prefix{}, false
	}
	p := netip.PrefixFrom(r.From, r.From.BitLen()-r.log2())
	return p, RangeOf(p) == r
}

// log2 is the binary logarithm of the number of addresses in r, rounded up: 0 for a host, 32 or 128 for any.
func (r Range) log2() int {
	hi, lo := r.span()
	if hi != 0 {
		return 64 + bits.Len64(hi)
	}
	return bits.Len64(lo)
}

// span is the number of addresses in r less one, in 128 bits.
func (r Range) span() (hi, lo uint64) {
	fromHi, fromLo := words(r.From)
	toHi, toLo := words(r.To)
	lo, borrow := bits.Sub64(toLo, fromLo, 0)
	hi, _ = bits.Sub64(toHi, fromHi, borrow)
	return hi, lo
}

// words returns an address as a number of 128 bits. An IPv4 address is a number of 32 bits.
func words(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	}
	b := a.As16()
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[i+8])
	}
	return hi, lo
}

// String returns a host as its address, any as "any4" or "any6", a prefix in CIDR form, and another range as "from-to".
func (r Range) String() string {
	switch {
	case !r.IsValid():
		return "invalid range"
	case r == AnyV4:
		return "any4"
	case r == AnyV6:
		return "any6"
	case r.IsHost():
		return r.From.String()
	}
	if p, ok := r.Prefix(); ok {
		return p.String()
	}
	return r.From.String() + "-" + r.To.String()
}
