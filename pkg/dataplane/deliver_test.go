package dataplane

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// swallow is a device that takes superpackets and keeps the datagrams that they stand for.
type swallow struct {
	tun.Device
	offload tun.Offload
	got     [][]byte
	writes  int
	refuse  bool
	lose    int // of each superpacket
	forget  bool
}

func (d *swallow) Offload() tun.Offload                  { return d.offload }
func (d *swallow) ReadPackets([]tun.Packet) (int, error) { return 0, errors.New("nothing to read") }

func (d *swallow) WritePackets(packets []tun.Packet) error {
	for i := range packets {
		p := &packets[i]
		if p.Failed = d.refuse; p.Failed || d.forget {
			continue
		}
		d.writes++
		if p.Segment > 0 {
			p.Lost = d.lose
		}
		whole := slices.Concat(append([][]byte{p.Bytes()}, p.More...)...)
		if p.Segment == 0 {
			d.got = append(d.got, whole)
			continue
		}
		var h packet.Header
		var s packet.Super
		if err := errors.Join(h.Parse(whole), s.Init(whole, &h, p.Segment)); err != nil {
			return err
		}
		if n := s.Count(); n != len(p.More)+1 {
			return fmt.Errorf("a superpacket of %d pieces stands for %d datagrams", len(p.More)+1, n)
		}
		for dg := s.Next(); dg != nil; dg = s.Next() {
			d.got = append(d.got, bytes.Clone(dg))
		}
	}
	if d.refuse {
		return errors.New("refused")
	}
	return nil
}

// newDeliverer is a worker that writes to a device.
func newDeliverer(d tun.Device) *inbound {
	return newInbound(&Plane{cfg: Config{TUN: d}, queues: make([]QueueCount, 1)}, nil, 0)
}

// give gives a worker an inner packet, in a buffer of its own, that has passed every check.
func give(t interface{ Fatal(...any) }, in *inbound, pkt []byte) {
	buf := append(make([]byte, tun.Headroom), pkt...)
	if err := in.header.Parse(pkt); err != nil {
		t.Fatal(err)
	}
	in.deliver(buf, tun.Headroom, len(pkt))
}

// segmentOf makes a TCP or UDP datagram with right checksums: the i-th of a flow that sends size bytes at a time.
func segmentOf(flow, i, size int, tcp bool) []byte {
	n := 28 + size
	if tcp {
		n = 40 + size
	}
	b := make([]byte, n)
	o := packet.Outer{Src: netip.MustParseAddr("10.2.0.5"), Dst: netip.MustParseAddr("10.1.0.5"), Proto: 17, TTL: 64, DF: true, ID: uint16(i)}
	if tcp {
		o.Proto = 6
	}
	o.Put(b, n)
	up := b[20:]
	binary.BigEndian.PutUint16(up, uint16(1000+flow))
	binary.BigEndian.PutUint16(up[2:], 80)
	if tcp {
		binary.BigEndian.PutUint32(up[4:], uint32(i*size))
		up[12], up[13] = 5<<4, 0x10
	} else {
		binary.BigEndian.PutUint16(up[4:], uint16(len(up)))
		up[7] = 1 // it has a checksum
	}
	payload := b[n-size:]
	for k := range payload {
		payload[k] = byte(k + i + flow)
	}
	var h packet.Header
	if err := h.Parse(b); err != nil {
		panic(err)
	}
	packet.FixTransportChecksum(b, &h)
	return b
}

// Every datagram reaches the device as it was, those of a flow in order; those of one flow with nothing between them in few writes.
func TestDatagramsAreJoinedAndStayAsTheyWere(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := &swallow{offload: tun.Offload{TCP: rapid.Bool().Draw(r, "TCP offload"), UDP: rapid.Bool().Draw(r, "UDP offload")}}
		in := newDeliverer(d)
		var next [4]int
		for range 2 { // the state of one batch must not reach the next
			d.got = nil
			var want [4][][]byte
			for range rapid.IntRange(1, 200).Draw(r, "packets") {
				flow := rapid.IntRange(0, 3).Draw(r, "flow")
				size := 100
				if rapid.IntRange(0, 9).Draw(r, "odd") == 0 {
					size = rapid.SampledFrom([]int{1, 99, 101}).Draw(r, "size")
				}
				pkt := segmentOf(flow, next[flow], size, flow%2 == 0)
				if rapid.IntRange(0, 9).Draw(r, "damage") == 0 {
					pkt[rapid.IntRange(24, len(pkt)-1).Draw(r, "where")] ^= 4
				}
				next[flow]++
				var h packet.Header
				if h.Parse(pkt) != nil {
					continue
				}
				want[flow] = append(want[flow], pkt)
				give(r, in, pkt)
			}
			in.flush()
			var got [4][][]byte
			for _, pkt := range d.got {
				// A damaged one still belongs to its flow, for the ports are not damaged.
				for f := range want {
					if len(got[f]) < len(want[f]) && bytes.Equal(pkt, want[f][len(got[f])]) {
						got[f] = append(got[f], pkt)
						break
					}
				}
			}
			for f := range want {
				if len(got[f]) != len(want[f]) {
					r.Fatalf("flow %d: datagram %d of %d is another one, or out of order", f, len(got[f]), len(want[f]))
				}
			}
		}
		if n := in.p.count.Delivered.Load(); n != in.p.count.Opened.Load() {
			r.Fatalf("%d of %d packets are counted", n, in.p.count.Opened.Load())
		}
	})
}

