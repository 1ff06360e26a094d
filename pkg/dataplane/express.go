package dataplane

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// express is the short way of the packets that follow another of their flow in a batch, if one ESP SA in tunnel mode protects them: all that need be
// looked at is worked out once.
type express struct {
	bundle *Bundle // nil: there is no short way
	esp    *sa.Outbound
	sealer sa.Sealer
	conn   netio.Conn
	remote netip.AddrPort
	hlen   int // of the outer IP header; 0 in UDP
	most   int // bytes of the longest datagram that fits the path
	next   uint8
	tcp    bool
}

// prepare works out the express way for the flow of the packet that was just protected by b.
func (o *outbound) prepare(b *Bundle) {
	f := o.flow
	if b.Mode != suite.Tunnel || b.AH != nil || b.ESP == nil || o.joined || o.header.Key != f.key {
		return
	}
	x := express{bundle: b, esp: b.ESP, sealer: b.ESP.Config().Sealer, next: 4, tcp: f.key.Proto == 6}
	switch {
	case !b.inUDP():
		x.conn, x.hlen = o.p.cfg.IP, ipHeaderLen(b.Outer.Remote.Addr())
		x.remote = netip.AddrPortFrom(b.Outer.Remote.Addr(), 0)
	case b.socket != nil:
		x.conn, x.remote = b.socket.Conn, b.ESP.Remote()
	}
	if x.conn == nil {
		return
	}
	if o.header.Version == 6 {
		x.next = 41
	}
	x.most = b.maxPayload(o.pathMTU(b), x.hlen)
	f.express = x
}

// expressly seals a datagram of the flow in hand; false means that it has to go the long way.
func (o *outbound) expressly(pkt []byte) bool {
	x, h, n := &o.flow.express, &o.header, len(pkt)
	if n > x.most || x.bundle != o.checked || x.tcp && n > h.UpperOffset+13 && pkt[h.UpperOffset+13]&tcpSYN != 0 {
		return false
	}
	total := x.hlen + x.sealer.SealedLen(n)
	buf := o.room(total)
	tos := packet.EncapsulateTOS(h.TOS)
	if x.hlen > 0 {
		outer := packet.Outer{Src: x.bundle.Outer.Local.Addr(), Dst: x.remote.Addr(), Proto: uint8(suite.ESP), TOS: tos, TTL: 64, DF: o.df(x.bundle), ID: o.id()}
		outer.Put(buf, total)
	}
	o.lock(x.esp)
	if x.esp.SealFrom(buf, x.hlen, pkt, n, x.next) != nil {
		o.unlock()
		o.limit(x.bundle)
		return true
	}
	o.used += total
	if x.hlen == 0 && o.extend(buf, tos) {
		return true
	}
	m := netio.Message{Buf: buf, N: total, Remote: x.remote, Local: x.bundle.Outer.Local, TOS: tos}
	if x.hlen > 0 {
		m.Local = netip.AddrPortFrom(m.Local.Addr(), 0)
	} else {
		m.Fragment = x.bundle.mayFragment()
	}
	o.msgs = append(o.msgs, route{conn: x.conn, packets: 1, kind: &countSealed, bundle: x.bundle, Message: m})
	return true
}

// tcpSYN is the flag in octet 13 of a TCP header.
const tcpSYN = 0x02

// extend makes buf, which follows in the arena, one more segment of the last message, if that is the same bundle's. A shorter segment ends a run.
func (o *outbound) extend(buf []byte, tos uint8) bool {
	if len(o.msgs) == 0 {
		return false
	}
	m := &o.msgs[len(o.msgs)-1]
	if m.bundle != o.flow.bundle || m.TOS != tos || m.packets >= maxSegments || m.N+len(buf) > maxRun {
		return false
	}
	if m.Segment == 0 {
		m.Segment = m.N
	}
	if len(buf) > m.Segment || m.N != m.packets*m.Segment {
		return false
	}
	m.N += len(buf)
	m.Buf = o.arena[o.used-m.N : o.used : o.used]
	m.packets++
	return true
}

// lock takes an SA for a run, and gives back the one before.
func (o *outbound) lock(s *sa.Outbound) {
	if o.locked != s {
		o.unlock()
		s.Lock()
		o.locked = s
	}
}

// unlock ends the run in hand, if there is one.
func (o *outbound) unlock() {
	if o.locked != nil {
		o.locked.Unlock()
		o.locked = nil
	}
}
