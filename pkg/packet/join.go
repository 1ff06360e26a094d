package packet

import (
	"bytes"
	"encoding/binary"
)

// Join gathers datagrams of one flow that a superpacket can stand for: what Super cuts, Join puts together. It never touches payloads, and what it
// gathers must stay where it is. The zero value has no datagram. One goroutine.
type Join struct {
	first   []byte
	header  int
	upper   int
	segment int // payload of each datagram but the last
	total   int // of both headers and all payloads
	count   int
	v4, tcp bool
	closed  bool // nothing may follow
	trusted bool // the checksum of the first was verified
	id      uint16
	seq     uint32 // of the payload to follow
}

// Begin starts with pkt, whose header is h. It reports whether anything might follow; if not, pkt stands for itself.
func (j *Join) Begin(pkt []byte, h *Header) bool {
	*j = Join{}
	if h.Key.Flags&(ProtoKnown|PortsKnown|Fragment) != ProtoKnown|PortsKnown || h.NextHeaderOffset >= ipv6HeaderLen {
		return false // extension headers are rare, and no device cuts behind them
	}
	rest := pkt[h.UpperOffset:]
	switch h.Key.Proto {
	case protoTCP:
		// Only plain data: no SYN, FIN, RST, URG or CWR, of which the kernel would make more or fewer than there were.
		if len(rest) < tcpHeaderLen || rest[12]>>4 < 5 || rest[13]&(tcpFIN|tcpSYN|tcpRST|tcpURG|tcpCWR|tcpACK) != tcpACK {
			return false
		}
		j.header, j.tcp = h.UpperOffset+int(rest[12]>>4)*4, true
		j.closed = rest[13]&tcpPSH != 0
	case protoUDP:
		if len(rest) < udpHeaderLen || binary.BigEndian.Uint16(rest[6:]) == 0 || int(binary.BigEndian.Uint16(rest[4:])) != len(rest) {
			return false // without a checksum there is nothing to verify, and the superpacket would have one
		}
		j.header = h.UpperOffset + udpHeaderLen
	default:
		return false
	}
	if j.header >= len(pkt) || j.header > MaxSuperHeader || h.Version == 4 && h.UpperOffset != ipv4HeaderLen {
		return false
	}
	j.first, j.upper, j.v4 = pkt, h.UpperOffset, h.Version == 4
	j.segment, j.total, j.count, j.id = len(pkt)-j.header, len(pkt), 1, uint16(h.ID)
	if j.tcp {
		j.seq = binary.BigEndian.Uint32(rest[4:]) + uint32(j.segment)
	}
	return !j.closed
}

// Add appends pkt, whose header is h, if a superpacket can stand for what there is and pkt: the same headers, the next sequence number, a right
// checksum. It returns its payload, or nil if it does not belong here.
func (j *Join) Add(pkt []byte, h *Header) (payload []byte) {
	if j.closed || h.UpperOffset != j.upper || len(pkt) <= j.header || !j.alike(pkt) {
		return nil
	}
	return j.add(pkt)
}

