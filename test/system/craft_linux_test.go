package system

import (
	"encoding/binary"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/packet"
)

// sum puts the checksum of a transport header and its pseudo-header (RFC 1071, RFC 8200 §8.1) at an offset of u.
func sum(src, dst netip.Addr, proto byte, u []byte, at int) {
	s := uint32(proto) + uint32(len(u))
	binary.BigEndian.PutUint16(u[at:], 0)
	for _, b := range [][]byte{src.AsSlice(), dst.AsSlice(), u} {
		for ; len(b) > 1; b = b[2:] {
			s += uint32(binary.BigEndian.Uint16(b))
		}
		if len(b) > 0 {
			s += uint32(b[0]) << 8
		}
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	if s == 0xffff { // a sum of zero would mean none
		s = 0
	}
	binary.BigEndian.PutUint16(u[at:], ^uint16(s))
}

// wrap puts an IP header before a payload.
func wrap(src, dst netip.Addr, proto byte, payload []byte) []byte {
	hlen := 40
	if src.Is4() {
		hlen = 20
	}
	pkt := make([]byte, hlen+len(payload))
	outer := packet.Outer{Src: src, Dst: dst, Proto: proto, TTL: 64, ID: 1}
	outer.Put(pkt, len(pkt))
	copy(pkt[hlen:], payload)
	return pkt
}

// segment is the transport header and payload of UDP (17), or a TCP SYN (6).
func segment(src, dst netip.Addr, proto byte, sport, dport uint16, text string) []byte {
	u := binary.BigEndian.AppendUint16(nil, sport)
	u = binary.BigEndian.AppendUint16(u, dport)
	if proto == 6 {
		u = append(u, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, 2, 0xff, 0xff, 0, 0, 0, 0)
		u = append(u, text...)
		sum(src, dst, proto, u, 16)
		return u
	}
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(text)))
	u = append(append(u, 0, 0), text...)
	sum(src, dst, proto, u, 6)
	return u
}

// datagram is an UDP datagram.
func datagram(src, dst string, sport, dport uint16, text string) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	return wrap(s, d, 17, segment(s, d, 17, sport, dport, text))
}
