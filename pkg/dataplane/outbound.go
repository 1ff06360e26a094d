package dataplane

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// The path of a packet on its way out, in one goroutine:
//
//  1. readTUN reads a batch. A superpacket is cut into its datagrams, each in place and only when its turn comes.
//  2. lookAhead (ahead.go), where there are many filters or SAs, looks the flows of the batch up together and asks for the memory that they need.
//  3. packet parses a datagram once. If it is of the flow of the one before it, steps 4 to 6 are a size to look at and a seal; behind another of its
//     superpacket it is not even parsed.
//  4. Fragments are put together: policy and transport mode apply to whole datagrams.
//  5. route looks the filter up, if step 2 has not. block drops it, permit sends it unchanged past the TUN, negotiate takes the entry's bundle, or its soft SA (soft.go),
//     or holds it (hold.go).
//  6. protect (frame.go) frames and seals it, from where it was read into the arena; equal datagrams to one peer become one segmented send.
//  7. flush hands the messages to the sockets.

const (
	// tunBatch is how many packets are read at once at most.
	tunBatch = 128
	// readSlack keeps read buffers, which begin alike, from falling into the same few sets of the caches, and is room for ESP's trailer.
	readSlack = 1088
	// arenaSize holds the sealed packets of one batch; a full arena is flushed in between.
	arenaSize = 1 << 18
	// maxSegments is how many datagrams the kernel takes in a segmented send.
	maxSegments = 64
	// MaxRun is how many bytes the datagrams of a segmented send may have together.
	MaxRun = 65000
)

// outbound is the state of one goroutine that sends.
type outbound struct {
	p *Plane
	n int // the number of its queue
	// sending is held for a batch, from the first look-up until the last packet is sent, and by whoever installs an SA until what waited for it is
	// sent. Whoever sealed and then had to wait, while the other went on, would find its packets out of order, or left of the peer's replay window.
	sending sync.Mutex
	sharing bool // p.sharing is ours

	now    time.Time
	header packet.Header
	arena  []byte
	used   int
	msgs   []route
	out    []netio.Message
	taken  uint64 // packets read in this batch, not counted yet
	joined bool   // the packet in hand was put together from fragments: its source lets it be fragmented
	icmp   [1280 + tun.Headroom]byte

	origin origin

	snap    *snapshot
	flows   [flowSlots]flow
	flow    *flow // that of the packet in hand
	ahead   ahead
	batches uint64 // begun; what a slot knows from another batch is forgotten
	super   packet.Super
	checked *Bundle      // its limits were looked at in this batch
	over    *Bundle      // the owner was told in this batch that it is used up
	locked  *sa.Outbound // the SA of the run in hand: its lock is ours until another's packet comes, or flush
}

// flow is what a batch has learnt of the packets with one key.
type flow struct {
	key   packet.Key
	batch uint64 // in which it was learnt
	entry *entry
	express
}

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
}

// flowSlots is how many flows a batch remembers. Each has two places; if other flows of the batch have both, they take turns.
const flowSlots = 1 << flowBits

const flowBits = 9

// slot picks the flow of a packet.
func (o *outbound) slot(pkt []byte) *flow {
	at := hash(pkt, &o.header) >> (64 - flowBits)
	if f := &o.flows[at]; f.batch != o.batches || f.key == o.header.Key {
		return f
	}
	return &o.flows[at^1]
}

// route is a message and the socket that it leaves by.
type route struct {
	netio.Message
	conn    netio.Conn
	packets int
	kind    *countKind
	bundle  *Bundle // what protects it, if it goes in UDP
	joined  bool    // it was put together from fragments
	cut     bool    // it is a fragment of our making
}

// countKind says which counter a message's packets go to once it is sent.
type countKind uint8

var countSealed, countPermitted, countSoft countKind = 0, 1, 2

func (o *outbound) init(p *Plane) {
	o.p = p
	o.arena = make([]byte, arenaSize)
}

// begin starts a batch.
func (o *outbound) begin() {
	o.now = o.p.cfg.Clock()
	o.snap = o.p.snapshot.Load()
	o.batches++
	o.flow, o.checked, o.over = nil, nil, nil
}

