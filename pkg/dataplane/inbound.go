package dataplane

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// The path of a packet on its way in, in one goroutine a socket, which writes to the queue of the device that has its number:
//
//  1. readSocket reads a batch of messages; a message may be a run of datagrams of equal length.
//  2. lookAhead (ahead.go), where there are many SAs, asks for the memory of those that the batch needs.
//  3. datagram tells IKE, keepalives and ESP apart, for each datagram of a run (RFC 3948 §2.2).
//  4. open finds the inbound SA by SPI; the SA checks window, ICV and padding, decrypts, and accepts the number.
//  5. strip (strip.go) takes the inner packet out: tunnel or transport, AH then ESP.
//  6. the packet must fit this SA's own selectors (RFC 4301 §5.2), then ECN is merged (RFC 6040).
//     A packet that can be joined to the one before it, of the same SA, is of the same flow: it needs no more than that (before).
//  7. deliver joins it to the datagrams before it that a superpacket can stand for, payloads staying where they were decrypted; flush writes
//     what the batch has made to the TUN device.

const (
	// readBatch is the number of messages read at once, each of them up to a run of 64 KiB.
	readBatch = 16
	// rawBatch is that of raw sockets, which get datagrams singly.
	rawBatch = 64
	readSize = 1 << 16
	// headroom in front of a datagram: the TUN device's own, and an IP header where transport mode in UDP must write one.
	headroom = tun.Headroom + 64
)

// inbound is the state of one goroutine that receives.
type inbound struct {
	p      *Plane
	n      int     // the number of its queue
	socket *Socket // nil for raw sockets
	now    time.Time
	header packet.Header
	msgs   []netio.Message
	device tun.PacketDevice
	queue
	reasm  *packet.Reassembler
	msg    *netio.Message
	wire   uint64 // datagrams of this batch; counted once, because other goroutines count in the same cache lines
	opened uint64 // packets of this batch
	// sa is the SA of the run in hand: its lock is ours until another's packet comes, or the batch ends. moved says that the message in hand
	// came from elsewhere than the SA's peer did.
	sa    *sa.Inbound
	moved bool
	over  *sa.Inbound // the owner was told in this batch that it is used up
	// lastFit is the selector key that last fitted lastSA: the segments of one flow share the answer, for an SA's selectors never change.
	lastFit packet.Key
	lastSA  *sa.Inbound
	before  before
	crowd   crowd
	// strayAt is when an unknown SPI was told of last.
	strayAt time.Time
	spare   []byte // memory for packets that cannot be put together in place
	spis    [rawBatch]uint32
}

// before is what the packet that was queued last came by, if it was tunnelled; else sa is nil. One that comes the same way and can be joined to it has its
// selectors, which this SA was asked about, and its TOS, which the same outer one changes no more.
type before struct {
	sa   *sa.Inbound
	tos  uint8 // of the outer header
	next uint8 // what the SA said that the packet was
}

