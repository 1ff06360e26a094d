package packet

import "encoding/binary"

// Fragments cuts a datagram into fragments of at most mtu bytes, IP header included, and appends them to dst. A datagram that fits is appended
// as it is and shares its bytes with pkt; fragments are copies. id names the fragments of an IPv6 datagram and must not repeat soon
// for one address pair; IPv4 fragments keep the datagram's own. It fails with ErrDF, with ErrMTU if the headers leave no room, and with ErrNotWhole
// on IPv6 fragments, which only their source may make (RFC 8200 §4.5); an IPv4 fragment may be cut again (RFC 791 §3.2).
func Fragments(dst [][]byte, pkt []byte, h *Header, mtu int, id uint32) ([][]byte, error) {
	if h.TotalLen > len(pkt) {
		return dst, ErrTruncated
	}
	pkt = pkt[:h.TotalLen]
	if len(pkt) <= mtu {
		return append(dst, pkt), nil
	}
	if h.Version == 4 {
		return fragments4(dst, pkt, h, mtu)
	}
	return fragments6(dst, pkt, h, mtu, id)
}

func fragments4(dst [][]byte, pkt []byte, h *Header, mtu int) ([][]byte, error) {
	if h.DF {
		return dst, ErrDF
	}
	// The first fragment has all options, the others those with the copied flag (RFC 791 §3.1).
	first := pkt[:h.UpperOffset]
	rest := appendCopiedOptions(append(make([]byte, 0, 60), pkt[:ipv4HeaderLen]...), first[ipv4HeaderLen:])
	rest[0] = 4<<4 | byte(len(rest)/4)
	if mtu-len(first) < 8 {
		return dst, ErrMTU
	}
	payload := pkt[len(first):]
	arena := newArena(payload, mtu, len(first))
	for header, off := first, 0; off < len(payload); header = rest {
		n := min((mtu-len(header))&^7, len(payload)-off)
		more := h.MF || off+n < len(payload)
		var frag []byte
		arena, frag = cut(arena, header, nil, payload[off:off+n])
		binary.BigEndian.PutUint16(frag[2:], uint16(len(frag)))
		binary.BigEndian.PutUint16(frag[6:], fragmentField4(pkt, h.FragOffset+off, more))
		putHeaderChecksum(frag[:len(header)])
		dst = append(dst, frag)
		off += n
	}
	return dst, nil
}

// fragmentField4 is the flags and offset word; the reserved bit is kept.
func fragmentField4(pkt []byte, off int, more bool) uint16 {
	v := uint16(pkt[6]&0x80)<<8 | uint16(off/8)
	if more {
		v |= 0x2000
	}
	return v
}

// appendCopiedOptions appends to an IPv4 header those options that go into every fragment, padded to a word.
func appendCopiedOptions(header, opts []byte) []byte {
	for len(opts) > 0 && opts[0] != optEnd {
		n := 1
		if opts[0] != optNop {
			n = int(opts[1]) // Parse has checked the lengths
		}
		if opts[0]&optCopied != 0 {
			header = append(header, opts[:n]...)
		}
		opts = opts[n:]
	}
	for len(header)%4 != 0 {
		header = append(header, optEnd)
	}
	return header
}

func fragments6(dst [][]byte, pkt []byte, h *Header, mtu int, id uint32) ([][]byte, error) {
	if h.FragHeader > 0 {
		return dst, ErrNotWhole
	}
	headerLen, nextAt := perFragmentHeaders(pkt, h)
	step := (mtu - headerLen - fragHeaderLen) &^ 7
	// The first fragment must hold the whole header chain (RFC 7112 §5), or no filter on the way could judge it.
	if step < 8 || step < min(h.UpperOffset-headerLen+firstUpperLen(h.Key.Proto), len(pkt)-headerLen) {
		return dst, ErrMTU
	}
	var ext [fragHeaderLen]byte
	ext[0] = pkt[nextAt]
	binary.BigEndian.PutUint32(ext[4:], id)
	payload := pkt[headerLen:]
	arena := newArena(payload, mtu, headerLen+fragHeaderLen)
	for off := 0; off < len(payload); off += step {
		n := min(step, len(payload)-off)
		field := uint16(off)
		if off+n < len(payload) {
			field |= 1
		}
		binary.BigEndian.PutUint16(ext[2:], field)
		var frag []byte
		arena, frag = cut(arena, pkt[:headerLen], ext[:], payload[off:off+n])
		frag[nextAt] = protoFragment
		binary.BigEndian.PutUint16(frag[4:], uint16(len(frag)-ipv6HeaderLen))
		dst = append(dst, frag)
	}
	return dst, nil
}

// perFragmentHeaders says how long the headers are that every IPv6 fragment repeats, up to and with a hop-by-hop or routing header, and where
// the octet lies that names what follows them (RFC 8200 §4.5).
func perFragmentHeaders(pkt []byte, h *Header) (length, nextAt int) {
	length, nextAt = ipv6HeaderLen, 6
	next := pkt[6]
	for at := ipv6HeaderLen; at < h.UpperOffset; {
		n := 8 + int(pkt[at+1])*8 // Parse has checked the lengths
		if next == protoHopByHop || next == protoRouting {
			length, nextAt = at+n, at
		}
		next = pkt[at]
		at += n
	}
	return length, nextAt
}

// firstUpperLen is how much of the upper-layer header a first fragment must hold to be judged.
func firstUpperLen(proto uint8) int {
	if proto == protoTCP {
		return tcpHeaderLen
	}
	return 8
}

// newArena makes room for all fragments at once.
func newArena(payload []byte, mtu, headerLen int) []byte {
	step := (mtu - headerLen) &^ 7
	return make([]byte, 0, len(payload)+(len(payload)/step+1)*headerLen)
}

// cut appends one fragment to the arena and returns it with a capacity that keeps it from its neighbours.
func cut(arena, header, ext, data []byte) (grown, frag []byte) {
	from := len(arena)
	arena = append(arena, header...)
	arena = append(arena, ext...)
	arena = append(arena, data...)
	return arena, arena[from:len(arena):len(arena)]
}
