package dataplane

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

const udpHeader = 8

// plan says how one packet is framed: what precedes ESP or AH, what they protect, and how long the result is.
type plan struct {
	b *Bundle
	// hlen is the IP header (with what precedes ESP or AH) of the finished packet; 0 in UDP, where the system writes it.
	hlen int
	// payload is what is protected and next its protocol.
	payload []byte
	next    uint8
	// total is the finished packet's length with hlen but without UDP and the system's IP header.
	total int
	tos   uint8
	// nextAt is where the header octet lies that will name ESP or AH (transport mode).
	nextAt int
}

func (b *Bundle) inUDP() bool { return b.Outer.Remote.Port() != 0 }

// wire is the length on the wire of a packet of total bytes under b.
func (b *Bundle) wire(total int) int {
	if !b.inUDP() {
		return total
	}
	return total + udpHeader + ipHeaderLen(b.Outer.Remote.Addr())
}

func ipHeaderLen(a netip.Addr) int {
	if a.Is4() {
		return 20
	}
	return 40
}

// sealed is the length of the ESP and AH parts together for a payload of n bytes.
func (b *Bundle) sealed(n int) int {
	if b.ESP != nil {
		n = b.ESP.Config().Sealer.SealedLen(n)
	}
	if b.AH != nil {
		n = b.AH.Config().Sealer.SealedLen(n)
	}
	return n
}

// maxPayload is the longest payload that fits a path of mtu bytes behind hlen bytes of header.
func (b *Bundle) maxPayload(mtu, hlen int) int {
	room := mtu - (b.wire(hlen))
	if b.AH != nil {
		room = b.AH.Config().Sealer.MaxPayload(room)
	}
	if b.ESP != nil {
		room = b.ESP.Config().Sealer.MaxPayload(room)
	}
	return room
}

// pathMTU is what the outer path carries now.
func (o *outbound) pathMTU(b *Bundle) int {
	if m := b.outermost().PMTU(o.now); m > 0 && m < int(b.MTU) {
		return m
	}
	return int(b.MTU)
}

// plan frames pkt for b. ok is false, counted, if b cannot carry it.
func (o *outbound) plan(b *Bundle, pkt []byte) (f plan, ok bool) {
	h := &o.header
	f = plan{b: b, tos: h.TOS}
	if b.Mode == suite.Tunnel {
		f.payload, f.next = pkt, 4
		if h.Version == 6 {
			f.next = 41
		}
		f.tos = packet.EncapsulateTOS(h.TOS)
		if !b.inUDP() {
			f.hlen = ipHeaderLen(b.Outer.Remote.Addr())
		}
	} else {
		at, nextAt := packet.InsertOffset(pkt, h)
		f.payload, f.next, f.nextAt = pkt[at:], pkt[nextAt], nextAt
		if !b.inUDP() {
			f.hlen = at
		} else if at != ipHeaderLen(h.Key.Src) {
			// The system writes the outer header of a UDP datagram: options and extension headers have no place in it.
			o.p.count.add(UnfitTransform)
			return f, false
		}
	}
	f.total = f.hlen + b.sealed(len(f.payload))
	return f, true
}

// protect frames, seals and queues one whole datagram, or answers that it is too big, or sends it in fragments.
func (o *outbound) protect(b *Bundle, pkt []byte) {
	o.clamp(b, pkt)
	f, ok := o.plan(b, pkt)
	if !ok {
		return
	}
	if mtu := o.pathMTU(b); b.wire(f.total) > mtu {
		o.oversize(&f, pkt, mtu)
		return
	}
	o.seal(&f, pkt)
}

// clamp lowers the MSS of a TCP SYN to what the path carries.
func (o *outbound) clamp(b *Bundle, pkt []byte) {
	if h := &o.header; syn(pkt, h) {
		packet.ClampMSS(pkt, h, o.innerMTU(b, pkt)-ipHeaderLen(h.Key.Src)-20)
	}
}

