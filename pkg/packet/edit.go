package packet

import "encoding/binary"

// The setters change one field of a datagram that Parse has accepted, and keep an IPv4 header checksum as right, or as wrong, as it was
// (RFC 1624). They do not change the Header that was parsed before.

// SetTOS writes the TOS or traffic class octet.
func SetTOS(pkt []byte, tos uint8) {
	if pkt[0]>>4 == 4 {
		setWord4(pkt, 0, uint16(pkt[0])<<8|uint16(tos))
		return
	}
	pkt[0] = 6<<4 | tos>>4
	pkt[1] = tos<<4 | pkt[1]&15
}

// SetTotalLen writes the length of the whole datagram, IP header included: total length in IPv4, payload length in IPv6.
func SetTotalLen(pkt []byte, n int) {
	if pkt[0]>>4 == 4 {
		setWord4(pkt, 2, uint16(n))
		return
	}
	binary.BigEndian.PutUint16(pkt[4:], uint16(n-ipv6HeaderLen))
}

// SetNextHeader writes the octet that names the upper-layer protocol: that of the IPv4 header, or of the last IPv6 header before
// h.UpperOffset. It is how transport mode puts ESP or AH in, and takes it out.
func SetNextHeader(pkt []byte, h *Header, proto uint8) {
	if pkt[0]>>4 == 4 {
		setWord4(pkt, 8, uint16(pkt[8])<<8|uint16(proto))
		return
	}
	pkt[h.NextHeaderOffset] = proto
}

// SetID writes the identification of an IPv4 datagram.
func SetID(pkt []byte, id uint16) { setWord4(pkt, 4, id) }

// ClearDF clears the don't-fragment flag of an IPv4 datagram; it does nothing to IPv6.
func ClearDF(pkt []byte) {
	if pkt[0]>>4 == 4 {
		setWord4(pkt, 6, binary.BigEndian.Uint16(pkt[6:])&^0x4000)
	}
}

// DecrementTTL takes one from the TTL or hop limit, which a forwarding tunnel end does (RFC 4301 §5.1.2.1), and reports whether the
// datagram may still be forwarded. At 0 or 1 it changes nothing.
func DecrementTTL(pkt []byte) bool {
	if pkt[0]>>4 == 4 {
		if pkt[8] <= 1 {
			return false
		}
		setWord4(pkt, 8, uint16(pkt[8]-1)<<8|uint16(pkt[9]))
		return true
	}
	if pkt[7] <= 1 {
		return false
	}
	pkt[7]--
	return true
}

// setWord4 changes one 16-bit word of an IPv4 header and its checksum.
func setWord4(pkt []byte, at int, v uint16) {
	var next [2]byte
	binary.BigEndian.PutUint16(next[:], v)
	field := binary.BigEndian.Uint16(pkt[10:])
	binary.BigEndian.PutUint16(pkt[10:], AdjustChecksum(field, pkt[at:at+2], next[:]))
	copy(pkt[at:], next[:])
}
