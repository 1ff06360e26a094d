package classifier

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"
)

// weight is what Compare compares, field by field; more is heavier. Each field, on its own, can only grow when a filter is narrowed,
// and the fields together must grow when it is narrowed properly. That, and being plain numbers, makes the order total and transitive.
type weight struct {
	empty   uint8     // 1: not valid, matches nothing, and the empty set is a proper subset of every other
	hosts   uint8     // address sides that are one address
	subnets uint8     // address sides that are neither one address nor any
	prefix  uint16    // sum of both sides' prefix lengths; that of a range is the longest whose prefixes could hold it
	ranges  [4]uint64 // how much less of that prefix pair the ranges take: 1 - product of both filled shares, a fraction of 256 bits
	proto   uint8     // 1: a protocol is given
	dst     uint32    // 65537 - number of destination ports, 0 if none are given
	src     uint32    // the same of the source
}

// weigh computes a filter's weight.
func (f *Filter) weigh() weight {
	if !f.IsValid() {
		return weight{empty: 1}
	}
	w := weight{dst: f.DstPorts.weigh(), src: f.SrcPorts.weigh()}
	if f.Proto != 0 {
		w.proto = 1
	}
	for _, r := range [2]Range{f.Src, f.Dst} {
		switch {
		case r.IsHost():
			w.hosts++
		case !r.IsAny():
			w.subnets++
		}
		w.prefix += uint16(r.From.BitLen() - r.log2())
	}
	w.ranges = unfilled(f.Src.filled(), f.Dst.filled())
	return w
}

// weigh is 65537 less the number of ports, or 0 where none are given: given ports are fewer than any, which also takes fragments.
func (p Ports) weigh() uint32 {
	if !p.Given {
		return 0
	}
	return 65536 - uint32(p.To-p.From)
}

// filled is the share of its smallest possible prefix that r takes, in (1/2, 1], as a fraction of 128 bits; 0 stands for 1.
func (r Range) filled() (share [2]uint64) {
	hi, lo := r.span()
	lo, carry := bits.Add64(lo, 1, 0)
	hi += carry
	n := uint(128 - r.log2())
	if n >= 64 {
		return [2]uint64{lo << (n - 64), 0}
	}
	return [2]uint64{hi<<n | lo>>(64-n), lo << n}
}

// unfilled is 1 - a·b in 256 bits, highest word first. Since 1 is written as 0, a product with 1 is the other factor.
func unfilled(a, b [2]uint64) (out [4]uint64) {
	switch {
	case a == [2]uint64{}:
		out[0], out[1] = b[0], b[1]
	case b == [2]uint64{}:
		out[0], out[1] = a[0], a[1]
	default:
		out = multiply(a, b)
	}
	var borrow uint64
	for i := 3; i >= 0; i-- {
		out[i], borrow = bits.Sub64(0, out[i], borrow)
	}
	return out
}

// multiply is the full product of two numbers of 128 bits.
func multiply(a, b [2]uint64) (out [4]uint64) {
	var carry uint64
	var mid, hi [2]uint64
	hi[0], hi[1] = bits.Mul64(a[0], b[0])
	out[2], out[3] = bits.Mul64(a[1], b[1])
	out[0], out[1] = hi[0], hi[1]
	for _, pair := range [2][2]uint64{{a[0], b[1]}, {a[1], b[0]}} {
		mid[0], mid[1] = bits.Mul64(pair[0], pair[1])
		out[2], carry = bits.Add64(out[2], mid[1], 0)
		out[1], carry = bits.Add64(out[1], mid[0], carry)
		out[0] += carry
	}
	return out
}

// compare orders weights field by field.
func (w *weight) compare(o *weight) int {
	for i := range w.ranges {
		// Nearly all filters have plain prefixes: the words differ only where ranges meet.
		if w.ranges[i] != o.ranges[i] {
			return w.compareRanged(o, i)
		}
	}
	if c := w.compareAddresses(o); c != 0 {
		return c
	}
	return w.compareUpper(o)
}

func (w *weight) compareRanged(o *weight, word int) int {
	if c := w.compareAddresses(o); c != 0 {
		return c
	}
	return cmp.Compare(w.ranges[word], o.ranges[word])
}

func (w *weight) compareAddresses(o *weight) int {
	return cmp.Or(cmp.Compare(w.empty, o.empty), cmp.Compare(w.hosts, o.hosts), cmp.Compare(w.subnets, o.subnets), cmp.Compare(w.prefix, o.prefix))
}

func (w *weight) compareUpper(o *weight) int {
	return cmp.Or(cmp.Compare(w.proto, o.proto), cmp.Compare(w.dst, o.dst), cmp.Compare(w.src, o.src))
}

// Compare orders filters by weight: positive if f is heavier (more specific) than g, 0 on equal weight. If the datagrams of
// f are a proper subset of g's the result is positive. It compares, in this order: how many address sides are a host; how many are a
// subnet or range; the sum of both prefix lengths, where a range counts as the smallest prefix size that could hold it; how little of
// that size ranges fill; protocol given; fewer destination ports; fewer source ports. The order is total and transitive, also between families.
func (f *Filter) Compare(g *Filter) int {
	a, b := f.weigh(), g.weigh()
	return a.compare(&b)
}

// Weight is what Compare compares, for people: a short form that policy show prints and that sorts, as a string, like Compare.
// Its fields are hosts.subnets.prefix-bits.range.protocol.destination.source, for example "1.1.056.0.1.65536.00000" for a host to
// a /24, TCP, one destination port: range is a hexadecimal fraction, 0 for plain prefixes; ports count as 65537 less their number, 0 if not given.
func (f *Filter) Weight() string {
	w := f.weigh()
	if w.empty != 0 {
		return "9.invalid"
	}
	frac := strings.TrimRight(fmt.Sprintf("%016x%016x%016x%016x", w.ranges[0], w.ranges[1], w.ranges[2], w.ranges[3]), "0")
	if frac == "" {
		frac = "0"
	}
	return fmt.Sprintf("%d.%d.%03d.%s.%d.%05d.%05d", w.hosts, w.subnets, w.prefix, frac, w.proto, w.dst, w.src)
}
