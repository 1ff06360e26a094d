package dataplane

import (
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// stripped is an authenticated packet before its inside is believed. All offsets are into buf.
type stripped struct {
	buf        []byte
	off, hlen  int // the packet, and the length of the IP header in front of ESP or AH
	payload, n int // what ESP or AH protected
	next       uint8
	sa         *sa.Inbound
	tos        uint8 // outer DSCP and ECN
}

// strip takes the inner packet out and delivers it if it is one that this SA may carry.
func (in *inbound) strip(s *stripped) {
	cfg := s.sa.Config()
	switch {
	case s.next == 59:
		in.p.count.add(Dummy)
	case cfg.Bundled && s.next == uint8(suite.ESP):
		in.unwrapAH(s)
	case cfg.Bundled: // the policy wants it encrypted too
		in.p.count.add(WrongWrapping)
	case cfg.Mode == suite.Tunnel:
		in.tunnel(s)
	default:
		in.transport(s)
	}
}

// unwrapAH moves the IP header onto the ESP packet that AH covered and opens that.
func (in *inbound) unwrapAH(s *stripped) {
	off := s.payload - s.hlen
	in.moveHeader(s, off)
	if in.header.Parse(s.buf[off:s.payload+s.n]) != nil {
		in.p.count.add(InnerMalformed)
		return
	}
	in.open(s.buf, off, s.hlen+s.n, s.hlen, suite.ESP, s.sa)
}

// moveHeader copies the IP header to directly before the payload and makes it name the payload.
func (in *inbound) moveHeader(s *stripped, off int) {
	h := &in.header
	copy(s.buf[off:off+s.hlen], s.buf[s.off:s.off+s.hlen])
	packet.SetNextHeader(s.buf[off:off+s.hlen], h, s.next)
	packet.SetTotalLen(s.buf[off:off+s.hlen], s.hlen+s.n)
}

// tunnel admits IPv4 (4) and IPv6 (41) only, each as what it says (D2).
func (in *inbound) tunnel(s *stripped) {
	version := uint8(4)
	switch s.next {
	case 4:
	case 41:
		version = 6
	default:
		in.p.count.add(NextHeader)
		return
	}
	inner := s.buf[s.payload : s.payload+s.n]
	if in.before == (before{s.sa, s.tos, s.next}) && in.follow(inner) {
		in.opened++
		return
	}
	if in.header.Parse(inner) != nil || in.header.Version != version {
		in.p.count.add(InnerMalformed)
		return
	}
	inner = inner[:in.header.TotalLen] // what follows is traffic flow confidentiality padding (RFC 4303 §2.7)
	if !in.fits(s.sa) {
		return
	}
	tos, drop := packet.DecapsulateTOS(in.header.TOS, s.tos)
	if drop {
		in.p.count.add(ECNViolation)
		return
	}
	if tos != in.header.TOS {
		packet.SetTOS(inner, tos)
	}
	in.deliver(s.buf, s.payload, len(inner))
	in.before = before{s.sa, s.tos, s.next}
}

// transport rebuilds the datagram: its own header, or one made from the SA's addresses where UDP took its place.
func (in *inbound) transport(s *stripped) {
	off := s.payload - s.hlen
	if s.hlen > 0 {
		in.moveHeader(s, off)
	} else {
		off = in.makeHeader(s)
	}
	pkt := s.buf[off : s.payload+s.n]
	if in.header.Parse(pkt) != nil || in.header.TotalLen != len(pkt) {
		in.p.count.add(InnerMalformed)
		return
	}
	// A chain that goes on behind ESP (destination options) is fine; another fragment header or a tunnel is not what transport mode carries.
	if in.header.Key.Flags&packet.Fragment != 0 || s.next == 4 || s.next == 41 || s.next == 0 || s.next == 43 || s.next == 44 {
		in.p.count.add(NextHeader)
		return
	}
	if s.hlen == 0 {
		// A NAT has changed addresses that the transport checksum covers (RFC 3948 §3.1.2). The packet is authenticated, so computing the checksum anew
		// hides no corruption.
		packet.FixTransportChecksum(pkt, &in.header)
	}
	if !in.fits(s.sa) {
		return
	}
	in.deliver(s.buf, off, len(pkt))
}

// makeHeader writes an IP header from the SA's addresses in front of the payload and returns where it begins. Only the first datagram of a run has room
// for that: in front of the others lies the end of one that waits to be delivered, so that they are copied to where there is room.
func (in *inbound) makeHeader(s *stripped) int {
	cfg := s.sa.Config()
	if s.off != in.msg.Off {
		buf := in.room(headroom + s.n)
		copy(buf[headroom:], s.buf[s.payload:s.payload+s.n])
		s.buf, s.payload = buf, headroom
	}
	outer := packet.Outer{Src: cfg.Remote.Addr(), Dst: cfg.Local.Addr(), Proto: s.next, TOS: s.tos, TTL: 64, DF: true}
	off := s.payload - outer.Len()
	outer.Put(s.buf[off:], outer.Len()+s.n)
	return off
}

const spareSize = 1 << 17

// room cuts n bytes off the spare memory. What was cut before stays with those that hold it.
func (in *inbound) room(n int) []byte {
	if len(in.spare) < n {
		in.spare = make([]byte, max(n, spareSize))
	}
	buf := in.spare[:n:n]
	in.spare = in.spare[n:]
	return buf
}

// fits checks the packet whose header is parsed against the SA's own selectors, never another's (D9). A fragment whose ports cannot be seen fits only
// an SA for all ports. A packet on its way to an intermediate address does not show where it goes in the end, and so cannot be judged.
func (in *inbound) fits(s *sa.Inbound) bool {
	if in.header.SourceRouted {
		in.p.count.add(SourceRouted)
		return false
	}
	if s == in.lastSA && in.header.Key == in.lastFit {
		return true
	}
	if s.Fits(&in.header.Key) {
		in.lastSA, in.lastFit = s, in.header.Key
		return true
	}
	in.p.count.add(SelectorMismatch)
	return false
}
