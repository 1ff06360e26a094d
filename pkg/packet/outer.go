package packet

import (
	"encoding/binary"
	"net/netip"
)

// Outer is the IP header that a tunnel puts before a datagram, or a transport-mode ESP or AH packet that is built anew.
// Src and Dst are of one family; they choose the version. It has no options and no extension headers.
type Outer struct {
	Src, Dst  netip.Addr
	Proto     uint8
	TOS, TTL  uint8
	DF        bool   // IPv4 only
	ID        uint16 // IPv4 only
	FlowLabel uint32 // IPv6 only, 20 bits
}

// Len is the number of bytes that Put writes: 20 or 40.
func (o *Outer) Len() int {
	if o.Dst.Is4() {
		return ipv4HeaderLen
	}
	return ipv6HeaderLen
}

// Put writes the header to b, for a datagram of total bytes, header included (at most 65535). An IPv4 header gets its checksum.
// b must hold Len bytes.
func (o *Outer) Put(b []byte, total int) {
	if o.Dst.Is4() {
		o.put4(b[:ipv4HeaderLen], total)
		return
	}
	b = b[:ipv6HeaderLen]
	binary.BigEndian.PutUint32(b, 6<<28|uint32(o.TOS)<<20|o.FlowLabel&0xfffff)
	binary.BigEndian.PutUint16(b[4:], uint16(total-ipv6HeaderLen))
	b[6], b[7] = o.Proto, o.TTL
	src, dst := o.Src.As16(), o.Dst.As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
}

func (o *Outer) put4(b []byte, total int) {
	b[0], b[1] = 0x45, o.TOS
	binary.BigEndian.PutUint16(b[2:], uint16(total))
	binary.BigEndian.PutUint16(b[4:], o.ID)
	b[6], b[7] = 0, 0
	if o.DF {
		b[6] = 0x40
	}
	b[8], b[9] = o.TTL, o.Proto
	src, dst := o.Src.As4(), o.Dst.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	putHeaderChecksum(b)
}

// putHeaderChecksum computes the checksum of an IPv4 header anew; b is exactly the header.
func putHeaderChecksum(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], Checksum(b))
}