// readTUN reads the device until it is closed. An error that is not the device's end is counted and read over (F9).
func (p *Plane) readTUN(o *outbound) error {
	device, packets := p.queueOf(o.n), readPackets()
	var stint Stint
	worked := func(n int) Batch { // off, a batch of n
		o.batch(packets[:n])
		return Batch{N: n, Single: n == 1 && packets[0].Segment == 0, Now: o.now}
	}
	turn := p.duty(o.n).Join(device, true, func() (b Batch, err error) {
		n, err := device.(tun.PolledDevice).TryReadPackets(packets)
		if n > 0 {
			b = worked(n)
		}
		return b, err
	})
	for failures := 0; ; {
		n, err := device.ReadPackets(packets)
		b := worked(n)
		stint.Break(o.now)
		if err == nil && turn.Calm(b) {
			err = turn.Rest() // others may serve this direction meanwhile (duty.go)
		}
		if err == nil {
			failures = 0
			continue
		}
		if errors.Is(err, os.ErrClosed) {
			return err
		}
		p.count.add(ReadError)
		if errors.Is(err, tun.ErrGone) {
			return err
		}
		if errors.Is(err, tun.ErrPacket) {
			continue
		}
		if failures++; !p.readOn(failures) {
			return err
		}
	}
}

// batch sends what was read at once.
func (o *outbound) batch(packets []tun.Packet) {
	o.sending.Lock()
	defer o.sending.Unlock()
	o.begin()
	for i := range packets {
		if i%aheadOf == 0 {
			o.lookAhead(packets[i:min(i+aheadOf, len(packets))])
		}
		o.take(&packets[i])
	}
	o.p.count.FromTUN.Add(o.taken)
	o.p.queues[o.n].FromTUN.Add(o.taken)
	o.taken = 0
	o.finish()
}

// readPackets lays the read buffers into one arena. Of those that are never used the system never provides the memory.
func readPackets() []tun.Packet {
	const room = tun.Headroom + tun.MaxDatagram + 1 + readSlack
	arena, packets := make([]byte, tunBatch*room), make([]tun.Packet, tunBatch)
	for i := range packets {
		packets[i] = tun.Packet{Buf: arena[i*room : (i+1)*room : (i+1)*room], Off: tun.Headroom}
	}
	return packets
}

// take takes what was read: a datagram, or the datagrams of a superpacket.
func (o *outbound) take(q *tun.Packet) {
	if q.Segment == 0 {
		o.taken++
		o.packet(q.Bytes())
		return
	}
	if o.header.Parse(q.Bytes()) != nil || o.super.Init(q.Bytes(), &o.header, q.Segment) != nil {
		o.taken++
		o.p.count.add(Malformed)
		return
	}
	o.taken += uint64(o.super.Count())
	for d := o.super.Next(); d != nil; {
		o.packet(d)
		d = o.super.Next()
		if f := o.flow; f.batch == o.batches && f.key == o.header.Key { // what was parsed of one of them holds for all that follow
			for d != nil && f.bundle != nil && o.expressly(d) {
				d = o.super.Next()
			}
		}
	}
}

// packet takes one datagram from the TUN device.
func (o *outbound) packet(pkt []byte) {
	h := &o.header
	if err := h.Parse(pkt); err != nil {
		o.p.count.add(Malformed)
		return
	}
	pkt = pkt[:h.TotalLen]
	if o.flow == nil || o.flow.key != h.Key {
		o.flow = o.slot(pkt)
	}
	if f := o.flow; f.batch == o.batches && f.bundle != nil && f.key == h.Key && o.expressly(pkt) {
		return
	}
	if noise(h) {
		o.p.count.add(DeviceNoise)
		return
	}
	if o.joined = h.Key.Flags&packet.Fragment != 0; o.joined {
		if pkt = o.reassemble(pkt); pkt == nil {
			return
		}
		o.flow = o.slot(pkt)
	}
	o.route(pkt)
}

