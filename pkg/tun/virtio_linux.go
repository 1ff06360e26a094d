package tun

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
)

// vnetLen is the length in octets of struct virtio_net_hdr, which stands before every packet of the device: flags, kind of superpacket, length of
// the headers (8, 8 and 16 bits), octets a segment, where the checksum begins and where behind that it stands (16 bits each), in the machine's byte order.
const vnetLen = 10

// Errors of single packets.
var (
	errCut      = fmt.Errorf("%w that is longer than the buffer for it", ErrPacket)
	errSilly    = fmt.Errorf("%w whose offload header contradicts it", ErrPacket)
	errNotSuper = errors.New("a superpacket is TCP or UDP in one IP datagram, and its lengths are those of the whole")
)

const (
	protoTCP = unix.IPPROTO_TCP
	protoUDP = unix.IPPROTO_UDP
)

// received makes a Packet of the n octets that the kernel put into p.Buf from p.Off-vnetLen on. Nothing of the offload header is believed that the
// packet does not bear out; its header length is not looked at, because on forwarded packets it is the length of all.
func (p *Packet) received(n int) error {
	h, b := p.Buf[p.Off-vnetLen:p.Off], p.Buf[p.Off:]
	if n == vnetLen+len(b) && len(b) < MaxDatagram {
		return errCut // the kernel does not say by how much
	}
	if n <= vnetLen {
		return errSilly
	}
	b = b[:n-vnetLen]
	p.N, p.Segment, p.More, p.Failed, p.Lost = len(b), 0, nil, false, 0
	kind := h[1] &^ unix.VIRTIO_NET_HDR_GSO_ECN
	partial := h[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0
	start, field := int(binary.NativeEndian.Uint16(h[6:])), int(binary.NativeEndian.Uint16(h[8:]))
	if kind == unix.VIRTIO_NET_HDR_GSO_NONE {
		if partial && !finish(b, start, field) {
			return errSilly
		}
		return nil
	}
	l, ok := layoutOf(b, len(b))
	segment := int(binary.NativeEndian.Uint16(h[4:]))
	if !ok || kind != l.kind() || segment == 0 || partial && (start != l.transport || field != l.field()) {
		return errSilly
	}
	if len(b)-l.payload > segment {
		p.Segment = segment
	} else if partial {
		finish(b, start, field)
	}
	return nil
}

// finish computes a checksum that the kernel began: the field holds the sum of the pseudo header. It reports whether all lies within b.
func finish(b []byte, start, field int) bool {
	at := start + field
	if start >= len(b) || at+2 > len(b) {
		return false
	}
	c := packet.Checksum(b[start:])
	if c == 0 {
		c = 0xffff // the same number, but in UDP a zero would mean that there is none
	}
	binary.BigEndian.PutUint16(b[at:], c)
	return true
}

// layout says where in an IP datagram what lies.
type layout struct {
	v6                 bool
	proto              uint8
	transport, payload int // offsets of the transport header and of what follows it
}

// layoutOf looks at a TCP or UDP datagram that begins with b and has total octets. It reports false for anything else, for fragments, and if total is not
// what the header says.
func layoutOf(b []byte, total int) (l layout, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		l.transport, l.proto = int(b[0]&15)*4, b[9]
		whole := binary.BigEndian.Uint16(b[6:])&0x3fff == 0 // neither offset nor more fragments
		ok = l.transport >= 20 && whole && int(binary.BigEndian.Uint16(b[2:])) == total
	case len(b) >= 40 && b[0]>>4 == 6:
		l.v6 = true
		l.transport, l.proto = 40, b[6]
		for l.proto == unix.IPPROTO_HOPOPTS || l.proto == unix.IPPROTO_ROUTING || l.proto == unix.IPPROTO_DSTOPTS {
			if len(b) < l.transport+8 {
				return l, false
			}
			l.proto, l.transport = b[l.transport], l.transport+8*(int(b[l.transport+1])+1)
		}
		ok = 40+int(binary.BigEndian.Uint16(b[4:])) == total
	}
	if !ok {
		return l, false
	}
	switch {
	case l.proto == protoTCP && len(b) >= l.transport+20:
		n := int(b[l.transport+12]>>4) * 4
		l.payload = l.transport + n
		ok = n >= 20
	case l.proto == protoUDP && len(b) >= l.transport+8:
		l.payload = l.transport + 8
		ok = int(binary.BigEndian.Uint16(b[l.transport+4:])) == total-l.transport
	default:
		ok = false
	}
	return l, ok && l.payload <= len(b)
}

// kind is the offload header's name for superpackets of this protocol.
func (l *layout) kind() uint8 {
	switch {
	case l.proto == protoUDP:
		return unix.VIRTIO_NET_HDR_GSO_UDP_L4
	case l.v6:
		return unix.VIRTIO_NET_HDR_GSO_TCPV6
	}
	return unix.VIRTIO_NET_HDR_GSO_TCPV4
}

// field is the offset of the checksum in the transport header.
func (l *layout) field() int {
	if l.proto == protoUDP {
		return 6
	}
	return 16
}

// ordinary writes the offload header of a datagram that is complete.
func (p *Packet) ordinary() { clear(p.Buf[p.Off-vnetLen : p.Off]) }

// super writes the offload header of a superpacket, and into the packet what the kernel expects: the IPv4 header checksum, and the sum of the pseudo
// header where the transport checksum belongs.
func (p *Packet) super() error {
	b, total := p.Bytes(), p.N
	for _, m := range p.More {
		total += len(m)
	}
	l, ok := layoutOf(b, total)
	if !ok || p.Segment > 0xffff {
		return errNotSuper
	}
	h := p.Buf[p.Off-vnetLen : p.Off]
	h[0], h[1] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, l.kind()
	if l.proto == protoTCP && b[l.transport+13]&flagCWR != 0 {
		h[1] |= unix.VIRTIO_NET_HDR_GSO_ECN
	}
	binary.NativeEndian.PutUint16(h[2:], uint16(l.payload))
	binary.NativeEndian.PutUint16(h[4:], uint16(p.Segment))
	binary.NativeEndian.PutUint16(h[6:], uint16(l.transport))
	binary.NativeEndian.PutUint16(h[8:], uint16(l.field()))
	addresses := b[8:40]
	if !l.v6 {
		addresses = b[12:20]
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], packet.Checksum(b[:l.transport]))
	}
	pseudo := uint32(^packet.Checksum(addresses)) + uint32(l.proto) + uint32(total-l.transport)
	pseudo = pseudo>>16 + pseudo&0xffff
	pseudo = pseudo>>16 + pseudo&0xffff
	binary.BigEndian.PutUint16(b[l.transport+l.field():], uint16(pseudo))
	return nil
}

// flagCWR is the bit of TCP's flags that a sender sets once after it was told of congestion (RFC 3168 §6.1.2).
const flagCWR = 0x80
