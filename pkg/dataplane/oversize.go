package dataplane

import (
	"encoding/binary"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// minMTU6 is what every IPv6 path carries (RFC 8200 §5).
const minMTU6 = 1280

// oversize deals with a datagram that is too big for the path when it is sealed (RFC 4301 §8.2): one that must not be fragmented is answered with
// ICMP; an IPv4 one in tunnel mode is fragmented before it is sealed, so that the peer need not reassemble; in transport mode, which protects
// whole datagrams only, the sealed one is fragmented. So is an IPv6 one of no more than 1280 bytes, which its source may take to fit everywhere
// (RFC 2473 §7.1), and whatever goes into a tunnel whose outer header is to say that it may be fragmented.
func (o *outbound) oversize(f *plan, pkt []byte, mtu int) {
	h, inner := &o.header, o.innerMTU(f.b, pkt)
	switch {
	case h.DF && (f.b.mayFragment() || h.Version == 6 && len(pkt) <= minMTU6):
		o.fragmentAfter(f, pkt, mtu)
	case h.DF && !o.joined:
		o.tooBig(pkt, inner)
	case f.b.Mode == suite.Tunnel:
		o.fragmentBefore(f.b, pkt, inner)
	default:
		o.fragmentAfter(f, pkt, mtu)
	}
}

// tooBig writes the ICMP error to the TUN device and counts the packet.
func (o *outbound) tooBig(pkt []byte, mtu int) {
	o.p.count.add(Oversize)
	msg := packet.TooBig(o.icmp[tun.Headroom:], pkt, &o.header, mtu)
	if msg == nil {
		return
	}
	if _, err := o.p.cfg.TUN.Write([][]byte{o.icmp[:tun.Headroom+len(msg)]}, tun.Headroom); err == nil {
		o.p.count.Replies.Add(1)
	}
}

func (o *outbound) fragmentBefore(b *Bundle, pkt []byte, mtu int) {
	frags, err := packet.Fragments(nil, pkt, &o.header, mtu, o.p.nextID.Add(1))
	if err != nil {
		o.p.count.add(Oversize)
		return
	}
	whole := o.header
	o.p.count.Split.Add(uint64(len(frags) - 1))
	for _, frag := range frags {
		if o.header.Parse(frag) != nil {
			o.p.count.add(Malformed)
			continue
		}
		if f, ok := o.plan(b, frag); ok {
			o.seal(&f, frag)
		}
	}
	o.header = whole
}

// fragmentAfter seals the whole datagram and sends it in outer fragments by the raw socket, behind a UDP header of our own where the SA wants one.
func (o *outbound) fragmentAfter(f *plan, pkt []byte, mtu int) {
	if o.p.cfg.IP == nil {
		o.p.count.add(NoPath)
		return
	}
	ip := 0
	if f.b.inUDP() {
		ip = ipHeaderLen(f.b.Outer.Remote.Addr()) + udpHeader
	}
	if f.total+ip > 65535 {
		o.p.count.add(Oversize)
		return
	}
	buf := make([]byte, f.total+ip)
	if !o.fill(buf[ip:], f, pkt) {
		return
	}
	if ip > 0 {
		o.wrapUDP(buf, f)
	}
	packet.ClearDF(buf) // AH does not cover the flags
	var h packet.Header
	if h.Parse(buf) != nil {
		o.p.count.add(UnfitTransform)
		return
	}
	frags, err := packet.Fragments(nil, buf, &h, mtu, uint32(o.id()))
	if err != nil {
		o.p.count.add(Oversize)
		return
	}
	o.copyFragments(frags, h.Key.Dst, &countSealed)
}

// copyFragments queues the fragments of one packet; it counts as one, with the first.
func (o *outbound) copyFragments(frags [][]byte, to netip.Addr, kind *countKind) {
	for i, frag := range frags {
		packets := 0
		if i == 0 {
			packets = 1
		}
		room := o.room(len(frag))
		copy(room, frag)
		o.used += len(frag)
		o.msgs = append(o.msgs, route{conn: o.p.cfg.IP, packets: packets, kind: kind, cut: true,
			Message: netio.Message{Buf: room, N: len(frag), Remote: netip.AddrPortFrom(to, 0)}})
	}
}

// wrapUDP writes the outer IP and UDP headers in front of an ESP packet. The UDP checksum is zero in IPv4 (RFC 3948 §2.1) and computed in IPv6.
func (o *outbound) wrapUDP(buf []byte, f *plan) {
	local, remote := f.b.Outer.Local, f.b.outermost().Remote()
	outer := packet.Outer{Src: local.Addr(), Dst: remote.Addr(), Proto: 17, TOS: f.tos, TTL: 64, ID: o.id()}
	outer.Put(buf, len(buf))
	udp := buf[ipHeaderLen(remote.Addr()):]
	binary.BigEndian.PutUint16(udp, local.Port())
	binary.BigEndian.PutUint16(udp[2:], remote.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.BigEndian.PutUint16(udp[6:], 0)
	if remote.Addr().Is6() {
		var h packet.Header
		if h.Parse(buf) == nil {
			packet.FixTransportChecksum(buf, &h)
		}
	}
}