func TestARunIsOneWrite(t *testing.T) {
	for _, tcp := range []bool{true, false} {
		d := &swallow{offload: tun.Offload{TCP: true, UDP: true}}
		in := newDeliverer(d)
		for i := range 60 {
			for flow := range 3 { // interleaved
				give(t, in, segmentOf(flow, i, 300, tcp))
			}
		}
		in.flush()
		if d.writes != 3 || len(d.got) != 180 {
			t.Errorf("TCP %v: %d writes of %d datagrams", tcp, d.writes, len(d.got))
		}
	}
}

// What the device refuses is in the drop counter, and nowhere else.
func TestRefusedWritesAreCounted(t *testing.T) {
	d := &swallow{refuse: true, offload: tun.Offload{TCP: true}}
	in := newDeliverer(d)
	for i := range 11 {
		give(t, in, segmentOf(i%2, i/2, 100, i%2 == 0))
	}
	in.flush()
	if c := &in.p.count; c.Count(TUNWrite) != 11 || c.Delivered.Load() != 0 || c.Opened.Load() != 11 {
		t.Errorf("%d refused, %d delivered", c.Count(TUNWrite), c.Delivered.Load())
	}
}

// Of a superpacket of which the device took a part, that part was delivered and the rest is in the drop counter.
func TestAPartOfASuperpacketThatWasRefusedIsCounted(t *testing.T) {
	d := &swallow{lose: 3, offload: tun.Offload{TCP: true}}
	in := newDeliverer(d)
	for i := range 10 {
		give(t, in, segmentOf(0, i, 100, true))
	}
	in.flush()
	if c := &in.p.count; d.writes != 1 || c.Count(TUNWrite) != 3 || c.Delivered.Load() != 7 {
		t.Errorf("%d writes, %d refused, %d delivered", d.writes, c.Count(TUNWrite), c.Delivered.Load())
	}
}