// readSocket reads one socket until it is closed. Other errors are counted and read over.
func (p *Plane) readSocket(conn netio.Conn, s *Socket, n int) error {
	in := newInbound(p, s, n)
	gatherer, _ := conn.(netio.Gatherer)
	var stint Stint
	worked := func(n int) Batch { // off, a batch of n
		in.now = p.cfg.Clock()
		in.batch(in.msgs[:n])
		return Batch{N: n, Single: n == 1 && in.msgs[0].Segment == 0, Now: in.now}
	}
	turn := p.duty(n).Join(conn, false, func() (b Batch, err error) {
		n, err := conn.(netio.PolledConn).TryReadBatch(in.msgs)
		if n > 0 {
			b = worked(n)
		}
		return b, err
	})
	for failures := 0; ; {
		n, err := conn.ReadBatch(in.msgs)
		b := worked(n)
		stint.Break(in.now)
		if in.crowd.count(n, in.now) && gatherer != nil {
			gatherer.Gather()
		}
		if err == nil && turn.Calm(b) {
			err = turn.Rest() // others may serve this direction meanwhile (duty.go)
		}
		if err == nil {
			failures = 0
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		p.count.add(ReadError)
		if failures++; !p.readOn(failures) {
			return err
		}
	}
}

// newInbound makes the state of one reader, its buffers in one arena.
func newInbound(p *Plane, s *Socket, n int) *inbound {
	batch := readBatch
	if s == nil {
		batch = rawBatch
	}
	in := &inbound{p: p, n: n % max(len(p.queues), 1), socket: s, device: p.queueOf(n), reasm: new(packet.Reassembler), msgs: make([]netio.Message, batch)}
	in.queue.offload = in.device.Offload()
	arena := make([]byte, batch*(headroom+readSize))
	for i := range in.msgs {
		lo := i * (headroom + readSize)
		in.msgs[i] = netio.Message{Buf: arena[lo : lo+headroom+readSize : lo+headroom+readSize], Off: headroom}
	}
	return in
}

// crowd tells whether so many messages come that it pays to let them gather.
type crowd struct {
	since time.Time
	n     int
	yes   bool
}

// crowded is how many messages in a millisecond are a crowd.
const crowded = 40

// count takes a batch of n messages that was read at now.
func (c *crowd) count(n int, now time.Time) bool {
	c.n += n
	if over := now.Sub(c.since); over >= time.Millisecond {
		c.yes = time.Duration(c.n) >= crowded*over/time.Millisecond
		c.since, c.n = now, 0
	}
	return c.yes
}

func (in *inbound) batch(msgs []netio.Message) {
	in.lookAhead(msgs)
	for i := range msgs {
		in.message(&msgs[i])
	}
	in.endRun()
	in.over = nil
	in.flush()
}

// message walks through the datagrams of a run.
func (in *inbound) message(m *netio.Message) {
	in.msg = m
	in.moved = in.sa != nil && in.socket != nil && m.Remote != in.sa.Remote()
	segment := m.Segment
	if segment <= 0 {
		segment = max(m.N, 1)
	}
	if m.N == 0 {
		in.wire++
		in.p.count.add(Runt)
	}
	for at := 0; at < m.N; at += segment {
		in.wire++
		in.datagram(m.Buf, m.Off+at, min(segment, m.N-at))
	}
}

// datagram takes the n bytes at buf[off:].
func (in *inbound) datagram(buf []byte, off, n int) {
	if in.socket == nil {
		in.raw(buf, off, n)
		return
	}
	data := buf[off : off+n]
	switch {
	case !in.socket.Marker:
		in.control(data)
	case n == 1 && data[0] == 0xff:
		in.p.count.add(Keepalive)
	case n < 8:
		in.p.count.add(Runt)
	case binary.BigEndian.Uint32(data) == 0:
		in.control(data[4:])
	default:
		in.open(buf, off, n, 0, suite.ESP, nil)
	}
}

// control hands a copy of an IKE datagram to the owner.
func (in *inbound) control(data []byte) {
	d := Datagram{Local: in.msg.Local, Remote: in.msg.Remote, Data: append([]byte(nil), data...)}
	select {
	case in.p.cfg.Control <- d:
		in.p.count.IKE.Add(1)
	default:
		in.p.count.add(ControlBusy)
	}
}

// raw takes a whole IP datagram with ESP or AH in it.
func (in *inbound) raw(buf []byte, off, n int) {
	if in.header.Parse(buf[off:off+n]) != nil || in.header.Key.Flags&packet.Fragment != 0 {
		in.p.count.add(Malformed)
		return
	}
	proto := suite.Protocol(in.header.Key.Proto)
	if in.header.Key.Flags&packet.ProtoKnown == 0 || proto != suite.ESP && proto != suite.AH {
		in.p.count.add(Malformed)
		return
	}
	in.open(buf, off, in.header.TotalLen, in.header.UpperOffset, proto, nil)
}

// open authenticates and decrypts one ESP or AH packet in place. The packet is buf[off:off+n]; its first hlen bytes are the IP header, none in UDP.
// under is the AH SA that it came out of.
func (in *inbound) open(buf []byte, off, n, hlen int, proto suite.Protocol, under *sa.Inbound) {
	c := &in.p.count
	at := 0
	if proto == suite.AH {
		at = 4
	}
	if n < hlen+at+8 {
		c.add(Runt)
		return
	}
	spi := binary.BigEndian.Uint32(buf[off+hlen+at:])
	s := in.sa
	if s == nil || s.Config().SPI != spi || s.Config().Protocol != proto || s.Config().Under != under {
		if s = in.beginRun(spi, proto, under); s == nil {
			return
		}
	}
	outerTOS := in.header.TOS
	if in.socket != nil {
		outerTOS = in.msg.TOS
	}
	payload, length, next, fresh, err := s.OpenNext(buf[off:off+n], hlen)
	if err != nil {
		c.inbound[sa.ReasonOf(err)].Add(1)
		if err == sa.ErrHardLimit && in.over != s { // once a batch, as on the way out
			in.over = s
			in.p.tell(Event{Kind: Expired, Child: s.Config().ID})
		}
		return
	}
	if s.State() == sa.Soft && s.SoftOnce() && !in.p.tell(Event{Kind: Expiring, Child: s.Config().ID}) {
		s.Rearm()
	}
	if fresh && in.moved {
		in.p.tell(Event{Kind: Rebound, Child: s.Config().ID, Remote: in.msg.Remote})
	}
	in.strip(&stripped{buf: buf, off: off, hlen: hlen, payload: off + payload, n: length, next: next, sa: s, tos: outerTOS})
}

// beginRun finds the SA of a packet and takes it for the packets that follow; nil, counted, if there is none that may carry it. An SA that is
// deleted meanwhile serves until the run ends, as if the packets had come a moment earlier.
func (in *inbound) beginRun(spi uint32, proto suite.Protocol, under *sa.Inbound) *sa.Inbound {
	s := in.p.cfg.DB.Lookup(spi, proto)
	if s == nil {
		in.p.count.add(UnknownSPI)
		in.stray(proto, spi)
		return nil
	}
	if cfg := s.Config(); cfg.Under != under || (cfg.Remote.Port() != 0) != (in.socket != nil) {
		in.p.count.add(WrongWrapping)
		return nil
	}
	in.endRun()
	s.Begin(in.now)
	in.sa, in.moved = s, in.socket != nil && in.msg.Remote != s.Remote()
	return s
}

// endRun gives back the SA in hand, if there is one.
func (in *inbound) endRun() {
	if in.sa != nil {
		in.sa.End()
		in.sa = nil
	}
}

// stray tells the owner of an SPI that no SA has, at most once a second: the peer may have lost a deletion.
func (in *inbound) stray(proto suite.Protocol, spi uint32) {
	if in.now.Sub(in.strayAt) < time.Second {
		return
	}
	in.strayAt = in.now
	ev := Event{Kind: Stray, Protocol: proto, SPI: spi, Remote: in.msg.Remote, Pair: Pair{in.msg.Local.Addr(), in.msg.Remote.Addr()}}
	if in.socket == nil {
		ev.Pair = Pair{in.header.Key.Dst, in.header.Key.Src}
		ev.Remote = netip.AddrPortFrom(in.header.Key.Src, 0)
	}
	in.p.tell(ev)
}

// deliver queues buf[off:off+n], an inner packet that has passed every check and whose header is parsed, for the TUN device.
func (in *inbound) deliver(buf []byte, off, n int) {
	in.opened++
	in.before.sa = nil
	in.add(buf, off, n, &in.header)
}

// flush writes the batch to the device and counts it.
func (in *inbound) flush() {
	c := &in.p.count
	c.FromWire.Add(in.wire)
	in.p.queues[in.n].FromWire.Add(in.wire)
	if in.opened > 0 {
		c.Opened.Add(in.opened)
		delivered, failed := in.write(in.device)
		c.Delivered.Add(delivered)
		c.drop[TUNWrite].Add(failed)
	}
	in.wire, in.opened = 0, 0
}
