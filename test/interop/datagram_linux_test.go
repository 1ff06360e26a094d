package interop

import (
	"encoding/binary"
	"net/netip"
)

// The tests' own, simple builder of IP datagrams and echo messages: it shares no code with goipsec's.

const (
	protoICMP4, protoIP4, protoIP6, protoESP, protoAH, protoICMP6 = 1, 4, 41, 50, 51, 58
)

// header makes an IP header for a payload of n bytes.
func header(src, dst string, proto uint8, n int) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	if s.Is6() {
		h := make([]byte, 40)
		h[0], h[6], h[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(h[4:], uint16(n))
		copy(h[8:], s.AsSlice())
		copy(h[24:], d.AsSlice())
		return h
	}
	h := make([]byte, 20)
	h[0], h[8], h[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(h[2:], uint16(20+n))
	binary.BigEndian.PutUint16(h[4:], 0x1234) // a raw socket replaces an identification of zero
	copy(h[12:], s.AsSlice())
	copy(h[16:], d.AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^onesSum(h, 0))
	return h
}

// echo makes an echo message of ICMP or ICMPv6 with n bytes of data; reply as its receiver would answer it.
func echo(src, dst string, reply bool, sequence uint16, n int) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	m := make([]byte, 8+n)
	switch {
	case s.Is6() && reply:
		m[0] = 129
	case s.Is6():
		m[0] = 128
	case !reply:
		m[0] = 8
	}
	binary.BigEndian.PutUint16(m[4:], 0x4711)
	binary.BigEndian.PutUint16(m[6:], sequence)
	for i := range n {
		m[8+i] = byte(i)
	}
	sum := uint32(0)
	if s.Is6() {
		sum = uint32(onesSum(s.AsSlice(), uint32(onesSum(d.AsSlice(), uint32(len(m)+protoICMP6)))))
	}
	binary.BigEndian.PutUint16(m[2:], ^onesSum(m, sum))
	return m
}

func onesSum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// payloadOf returns the payload and protocol of a plain IP packet.
func payloadOf(packet []byte) ([]byte, uint8) {
	if packet[0]>>4 == 6 {
		return packet[40:], packet[6]
	}
	return packet[int(packet[0]&15)*4 : binary.BigEndian.Uint16(packet[2:])], packet[9]
}
