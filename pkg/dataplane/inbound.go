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

// The path of a packet on its way in, in one goroutine a socket:
//
//  1. readSocket reads a batch of messages; a message may be a run of datagrams of equal length.
//  2. datagram tells IKE, keepalives and ESP apart, for each datagram of a run (RFC 3948 §2.2).
//  3. open finds the inbound SA by SPI; the SA checks window, ICV and padding, decrypts, and accepts the number.
//  4. strip (strip.go) takes the inner packet out: tunnel or transport, AH then ESP.
//  5. the packet must fit this SA's own selectors (RFC 4301 §5.2), then ECN is merged (RFC 6040).
//  6. flush writes the packets of the batch to the TUN device, which coalesces them.

const (
	// readBatch is the number of messages read at once, each of them up to a run of 64 KiB.
	readBatch = 16
	readSize  = 1 << 16
	// headroom in front of a datagram: the TUN device's own, and an IP header where transport mode in UDP must write one.
	headroom = tun.Headroom + 64
	// coalesceRoom is what the device may append to the first packet of a run.
	coalesceRoom = 1<<16 + tun.Headroom
)

// inbound is the state of one goroutine that receives.
type inbound struct {
	p      *Plane
	socket *Socket // nil for raw sockets
	now    time.Time
	header packet.Header
	msgs   []netio.Message
	out    [][]byte
	heads  [][]byte // large buffers, one a run
	run    int      // which of them is next
	starts []int    // where in out the runs begin
	reasm  *packet.Reassembler
	msg    *netio.Message
	first  bool
	opened uint64 // packets of this batch; counted once, because other goroutines count in the same cache lines
	// lastFit is the selector key that last fitted lastSA: the segments of one flow share the answer, for an SA's selectors never change.
	lastFit packet.Key
	lastSA  *sa.Inbound
	// strayAt is when an unknown SPI was told of last.
	strayAt time.Time
	spare   []byte // memory for packets that cannot be put together in place
}

// readSocket reads one socket until it is closed. Other errors are counted and read over.
func (p *Plane) readSocket(conn netio.Conn, s *Socket) error {
	in := newInbound(p, s)
	for failures := 0; ; {
		n, err := conn.ReadBatch(in.msgs)
		in.now = p.cfg.Clock()
		in.batch(in.msgs[:n])
		if err == nil {
			failures = 0
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		p.count.add(ReadError)
		if failures++; failures > 1000 {
			return err
		}
	}
}

// newInbound makes the state of one reader, its buffers in one arena.
func newInbound(p *Plane, s *Socket) *inbound {
	in := &inbound{p: p, socket: s, reasm: new(packet.Reassembler), msgs: make([]netio.Message, readBatch), heads: make([][]byte, readBatch)}
	arena := make([]byte, readBatch*(headroom+readSize))
	for i := range in.msgs {
		lo := i * (headroom + readSize)
		in.msgs[i] = netio.Message{Buf: arena[lo : lo+headroom+readSize : lo+headroom+readSize], Off: headroom}
	}
	return in
}

func (in *inbound) batch(msgs []netio.Message) {
	in.run = 0
	for i := range msgs {
		in.message(&msgs[i])
	}
	in.flush()
}

// message walks through the datagrams of a run.
func (in *inbound) message(m *netio.Message) {
	in.msg, in.first = m, true
	segment := m.Segment
	if segment <= 0 {
		segment = max(m.N, 1)
	}
	if m.N == 0 {
		in.p.count.FromWire.Add(1)
		in.p.count.add(Runt)
	}
	in.p.count.FromWire.Add(uint64((m.N + segment - 1) / segment))
	for at := 0; at < m.N; at += segment {
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
	s := in.p.cfg.DB.Lookup(spi, proto)
	if s == nil {
		c.add(UnknownSPI)
		in.stray(proto, spi)
		return
	}
	cfg := s.Config()
	if cfg.Under != under || (cfg.Remote.Port() != 0) != (in.socket != nil) {
		c.add(WrongWrapping)
		return
	}
	var outerTOS uint8
	if in.socket != nil {
		outerTOS = in.msg.TOS
	} else {
		outerTOS = in.header.TOS
	}
	pkt := buf[off : off+n]
	payload, length, next, fresh, err := s.Open(pkt, hlen, in.now)
	if err != nil {
		c.inbound[sa.ReasonOf(err)].Add(1)
		if err == sa.ErrHardLimit {
			in.p.tell(Event{Kind: Expired, Child: cfg.ID})
		}
		return
	}
	if s.Check(in.now) == sa.Soft && s.SoftOnce() && !in.p.tell(Event{Kind: Expiring, Child: cfg.ID}) {
		s.Rearm()
	}
	if fresh && in.socket != nil && in.msg.Remote != s.Remote() {
		in.p.tell(Event{Kind: Rebound, Child: cfg.ID, Remote: in.msg.Remote})
	}
	in.strip(stripped{buf: buf, off: off, hlen: hlen, payload: off + payload, n: length, next: next, sa: s, tos: outerTOS})
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

// deliver queues buf[off:off+n], an inner packet that has passed every check, for the TUN device. The device may append following packets of its flow
// to a packet, so the first of a run is copied to where there is room for that; the others are copied by the device.
func (in *inbound) deliver(buf []byte, off, n int) {
	in.opened++
	if in.first && in.run < len(in.heads) {
		in.first = false
		in.starts = append(in.starts, len(in.out))
		if in.heads[in.run] == nil {
			in.heads[in.run] = make([]byte, coalesceRoom)
		}
		head := in.heads[in.run]
		in.run++
		copy(head[tun.Headroom:], buf[off:off+n])
		in.out = append(in.out, head[:tun.Headroom+n])
		return
	}
	in.out = append(in.out, buf[off-tun.Headroom:off+n:off+n])
}

// flush writes the batch to the device.
func (in *inbound) flush() {
	n := uint64(len(in.out))
	in.p.count.Opened.Add(in.opened)
	in.opened = 0
	size := in.p.cfg.TUN.BatchSize()
	for at := 0; at < len(in.out); {
		end := in.cut(at, size)
		if _, err := in.p.cfg.TUN.Write(in.out[at:end], tun.Headroom); err != nil {
			in.p.count.drop[TUNWrite].Add(uint64(end - at))
			n -= uint64(end - at)
		}
		at = end
	}
	in.p.count.Delivered.Add(n)
	in.out, in.starts = in.out[:0], in.starts[:0]
}

// cut returns where a write that begins with packet at ends: at most size packets further, and if possible before the beginning of a run. The device appends the
// packets of a run to its first one, so a run that is cut in two leaves a second half that goes to the system packet by packet.
func (in *inbound) cut(at, size int) int {
	end := at + size
	if end >= len(in.out) {
		return len(in.out)
	}
	for i := len(in.starts) - 1; i >= 0 && in.starts[i] > at; i-- {
		if in.starts[i] <= end {
			return in.starts[i]
		}
	}
	return end
}
