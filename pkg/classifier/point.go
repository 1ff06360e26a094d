package classifier

import "github.com/goipsec/goipsec/pkg/packet"

// point is a key as numbers, one for each dimension that the tree may split. What could not be read has a number that no filter which
// names a protocol or ports holds: 256 and 65536.
type point [8]uint64 // of which dims are used

const (
	dimSrcHi = iota // IPv4 addresses are numbers of 32 bits in the low words
	dimSrcLo
	dimDstHi
	dimDstLo
	dimProto
	dimSrcPort
	dimDstPort
	dims

	noProto = 256
	noPort  = 65536
)

// none is the position of no entry: behind all.
const none = ^uint32(0)

// pointOf converts a key.
func pointOf(k *packet.Key) (p point) {
	p[dimSrcHi], p[dimSrcLo] = words(k.Src)
	p[dimDstHi], p[dimDstLo] = words(k.Dst)
	p[dimProto], p[dimSrcPort], p[dimDstPort] = noProto, noPort, noPort
	if k.Flags&packet.ProtoKnown != 0 {
		p[dimProto] = uint64(k.Proto)
	}
	if k.Flags&packet.PortsKnown != 0 {
		p[dimSrcPort], p[dimDstPort] = uint64(k.SrcPort), uint64(k.DstPort)
	}
	return p
}

// hosts is the point of a filter between two hosts, as far as its addresses go.
func (f *Filter) hosts() (p point) {
	p[dimSrcHi], p[dimSrcLo] = words(f.Src.From)
	p[dimDstHi], p[dimDstLo] = words(f.Dst.From)
	return p
}
