package policy

import (
	"math/rand/v2"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// A filter can never match if heavier ones, together, take all of its packets: each of them alone cannot, for what holds all of another's
// packets weighs less. Whether a union of boxes covers a box is hard in general. Here a few packets of the filter are tried first, which frees nearly every filter
// that is alive, and the rest is cut into pieces, as long as these are few.

const (
	// maxPieces bounds the pieces into which one filter is cut before it counts as alive.
	maxPieces = 512
	// maxScanned bounds the filters that are gone through one by one to find out whether some are covered, and fewScanned those that are before an index is made.
	maxScanned = 20_000_000
	fewScanned = 1_000_000
)

// unreadable is the port of a datagram whose ports cannot be read, unknownProto the protocol of one whose protocol cannot.
const (
	unreadable   = 1 << 16
	unknownProto = 1 << 8
)

// box is the set of datagrams of a filter, as five intervals. What cannot be read has a value of its own.
type box struct {
	src, dst            classifier.Range
	proto, sport, dport span
}

// span is an inclusive interval of numbers.
type span struct{ from, to uint32 }

func boxOf(f *classifier.Filter) box {
	b := box{src: f.Src, dst: f.Dst, proto: span{0, unknownProto}, sport: spanOf(f.SrcPorts), dport: spanOf(f.DstPorts)}
	if f.Proto != 0 {
		b.proto = span{uint32(f.Proto), uint32(f.Proto)}
	}
	return b
}

func spanOf(p classifier.Ports) span {
	if !p.Given {
		return span{0, unreadable}
	}
	return span{uint32(p.From), uint32(p.To)}
}

func (s span) overlaps(o span) bool { return s.from <= o.to && o.from <= s.to }

// cut returns what of s lies before and behind o, and what lies in it. They overlap.
func (s span) cut(o span) (outside []span, inside span) {
	inside = span{max(s.from, o.from), min(s.to, o.to)}
	if s.from < inside.from {
		outside = append(outside, span{s.from, inside.from - 1})
	}
	if inside.to < s.to {
		outside = append(outside, span{inside.to + 1, s.to})
	}
	return outside, inside
}

// cutRange is cut for addresses.
func cutRange(s, o classifier.Range) (outside []classifier.Range, inside classifier.Range) {
	inside = s
	if s.From.Less(o.From) {
		inside.From = o.From
		outside = append(outside, classifier.Range{From: s.From, To: o.From.Prev()})
	}
	if o.To.Less(s.To) {
		inside.To = o.To
		outside = append(outside, classifier.Range{From: o.To.Next(), To: s.To})
	}
	return outside, inside
}

func (b *box) overlaps(o *box) bool {
	return b.src.Overlaps(o.src) && b.dst.Overlaps(o.dst) && b.proto.overlaps(o.proto) && b.sport.overlaps(o.sport) && b.dport.overlaps(o.dport)
}

// less appends the pieces of b that are not in o. They overlap.
func (b box) less(o *box, list []box) []box {
	srcs, src := cutRange(b.src, o.src)
	for _, s := range srcs {
		piece := b
		piece.src = s
		list = append(list, piece)
	}
	b.src = src
	dsts, dst := cutRange(b.dst, o.dst)
	for _, d := range dsts {
		piece := b
		piece.dst = d
		list = append(list, piece)
	}
	b.dst = dst
	for _, dim := range [...]struct{ mine, theirs *span }{{&b.proto, &o.proto}, {&b.sport, &o.sport}, {&b.dport, &o.dport}} {
		whole := *dim.mine
		outside, inside := whole.cut(*dim.theirs)
		for _, s := range outside {
			*dim.mine = s
			list = append(list, b)
		}
		*dim.mine = inside
	}
	return list
}

// covered returns the filters of heavier that together take all packets of f; nil if there are some left, or if that cannot be said in few steps.
func covered(f *QuickModeFilter, heavier []*QuickModeFilter) (by []*QuickModeFilter) {
	pieces := []box{boxOf(&f.Filter)}
	var spare []box
	for _, h := range heavier {
		if !h.Filter.Overlaps(&f.Filter) {
			continue
		}
		hole := boxOf(&h.Filter)
		spare = spare[:0]
		took := false
		for _, p := range pieces {
			if !p.overlaps(&hole) {
				spare = append(spare, p)
				continue
			}
			took = true
			spare = p.less(&hole, spare)
		}
		pieces, spare = spare, pieces
		if took {
			by = append(by, h)
		}
		if len(pieces) == 0 {
			return by
		}
		if len(pieces) > maxPieces {
			return nil
		}
	}
	return nil
}

// mayBeCovered leaves out the filters between two addresses with at most one port: what holds their packets is lighter, or the same filter.
func mayBeCovered(f *classifier.Filter) bool {
	several := func(p classifier.Ports) bool { return p.Given && p.From != p.To }
	return !f.Src.IsHost() || !f.Dst.IsHost() || several(f.SrcPorts) || several(f.DstPorts)
}

// samples are packets of f: those that the fewest other filters take.
func samples(f *classifier.Filter) []packet.Key {
	r := rand.New(rand.NewPCG(1, 2)) // the same every time: what check says does not depend on luck
	list := make([]packet.Key, 0, 6)
	for i := range cap(list) {
		k := packet.Key{Src: pick(f.Src, i, r), Dst: pick(f.Dst, i, r)}
		if f.Proto != 0 {
			k.Proto, k.Flags = f.Proto, packet.ProtoKnown
		}
		if f.SrcPorts.Given || f.DstPorts.Given {
			k.Flags |= packet.PortsKnown
			k.SrcPort, k.DstPort = pickPort(f.SrcPorts, i, r), pickPort(f.DstPorts, i, r)
		}
		list = append(list, k)
	}
	return list
}

// pick chooses an address of a range: an end, or any.
func pick(of classifier.Range, n int, r *rand.Rand) netip.Addr {
	switch n {
	case 0:
		return of.From
	case 1:
		return of.To
	}
	p, ok := of.Prefix()
	if !ok {
		return of.From
	}
	b := of.From.AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= byte(r.Uint32()&1) << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func pickPort(p classifier.Ports, n int, r *rand.Rand) uint16 {
	switch {
	case !p.Given:
		return uint16(r.Uint32())
	case n == 0:
		return p.From
	case n == 1:
		return p.To
	}
	return p.From + uint16(r.UintN(uint(p.To-p.From)+1))
}