// syn reports whether pkt, whose header is h, begins a TCP connection.
func syn(pkt []byte, h *packet.Header) bool {
	const flags, bit = 13, 0x02 // RFC 9293 §3.1
	return h.Key.Proto == 6 && h.Key.Flags&packet.PortsKnown != 0 && len(pkt) > h.UpperOffset+flags && pkt[h.UpperOffset+flags]&bit != 0
}

// innerMTU is the largest inner datagram with the headers of pkt that b carries whole.
func (o *outbound) innerMTU(b *Bundle, pkt []byte) int {
	mtu := o.pathMTU(b)
	if b.Mode == suite.Tunnel {
		hlen := 0
		if !b.inUDP() {
			hlen = ipHeaderLen(b.Outer.Remote.Addr())
		}
		return b.maxPayload(mtu, hlen)
	}
	at, _ := packet.InsertOffset(pkt, &o.header)
	if b.inUDP() {
		return b.maxPayload(mtu, 0) + at
	}
	return b.maxPayload(mtu, at) + at
}

// seal writes the finished packet into the arena and queues it.
func (o *outbound) seal(f *plan, pkt []byte) {
	b := f.b
	if b.inUDP() && b.socket == nil || !b.inUDP() && o.p.sealed() == nil {
		o.p.count.add(NoPath)
		return
	}
	buf := o.room(f.total)
	if !o.fill(buf, f, pkt) {
		return
	}
	o.queue(buf, f)
}

// fill frames and seals into buf, which is f.total bytes long.
func (o *outbound) fill(buf []byte, f *plan, pkt []byte) bool {
	b := f.b
	if !o.usable(b) {
		return false
	}
	o.unlock()
	o.writeHeader(buf, f, pkt)
	at, n, next := f.hlen, len(f.payload), f.next
	ah := 0
	if b.AH != nil {
		ah = b.AH.Config().Sealer.Head()
	}
	if b.ESP != nil {
		b.ESP.Lock()
		err := b.ESP.SealFrom(buf[:at+ah+b.ESP.Config().Sealer.SealedLen(n)], at+ah, f.payload, n, next)
		b.ESP.Unlock()
		if err != nil {
			return o.limit(b)
		}
		n, next = b.ESP.Config().Sealer.SealedLen(n), 50
	} else {
		copy(buf[at+ah:], f.payload)
	}
	if b.AH != nil {
		b.AH.Lock()
		err := b.AH.Seal(buf[:f.total], at, n, next)
		b.AH.Unlock()
		if err != nil {
			return o.limit(b)
		}
	}
	return true
}

// writeHeader writes the IP header of a raw packet: a new one in tunnel mode, the packet's own in transport mode.
func (o *outbound) writeHeader(buf []byte, f *plan, pkt []byte) {
	if f.hlen == 0 {
		return
	}
	b, h := f.b, &o.header
	proto := uint8(suite.ESP)
	if b.AH != nil {
		proto = uint8(suite.AH)
	}
	if b.Mode == suite.Tunnel {
		outer := packet.Outer{Src: b.Outer.Local.Addr(), Dst: b.Outer.Remote.Addr(), Proto: proto, TOS: f.tos, TTL: 64, DF: o.df(b), ID: o.id()}
		outer.Put(buf, f.total)
		return
	}
	copy(buf, pkt[:f.hlen])
	at := packet.Header{NextHeaderOffset: f.nextAt}
	packet.SetNextHeader(buf[:f.hlen], &at, proto)
	if h.Version == 4 && !h.DF && h.ID == 0 {
		// The system would put a number of its own in place of 0, behind AH's back.
		packet.SetID(buf[:f.hlen], o.id())
	}
	packet.SetTotalLen(buf[:f.hlen], f.total)
}

// mayFragment reports whether the administrator wants the outer datagrams of a tunnel without the don't-fragment flag (RFC 4301 §8.1, "clear").
// Deviation: in UDP the flag is set unless it is cleared so, even where the inner one is not: the path's MTU is learned either way.
func (b *Bundle) mayFragment() bool {
	return b.DF == ClearDF && b.Mode == suite.Tunnel && b.Outer.Remote.Addr().Is4()
}

