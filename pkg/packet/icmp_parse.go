package packet

import "encoding/binary"

// ParseTooBig reads an ICMP "fragmentation needed" or ICMPv6 "packet too big" message, checksum included. mtu is what it says, in bytes; a router that knows no
// MTU discovery says 0, and then the next lower plateau below the quoted datagram stands in (RFC 1191 §5). quoted is the part of the
// datagram that it came back for, to be read with ParseQuote: anyone can send such a message, so believe it only if that is a datagram which
// was sent, and never go below 576 or 1280 bytes. ok is false for any other datagram.
func ParseTooBig(pkt []byte) (mtu int, quoted []byte, ok bool) {
	var h Header
	if h.Parse(pkt) != nil || h.Key.Flags&PortsKnown == 0 || !TransportChecksumOK(pkt, &h) {
		return 0, nil, false
	}
	body := pkt[h.UpperOffset:h.TotalLen]
	if len(body) < icmpHeaderLen {
		return 0, nil, false
	}
	quoted = body[icmpHeaderLen:]
	switch {
	case h.Version == 4 && h.Key.Proto == protoICMP && body[0] == icmpUnreachable && body[1] == icmpFragNeeded:
		if len(quoted) < ipv4HeaderLen || quoted[0]>>4 != 4 {
			return 0, nil, false
		}
		if mtu = int(binary.BigEndian.Uint16(body[6:])); mtu == 0 {
			mtu = plateau(int(binary.BigEndian.Uint16(quoted[2:])))
		}
		return mtu, quoted, true
	case h.Version == 6 && h.Key.Proto == protoICMPv6 && body[0] == icmp6TooBig && body[1] == 0:
		if len(quoted) < ipv6HeaderLen || quoted[0]>>4 != 6 {
			return 0, nil, false
		}
		return int(min(binary.BigEndian.Uint32(body[4:]), maxDatagram)), quoted, true
	}
	return 0, nil, false
}

// plateau is the largest common MTU under n (RFC 1191 §7.1).
func plateau(n int) int {
	for _, mtu := range [...]int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296} {
		if mtu < n {
			return mtu
		}
	}
	return minMTU4
}

// Quote is what an ICMP error shows of the datagram that it is about.
type Quote struct {
	Key      Key    // as a classifier would have seen the datagram when it left, as far as the quotation reaches
	TotalLen int    // as the quoted header claims
	Upper    []byte // what is there of the upper-layer header and payload; shares the message's bytes
}

// ParseQuote reads a quoted datagram, which may be cut off anywhere behind its IP header. ok is false if a header before the upper layer is cut off or
// malformed, and for fragments but the first.
func ParseQuote(b []byte) (q Quote, ok bool) {
	// The lengths that the header claims are those of the datagram before it was cut, so that Parse would refuse it: a copy of the
	// headers gets the length of the quotation. Options and extension headers end within the first 576 bytes or are refused.
	var scratch [576]byte
	n := copy(scratch[:], b)
	if n < ipv4HeaderLen {
		return Quote{}, false
	}
	switch b[0] >> 4 {
	case 4:
		q.TotalLen = int(binary.BigEndian.Uint16(b[2:]))
		binary.BigEndian.PutUint16(scratch[2:], uint16(min(n, q.TotalLen)))
	case 6:
		q.TotalLen = ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
		binary.BigEndian.PutUint16(scratch[4:], uint16(max(0, min(n, q.TotalLen)-ipv6HeaderLen)))
	}
	var h Header
	if h.Parse(scratch[:n]) != nil || h.Key.Flags&(ProtoKnown|NonFirst) != ProtoKnown {
		return Quote{}, false
	}
	q.Key = h.Key
	q.Upper = b[h.UpperOffset:min(len(b), q.TotalLen)]
	return q, true
}

// SPI returns the security parameters index and the sequence number of quoted ESP or AH, also of ESP in UDP to or from port 4500 (RFC 3948 §2.1).
func (q *Quote) SPI() (spi, seq uint32, ok bool) {
	upper := q.Upper
	switch q.Key.Proto {
	case protoESP:
	case protoAH:
		if len(upper) < 4 {
			return 0, 0, false
		}
		upper = upper[4:]
	case protoUDP:
		if len(upper) < 8 || !natTPorts(upper) {
			return 0, 0, false
		}
		upper = upper[8:]
	default:
		return 0, 0, false
	}
	if len(upper) < 8 {
		return 0, 0, false
	}
	spi = binary.BigEndian.Uint32(upper)
	return spi, binary.BigEndian.Uint32(upper[4:]), spi != 0 // zero is the non-ESP marker
}

// natTPorts reports whether one of the UDP ports is that of NAT traversal.
func natTPorts(udp []byte) bool {
	return binary.BigEndian.Uint16(udp) == 4500 || binary.BigEndian.Uint16(udp[2:]) == 4500
}
