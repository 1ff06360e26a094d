package packet

import "encoding/binary"

const (
	tcpSYN        = 2
	tcpHeaderLen  = 20
	tcpOptionMSS  = 2
	tcpOptionsEnd = 0
	tcpOptionsNop = 1
)

// ClampMSS lowers the maximum segment size option of a TCP SYN to mss bytes, adjusts the TCP checksum, and reports whether it changed anything.
// A SYN without the option stays without it: its sender's peer then assumes 536 or 1220 bytes (RFC 9293 §3.7.1), which fits any path.
func ClampMSS(pkt []byte, h *Header, mss int) bool {
	if h.Key.Proto != protoTCP || h.Key.Flags&(NonFirst|ProtoKnown) != ProtoKnown || mss < 0 || mss > maxDatagram || h.TotalLen > len(pkt) {
		return false
	}
	tcp := pkt[h.UpperOffset:h.TotalLen]
	if len(tcp) < tcpHeaderLen || tcp[13]&tcpSYN == 0 {
		return false
	}
	end := int(tcp[12]>>4) * 4
	if end < tcpHeaderLen || end > len(tcp) {
		return false
	}
	at := findMSS(tcp[:end])
	if at == 0 || int(binary.BigEndian.Uint16(tcp[at:])) <= mss {
		return false
	}
	// The option may lie at an odd offset: the checksum is adjusted for the two aligned words that it touches. They lie inside the
	// header, for the option's last byte does and the header's length is even.
	from := at &^ 1
	to := min(from+4, end)
	var old [4]byte
	n := copy(old[:], tcp[from:to])
	binary.BigEndian.PutUint16(tcp[at:], uint16(mss))
	field := binary.BigEndian.Uint16(tcp[16:])
	binary.BigEndian.PutUint16(tcp[16:], AdjustChecksum(field, old[:n], tcp[from:to]))
	return true
}

// findMSS returns where in a TCP header the value of the maximum segment size option lies, or 0.
func findMSS(tcp []byte) int {
	for at := tcpHeaderLen; at < len(tcp); {
		kind := tcp[at]
		if kind == tcpOptionsEnd {
			return 0
		}
		if kind == tcpOptionsNop {
			at++
			continue
		}
		if at+1 >= len(tcp) || tcp[at+1] < 2 || at+int(tcp[at+1]) > len(tcp) {
			return 0
		}
		if kind == tcpOptionMSS && tcp[at+1] == 4 {
			return at + 2
		}
		at += int(tcp[at+1])
	}
	return 0
}