// A batch leaves its slices for the next one.
func TestDeliveryAllocatesNothing(t *testing.T) {
	in := newDeliverer(&swallow{forget: true, offload: tun.Offload{TCP: true, UDP: true}})
	var fresh, bufs [180][]byte
	for i := range bufs {
		fresh[i] = append(make([]byte, tun.Headroom), segmentOf(i%4, i/4, 100, i%2 == 0)...)
		bufs[i] = make([]byte, len(fresh[i]))
	}
	batch := func() {
		for i, b := range bufs {
			copy(b, fresh[i])
			if err := in.header.Parse(b[tun.Headroom:]); err != nil {
				t.Fatal(err)
			}
			in.deliver(b, tun.Headroom, len(b)-tun.Headroom)
		}
		in.flush()
	}
	batch()
	if n := testing.AllocsPerRun(100, batch); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// RFC 4301 §5.2: that the last packet fitted its SA says nothing about another packet, or another SA (D9).
func TestTheLastFitIsNoPassport(t *testing.T) {
	in := newDeliverer(&swallow{})
	mine := sa.NewInbound(sa.InboundConfig{SPI: 300, Selector: classifier.Filter{Src: subnet("10.2.0.0/24"), Dst: subnet("10.1.0.0/24")}}, time.Unix(0, 0))
	other := sa.NewInbound(sa.InboundConfig{SPI: 301, Selector: classifier.Filter{Src: subnet("10.3.0.0/24"), Dst: subnet("10.1.0.0/24")}}, time.Unix(0, 0))
	for i, step := range []struct {
		sa   *sa.Inbound
		src  string
		fits bool
	}{{mine, "10.2.0.5", true}, {mine, "10.2.0.5", true}, {other, "10.2.0.5", false}, {mine, "10.3.0.5", false}, {other, "10.3.0.5", true}, {mine, "10.3.0.5", false},
		{mine, "10.2.0.5", true}} {
		if err := in.header.Parse(udp(step.src, "10.1.0.5", 8)); err != nil {
			t.Fatal(err)
		}
		if got := in.fits(step.sa); got != step.fits {
			t.Errorf("step %d: a packet from %s fits %v: %v", i, step.src, step.sa, got)
		}
	}
	if n := in.p.count.Count(SelectorMismatch); n != 3 {
		t.Errorf("%d mismatches are counted, not 3", n)
	}
}

// RFC 4301 §5.2, RFC 6040 §4.2: a packet that could be joined to the one before it is asked what every packet is asked, unless it came the same way.
func TestWhatFollowsIsNoStowaway(t *testing.T) {
	d := &swallow{offload: tun.Offload{TCP: true}}
	in := newDeliverer(d)
	here := subnet("10.1.0.0/24")
	mine := sa.NewInbound(sa.InboundConfig{SPI: 300, Mode: suite.Tunnel, Selector: classifier.Filter{Src: subnet("10.2.0.0/24"), Dst: here}}, time.Unix(0, 0))
	other := sa.NewInbound(sa.InboundConfig{SPI: 301, Mode: suite.Tunnel, Selector: classifier.Filter{Src: subnet("10.3.0.0/24"), Dst: here}}, time.Unix(0, 0))
	bare := sa.NewInbound(sa.InboundConfig{SPI: 302, Mode: suite.Transport, Selector: classifier.Filter{Src: subnet("10.2.0.0/24"), Dst: here}}, time.Unix(0, 0))
	const (
		ce   = 3
		none = Drop(255)
	)
	ect := func(pkt []byte) []byte { packet.SetTOS(pkt, 2); return pkt }
	theirs := segmentOf(0, 0, 100, true)
	copy(theirs[12:], []byte{10, 3, 0, 5})
	for i, step := range []struct {
		sa   *sa.Inbound
		pkt  []byte
		next uint8
		tos  uint8
		drop Drop
	}{
		{mine, segmentOf(0, 0, 100, true), 4, 0, none},
		{mine, segmentOf(0, 1, 100, true), 4, 0, none},
		{other, segmentOf(0, 2, 100, true), 4, 0, SelectorMismatch},
		{mine, segmentOf(0, 2, 100, true), 41, 0, InnerMalformed},
		{mine, segmentOf(0, 2, 100, true), 4, ce, ECNViolation},
		{other, theirs, 4, ce, ECNViolation}, // it fits the other SA, and so would whatever follows it
		{other, segmentOf(0, 2, 100, true), 4, 0, SelectorMismatch},
		{mine, segmentOf(0, 2, 100, true), 4, 0, none},
		{mine, ect(segmentOf(1, 0, 100, true)), 4, 0, none},
		{mine, ect(segmentOf(1, 1, 100, true)), 4, ce, none},
		{mine, ect(segmentOf(1, 2, 100, true)), 4, ce, none},
		{mine, segmentOf(2, 0, 100, true), 4, 0, none},
		{bare, segmentOf(3, 0, 100, true), 6, 0, none}, // it brings a flow that the tunnel has not been asked about
	} {
		buf := append(make([]byte, headroom), step.pkt...)
		s := stripped{buf: buf, off: headroom, payload: headroom, n: len(step.pkt), next: step.next, sa: step.sa, tos: step.tos}
		if step.sa == bare {
			s.hlen, s.payload, s.n = 20, headroom+20, len(step.pkt)-20
			if err := in.header.Parse(step.pkt); err != nil {
				t.Fatal(err)
			}
		}
		var dropped uint64
		if step.drop != none {
			dropped = in.p.count.Count(step.drop) + 1
		}
		before := in.opened
		in.strip(&s)
		opened := in.opened - before
		if step.drop != none && (opened != 0 || in.p.count.Count(step.drop) != dropped) || step.drop == none && opened != 1 {
			t.Errorf("step %d: %d delivered, drops %v", i, opened, in.p.count.Drops())
		}
	}
	if in.before.sa != nil {
		t.Error("a packet of a tunnel would follow one of transport mode")
	}
	in.flush()
	if len(d.got) != 8 || d.writes != 5 {
		t.Fatalf("%d datagrams in %d writes", len(d.got), d.writes)
	}
	for i, ecn := range []byte{0, 0, 0, 2, ce, ce, 0, 0} {
		if d.got[i][1] != ecn {
			t.Errorf("datagram %d has TOS %d, not %d", i, d.got[i][1], ecn)
		}
	}
}
