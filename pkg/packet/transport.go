package packet

import (
	"encoding/binary"
	"net/netip"
)

// checksumAt says where in an upper-layer header its checksum lies, or false for a protocol without an Internet checksum over the whole.
func checksumAt(proto uint8) (at int, ok bool) {
	switch proto {
	case protoTCP:
		return 16, true
	case protoUDP:
		return 6, true
	case protoICMP, protoICMPv6:
		return 2, true
	}
	return 0, false
}

// transportChecksum finds the checksum field of a whole datagram and what it covers.
func transportChecksum(pkt []byte, h *Header) (upper, field []byte, ok bool) {
	at, ok := checksumAt(h.Key.Proto)
	if !ok || h.Key.Flags&(Fragment|ProtoKnown) != ProtoKnown || h.TotalLen > len(pkt) {
		return nil, nil, false
	}
	upper = pkt[h.UpperOffset:h.TotalLen]
	if h.Key.Proto == protoUDP {
		// The UDP length counts, not that of the IP datagram; bytes behind it are not the datagram's (RFC 768, RFC 9868).
		if len(upper) < 8 {
			return nil, nil, false
		}
		n := int(upper[4])<<8 | int(upper[5])
		if n < 8 || n > len(upper) {
			return nil, nil, false
		}
		upper = upper[:n]
	}
	if len(upper) < at+2 {
		return nil, nil, false
	}
	return upper, upper[at : at+2], true
}

// hasPseudo reports whether a protocol's checksum covers a pseudo header. ICMP over IPv4 has none (RFC 792).
func hasPseudo(h *Header) bool { return h.Key.Proto != protoICMP }

// FixTransportChecksum computes the TCP, UDP, ICMP or ICMPv6 checksum of a whole datagram anew, for the addresses in its IP header, and reports
// whether it could. It leaves fragments, other protocols, datagrams under way to an intermediate address (whose pseudo header has another
// destination, RFC 8200 §8.1) and zero IPv4 UDP checksums (none was sent, RFC 768) as they are; the last counts as done.
func FixTransportChecksum(pkt []byte, h *Header) bool {
	upper, field, ok := transportChecksum(pkt, h)
	if !ok || h.SourceRouted {
		return false
	}
	if noChecksum(h, field) {
		return true
	}
	binary.BigEndian.PutUint16(field, 0)
	putChecksum(field, h, fold(upperSum(upper, h)))
	return true
}

// TransportChecksumOK reports whether the TCP, UDP, ICMP or ICMPv6 checksum of a whole datagram is right. A zero UDP checksum is right in IPv4 only.
// It is false for whatever FixTransportChecksum leaves alone.
func TransportChecksumOK(pkt []byte, h *Header) bool {
	upper, field, ok := transportChecksum(pkt, h)
	if !ok || h.SourceRouted {
		return false
	}
	if noChecksum(h, field) {
		return true
	}
	if h.Key.Proto == protoUDP && field[0]|field[1] == 0 {
		return false // RFC 8200 §8.1
	}
	return fold(upperSum(upper, h)) == 0xffff
}

func upperSum(upper []byte, h *Header) uint64 {
	if !hasPseudo(h) {
		return sum(upper, 0)
	}
	return sum(upper, pseudo(h.Key.Src, h.Key.Dst, h.Key.Proto, len(upper)))
}

// noChecksum reports whether the field says that no checksum was computed.
func noChecksum(h *Header, field []byte) bool {
	return h.Version == 4 && h.Key.Proto == protoUDP && field[0]|field[1] == 0
}

// putChecksum writes the complement of a folded sum. UDP writes a computed zero as all ones, because zero means none (RFC 768).
func putChecksum(field []byte, h *Header, folded uint16) {
	v := ^folded
	if v == 0 && h.Key.Proto == protoUDP {
		v = 0xffff
	}
	binary.BigEndian.PutUint16(field, v)
}

// AdjustTransportChecksum corrects the transport checksum of a datagram whose sender computed it for the addresses src and dst, while its IP header
// now holds others: what a NAT on the path of transport-mode ESP leaves behind (RFC 3948 §3.1.2). The addresses come from the peer's
// NAT-OA payloads. An error of the checksum itself is kept, so that the receiver still finds it. It reports whether
// there was a checksum to correct; of fragments only the first has one.
func AdjustTransportChecksum(pkt []byte, h *Header, src, dst netip.Addr) bool {
	at, ok := checksumAt(h.Key.Proto)
	if !ok || !hasPseudo(h) || h.Key.Flags&(NonFirst|ProtoKnown) != ProtoKnown || h.TotalLen > len(pkt) || h.TotalLen-h.UpperOffset < at+2 {
		return false
	}
	field := pkt[h.UpperOffset+at : h.UpperOffset+at+2]
	if noChecksum(h, field) {
		return true
	}
	was := addressSum(dst, addressSum(src, 0))
	is := addressSum(h.Key.Dst, addressSum(h.Key.Src, 0))
	acc := uint64(^binary.BigEndian.Uint16(field)) + uint64(^fold(was)) + uint64(fold(is))
	putChecksum(field, h, fold(acc))
	return true
}
