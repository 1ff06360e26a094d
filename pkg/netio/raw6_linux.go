package netio

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

const ip6HeaderLen = 40

// optFlowInfo is IPV6_FLOWINFO: traffic class and flow label in one control message, left out when both are zero.
const optFlowInfo = 11

// optHdrIncl is IPV6_HDRINCL.
const optHdrIncl = 36

// rawControlRoom holds the control messages of one datagram; extension headers longer than that are not accepted.
const rawControlRoom = 1024

var raw6Options = [][3]int{
	{unix.IPPROTO_IPV6, optHdrIncl, 1},
	{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
	{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
	{unix.IPPROTO_IPV6, optFlowInfo, 1},
	{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPOPTS, 1},
	{unix.IPPROTO_IPV6, unix.IPV6_RECVRTHDR, 1},
	{unix.IPPROTO_IPV6, unix.IPV6_RECVDSTOPTS, 1},
}

// ip6Parts is what the kernel's control messages tell of the headers that it took off.
type ip6Parts struct {
	dst        netip.Addr
	hops       uint8
	flow       uint32
	extensions []byte
	// first is the protocol number of the first extension header; link is where in extensions the next-header octet of the last
	// one lies.
	first uint8
	link  int
}

// rebuild6 puts the IPv6 header and its extension headers back before the payload of slot i, which lies 40 octets behind m.Off.
// The kernel reports extension headers in the order in which they stood (hop-by-hop options, destination options, routing,
// destination options: RFC 8200 §4.1), so that an AH can be checked. A fragment header is not among them: the datagram is whole.
func (c *rawConn) rebuild6(m *Message, i int) bool {
	src := getName(&c.in.names[i]).Addr()
	var room [rawControlRoom]byte
	p := ip6Parts{extensions: room[:0]}
	controls(c.in.controlOf(i), func(level, kind int32, data []byte) {
		if level == unix.IPPROTO_IPV6 {
			p.take(kind, data)
		}
	})
	n, e := int(c.in.hdrs[i].n), len(p.extensions)
	if !p.dst.IsValid() || n+e > 0xffff || m.Off+ip6HeaderLen+e+n > len(m.Buf) {
		return false
	}
	b := m.Buf[m.Off : m.Off+ip6HeaderLen+e+n]
	next := c.proto
	if e > 0 {
		copy(b[ip6HeaderLen+e:], b[ip6HeaderLen:ip6HeaderLen+n])
		p.extensions[p.link] = c.proto
		copy(b[ip6HeaderLen:], p.extensions)
		next = p.first
	}
	putIP6Header(b, p.flow, e+n, next, p.hops, src.WithZone(""), p.dst)
	m.N = len(b)
	m.TOS = uint8(p.flow >> 20)
	m.Remote, m.Local = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(p.dst, 0)
	return true
}

func (p *ip6Parts) take(kind int32, data []byte) {
	switch kind {
	case unix.IPV6_PKTINFO:
		if len(data) >= 16 {
			p.dst = netip.AddrFrom16([16]byte(data[:16]))
		}
	case unix.IPV6_HOPLIMIT:
		if len(data) >= 4 {
			p.hops = uint8(binary.NativeEndian.Uint32(data))
		}
	case optFlowInfo:
		if len(data) >= 4 {
			p.flow = binary.BigEndian.Uint32(data) & 0x0fffffff
		}
	case unix.IPV6_HOPOPTS:
		p.extend(unix.IPPROTO_HOPOPTS, data)
	case unix.IPV6_DSTOPTS:
		p.extend(unix.IPPROTO_DSTOPTS, data)
	case unix.IPV6_RTHDR:
		p.extend(unix.IPPROTO_ROUTING, data)
	}
}

// extend appends one extension header and links it to the one before.
func (p *ip6Parts) extend(proto uint8, data []byte) {
	if len(data) < 8 || len(p.extensions)+len(data) > cap(p.extensions) {
		return
	}
	if len(p.extensions) == 0 {
		p.first = proto
	} else {
		p.extensions[p.link] = proto
	}
	p.link = len(p.extensions)
	p.extensions = append(p.extensions, data...)
}