// expressly seals a datagram of the flow in hand; false means that it has to go the long way.
func (o *outbound) expressly(pkt []byte) bool {
	x, h, n := &o.flow.express, &o.header, len(pkt)
	if n > x.most || x.bundle != o.checked || syn(pkt, h) {
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

// extend makes buf one more segment of the last message, if that is the same bundle's.
func (o *outbound) extend(buf []byte, tos uint8) bool {
	if len(o.msgs) == 0 {
		return false
	}
	m := &o.msgs[len(o.msgs)-1]
	return m.bundle == o.flow.bundle && m.TOS == tos && o.segment(m, buf)
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

// prepare works out the express way for the flow of the packet that was just protected by b.
func (o *outbound) prepare(b *Bundle) {
	f := o.flow
	if b.Mode != suite.Tunnel || b.AH != nil || b.ESP == nil || o.joined || o.header.Key != f.key {
		return
	}
	x := express{bundle: b, esp: b.ESP, sealer: b.ESP.Config().Sealer, next: 4}
	switch {
	case !b.inUDP():
		x.conn, x.hlen = o.p.sealed(), ipHeaderLen(b.Outer.Remote.Addr())
		x.remote = netip.AddrPortFrom(b.Outer.Remote.Addr(), 0)
	case b.socket != nil:
		x.conn, x.remote = b.socket.esp(o.n), b.ESP.Remote()
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

// reassemble takes a fragment and returns the whole datagram once it is complete, its header parsed (RFC 4301 §7: ports
// must be known, and transport mode protects whole datagrams only).
func (o *outbound) reassemble(pkt []byte) []byte {
	whole := o.p.frags.add(&o.p.count, o.now, pkt, &o.header)
	if whole == nil {
		return nil
	}
	if err := o.header.Parse(whole); err != nil {
		o.p.count.add(Malformed)
		return nil
	}
	return whole
}

// noise reports whether the system itself emitted the packet on the TUN device: link-local or multicast chatter that is for no one behind it.
func noise(h *packet.Header) bool {
	src, dst := h.Key.Src, h.Key.Dst
	return dst.IsMulticast() || src.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// route decides about a whole datagram whose header is parsed.
func (o *outbound) route(pkt []byte) {
	h := &o.header
	if o.snap == nil {
		o.p.count.add(Blocked)
		return
	}
	f := o.flow
	if f.batch != o.batches || f.key != h.Key {
		*f = flow{key: h.Key, batch: o.batches, entry: o.snap.find(&h.Key)}
	}
	e := f.entry
	if e == nil { // no filter is about this packet, or it is exempt: it is permitted, as Windows does
		o.permit(pkt)
		return
	}
	switch e.action {
	case policy.Permit:
		o.permit(pkt)
	case policy.Negotiate:
		pair := Pair{h.Key.Src, h.Key.Dst}
		if b := e.bundle(pair, o.n); b != nil {
			o.protect(b, pkt)
			o.prepare(b)
			return
		}
		if s := e.softFor(pair, o.now); s != nil {
			o.soft(e, s, pkt)
			return
		}
		o.hold(e, pair, pkt)
	default:
		o.p.count.add(Blocked)
	}
}

// permit sends pkt unchanged past the TUN device, as the policy says.
func (o *outbound) permit(pkt []byte) { o.clear(pkt, &countPermitted) }

// clear sends pkt unchanged past the TUN device.
func (o *outbound) clear(pkt []byte, kind *countKind) {
	if o.stranger() {
		o.p.count.add(NoSA)
		o.p.tell(Event{Kind: AddressesChanged, Pair: Pair{Local: o.header.Key.Src}})
		return
	}
	if o.p.cfg.IP == nil {
		o.p.count.add(NoPath)
		return
	}
	o.copyOut(pkt, o.p.cfg.IP, kind)
}

// copyOut queues a whole datagram, copied, for a socket that takes whole datagrams.
func (o *outbound) copyOut(pkt []byte, conn netio.Conn, kind *countKind) {
	buf := o.room(len(pkt))
	copy(buf, pkt)
	o.used += len(pkt)
	o.msgs = append(o.msgs, route{conn: conn, packets: 1, kind: kind, joined: o.joined, Message: netio.Message{Buf: buf, N: len(pkt),
		Remote: netip.AddrPortFrom(o.header.Key.Dst, 0), Local: netip.AddrPortFrom(o.header.Key.Src, 0), TOS: o.header.TOS}})
}

// room returns at least n free bytes of the arena, flushing first if there are fewer.
func (o *outbound) room(n int) []byte {
	if len(o.arena)-o.used < n {
		o.flush()
		if len(o.arena) < n {
			o.arena = make([]byte, n)
		}
	}
	return o.arena[o.used : o.used+n : o.used+n]
}

// all returns the entry's bundles.
func (e *entry) all() []*Bundle {
	var list []*Bundle
	for _, b := range e.tunnelSAs() {
		if b != nil {
			list = append(list, b)
		}
	}
	if m := e.pairs.Load(); m != nil {
		for _, b := range *m {
			list = append(list, b)
		}
	}
	return list
}
