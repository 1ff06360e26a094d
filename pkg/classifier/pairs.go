package classifier

import "math/bits"

// The filters from one address to one address lie in hash maps with open addressing that hold no pointers: a look-up touches one or two cache lines
// whether there are ten filters or ten million. There are two maps a family. One says the position of the filter with no protocol or port; the
// other, where the few filters of the pair lie that have one (see groups.go). Positions are stored plus one, so that the
// zero slot is free. Every map has at least as many free slots as used ones.

// pairs4 maps an IPv4 address pair, 64 bits, to the position of its entry.
type pairs4 struct {
	slots []slot4
	mask  uint64
}

// slot4 is 12 bytes; a cache line holds five.
type slot4 struct{ src, dst, pos uint32 }

// pairs6 maps an IPv6 address pair to the position of its entry. The slots are small and hold a tag, which spares the probe of a 32-byte
// key nearly always when it is not the one that is sought.
type pairs6 struct {
	slots []slot6
	keys  []key6
	mask  uint64
}

// slot6 refers to a key, plus one.
type slot6 struct{ tag, key uint32 }

// key6 is one address pair and the position of its entry.
type key6 struct {
	addrs [4]uint64 // as in a point
	pos   uint32
}

// mix hashes two words: the folded product of wyhash, with odd constants. Packets cannot lengthen a chain, for only entries
// occupy slots, and those come from the host's own policy.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1342543de82ef95)
	return hi ^ lo
}

func hash4(src, dst uint32) uint64 {
	return mix(uint64(src)<<32|uint64(dst), 0x2545f4914f6cdd1d)
}

func hash6(at *point) uint64 {
	return mix(mix(at[dimSrcHi], at[dimDstLo])+bits.RotateLeft64(mix(at[dimSrcLo], at[dimDstHi]), 32), 0x2545f4914f6cdd1d)
}

// slotsFor is a power of two of at least twice n.
func slotsFor(n int) int {
	if n == 0 {
		return 0
	}
	return 1 << bits.Len(uint(2*n-1))
}

func newPairs4(n int) pairs4 {
	size := slotsFor(n)
	return pairs4{slots: make([]slot4, size), mask: uint64(size - 1)}
}

// put adds the addresses of at; the first position that came stays.
func (p *pairs4) put(at *point, pos uint32) {
	src, dst := uint32(at[dimSrcLo]), uint32(at[dimDstLo])
	for i := hash4(src, dst) & p.mask; ; i = (i + 1) & p.mask {
		s := &p.slots[i]
		if s.pos == 0 {
			*s = slot4{src, dst, pos + 1}
			return
		}
		if s.src == src && s.dst == dst {
			return
		}
	}
}

// find returns the position of a pair, or none.
func (p *pairs4) find(at *point) uint32 {
	if len(p.slots) == 0 {
		return none
	}
	src, dst := uint32(at[dimSrcLo]), uint32(at[dimDstLo])
	for i := hash4(src, dst) & p.mask; ; i = (i + 1) & p.mask {
		s := &p.slots[i]
		if s.pos == 0 || s.src == src && s.dst == dst {
			return s.pos - 1 // a free slot's 0 becomes none
		}
	}
}

func newPairs6(n int) pairs6 {
	size := slotsFor(n)
	return pairs6{slots: make([]slot6, size), keys: make([]key6, 0, n), mask: uint64(size - 1)}
}

// put adds the addresses of at; the first position that came stays.
func (p *pairs6) put(at *point, pos uint32) {
	h := hash6(at)
	for i := h & p.mask; ; i = (i + 1) & p.mask {
		s := &p.slots[i]
		if s.key == 0 {
			p.keys = append(p.keys, key6{[4]uint64(at[:dimProto]), pos})
			*s = slot6{uint32(h >> 32), uint32(len(p.keys))}
			return
		}
		if s.tag == uint32(h>>32) && p.keys[s.key-1].addrs == [4]uint64(at[:dimProto]) {
			return
		}
	}
}

// find returns the position of a pair, or none.
func (p *pairs6) find(at *point) uint32 {
	if len(p.slots) == 0 {
		return none
	}
	h := hash6(at)
	for i := h & p.mask; ; i = (i + 1) & p.mask {
		s := &p.slots[i]
		if s.key == 0 {
			return none
		}
		if s.tag == uint32(h>>32) && p.keys[s.key-1].addrs == [4]uint64(at[:dimProto]) {
			return p.keys[s.key-1].pos
		}
	}
}

// IsHostPair reports whether f is from one address to one address with no protocol or port: what Index keeps in hash maps.
func (f *Filter) IsHostPair() bool {
	return f.Proto == 0 && !f.SrcPorts.Given && !f.DstPorts.Given && f.Src.IsHost() && f.Dst.IsHost()
}