// df is the outer don't-fragment flag for the packet whose header is parsed.
func (o *outbound) df(b *Bundle) bool {
	switch b.DF {
	case SetDF:
		return true
	case ClearDF:
		return false
	}
	return o.header.DF
}

// id returns an identification that is never 0.
func (o *outbound) id() uint16 {
	for {
		if id := uint16(o.p.nextID.Add(1)); id != 0 {
			return id
		}
	}
}

// limit counts a packet that the SA would not seal and says so to the owner, once a batch: an event for each packet of a flood would leave no room for others.
func (o *outbound) limit(b *Bundle) bool {
	o.p.count.add(OutboundLimit)
	if o.over != b {
		o.over = b
		o.p.tell(Event{Kind: Expired, Child: b.Child})
	}
	return false
}

// usable looks at the limits of every SA of b before a packet is sealed: the host may have slept since the last one. An SA past a hard limit carries
// nothing more; the owner is told once that one has reached a soft limit.
func (o *outbound) usable(b *Bundle) bool {
	if b == o.checked {
		return true // the time of a batch is one, and bytes and packets past a hard limit are refused by the SA itself
	}
	state := sa.Live
	for _, out := range [...]*sa.Outbound{b.ESP, b.AH} {
		if out != nil {
			state = max(state, out.Check(o.now))
		}
	}
	if state == sa.Hard {
		return o.limit(b)
	}
	if out := b.outermost(); state == sa.Soft && out.SoftOnce() && !o.p.tell(Event{Kind: Expiring, Child: b.Child}) {
		out.Rearm()
	}
	if b.shared {
		o.share()
	}
	o.checked = b
	return true
}

// queue appends the finished packet to the messages, to the last run if it fits there.
func (o *outbound) queue(buf []byte, f *plan) {
	o.used += len(buf)
	b := f.b
	if !b.inUDP() {
		o.msgs = append(o.msgs, route{conn: o.p.sealed(), packets: 1, kind: &countSealed, Message: netio.Message{Buf: buf, N: len(buf),
			Remote: netip.AddrPortFrom(b.Outer.Remote.Addr(), 0), Local: netip.AddrPortFrom(b.Outer.Local.Addr(), 0), TOS: f.tos}})
		return
	}
	if o.joinRun(buf, f) {
		return
	}
	o.msgs = append(o.msgs, route{conn: b.socket.esp(o.n), packets: 1, kind: &countSealed, bundle: b,
		Message: netio.Message{Buf: buf, N: len(buf), Remote: b.outermost().Remote(), Local: b.Outer.Local, TOS: f.tos, Fragment: b.mayFragment()}})
}

// joinRun makes buf one more segment of the last message, if that goes the same way.
func (o *outbound) joinRun(buf []byte, f *plan) bool {
	if len(o.msgs) == 0 {
		return false
	}
	m := &o.msgs[len(o.msgs)-1]
	if m.conn != f.b.socket.esp(o.n) || m.Remote != f.b.outermost().Remote() || m.Local != f.b.Outer.Local || m.TOS != f.tos || m.Fragment != f.b.mayFragment() {
		return false
	}
	return o.segment(m, buf)
}

// segment makes buf, the last that was put into the arena, one more segment of a message that lies before it. A shorter segment ends a run.
func (o *outbound) segment(m *route, buf []byte) bool {
	segment := m.Segment
	if segment == 0 {
		segment = m.N
	}
	start := o.used - len(buf) - m.N
	if len(buf) > segment || m.N != m.packets*segment || m.N+len(buf) > MaxRun || m.packets >= maxSegments || start < 0 || &o.arena[start] != &m.Buf[0] {
		return false
	}
	m.Buf = o.arena[start:o.used:o.used]
	m.N, m.Segment = len(m.Buf), segment
	m.packets++
	return true
}