// AddUnparsed is Add for the datagram that b begins with, of which nobody has looked at the header. What it takes has the first one's selector key, for
// all that goes into a key is the same.
func (j *Join) AddUnparsed(b []byte) (payload []byte) {
	if j.closed || j.count == 0 || len(b) <= j.header || !j.alike(b) {
		return nil
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if !j.v4 {
		total = ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	}
	if total <= j.header || total > len(b) {
		return nil
	}
	return j.add(b[:total])
}

// add appends pkt, which is alike and has payload.
func (j *Join) add(pkt []byte) (payload []byte) {
	n := len(pkt) - j.header
	if n > j.segment || j.total+n > maxDatagram {
		return nil
	}
	if j.tcp {
		if binary.BigEndian.Uint32(pkt[j.upper+4:]) != j.seq {
			return nil
		}
	} else if int(binary.BigEndian.Uint16(pkt[j.upper+4:])) != len(pkt)-j.upper {
		return nil
	}
	// A superpacket's checksums are not looked at again: a datagram that was damaged before it was protected would be repaired.
	if !j.trusted {
		if !verify(j.first, j.upper, j.v4, j.tcp) {
			j.closed = true
			return nil
		}
		j.trusted = true
	}
	if !verify(pkt, j.upper, j.v4, j.tcp) {
		return nil
	}
	j.total += n
	j.count++
	j.id = binary.BigEndian.Uint16(pkt[4:]) // of no use in IPv6
	j.seq += uint32(n)
	j.closed = n < j.segment
	if j.tcp && pkt[j.upper+13]&tcpPSH != 0 {
		j.first[j.upper+13] |= tcpPSH
		j.closed = true
	}
	return pkt[j.header:]
}

// alike compares the headers of pkt with the first one's, but for what may differ.
func (j *Join) alike(pkt []byte) bool {
	a, b := j.first[:j.header], pkt[:j.header]
	if j.v4 {
		// All of the header but length, identification and checksum. Identifications that neither rise by one nor are without meaning
		// (don't-fragment, RFC 6864 §4.1) would not come out as they went in.
		if [2]byte(a) != [2]byte(b) || [4]byte(a[6:]) != [4]byte(b[6:]) || [8]byte(a[12:]) != [8]byte(b[12:]) ||
			b[6]&0x40 == 0 && binary.BigEndian.Uint16(b[4:]) != j.id+1 {
			return false
		}
	} else if [4]byte(a) != [4]byte(b) || [34]byte(a[6:]) != [34]byte(b[6:]) {
		return false
	}
	a, b = a[j.upper:], b[j.upper:]
	if [4]byte(a) != [4]byte(b) { // ports
		return false
	}
	if !j.tcp {
		return binary.BigEndian.Uint16(b[6:]) != 0
	}
	return [4]byte(a[8:]) == [4]byte(b[8:]) && a[12] == b[12] && a[13] == b[13]&^tcpPSH && [2]byte(a[14:]) == [2]byte(b[14:]) &&
		[2]byte(a[18:]) == [2]byte(b[18:]) && (len(a) == tcpHeaderLen || bytes.Equal(a[tcpHeaderLen:], b[tcpHeaderLen:]))
}

// verify checks the transport checksum of a whole datagram (RFC 9293 §3.1, RFC 768), and that of an IPv4 header.
func verify(pkt []byte, upper int, v4, tcp bool) bool {
	t := pkt[upper:]
	acc := uint64(len(t))
	if tcp {
		acc += protoTCP
	} else {
		acc += protoUDP
	}
	if v4 {
		addresses := words(pkt[12:20])
		if fold(words(pkt[:12])+addresses) != 0xffff { // Begin has taken none with options
			return false
		}
		acc += addresses
	} else {
		acc = sum(pkt[8:40], acc)
	}
	return fold(sum(t, acc)) == 0xffff
}

// Count is the number of datagrams, 0 before Begin.
func (j *Join) Count() int { return j.count }

// Segment is the payload length of each datagram but the last, in bytes.
func (j *Join) Segment() int { return j.segment }

// Finish makes the first datagram's header that of the superpacket: its lengths become those of the whole. Of a single datagram nothing is changed. The
// transport checksum is left to the device.
func (j *Join) Finish() {
	if j.count < 2 {
		return
	}
	if j.v4 {
		binary.BigEndian.PutUint16(j.first[2:], uint16(j.total))
		clear(j.first[10:12])
		binary.BigEndian.PutUint16(j.first[10:], Checksum(j.first[:ipv4HeaderLen]))
	} else {
		binary.BigEndian.PutUint16(j.first[4:], uint16(j.total-ipv6HeaderLen))
	}
	if !j.tcp {
		binary.BigEndian.PutUint16(j.first[j.upper+4:], uint16(j.total-j.upper))
	}
}
