package dataplane

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// setups are the ways in which a packet can be protected.
func setups() []setup {
	var list []setup
	for _, mode := range []suite.Mode{suite.Transport, suite.Tunnel} {
		for _, v6 := range []bool{false, true} {
			for _, inner6 := range []bool{false, true} {
				if mode == suite.Transport && inner6 != v6 {
					continue
				}
				base := setup{mode: mode, v6: v6, inner6: inner6}
				for _, udp := range []bool{false, true} {
					s := base
					s.esp, s.udp = true, udp
					list = append(list, s)
					s.encr, s.integ, s.esn = suite.AESCBC, suite.HMACSHA256_128, true
					list = append(list, s)
				}
				s := base
				s.ah = true
				list = append(list, s)
				s.esp = true
				list = append(list, s)
			}
		}
	}
	return list
}

func (s setup) inner(w *world, n int) []byte {
	if s.mode == suite.Transport {
		if s.v6 {
			return udp(w.a.addr[1].String(), w.b.addr[1].String(), n)
		}
		return udp(w.a.addr[0].String(), w.b.addr[0].String(), n)
	}
	if s.inner6 {
		return udp("fd00:1::5", "fd00:2::5", n)
	}
	return udp("10.1.0.5", "10.2.0.5", n)
}

func TestEveryProtectionCarriesPackets(t *testing.T) {
	for _, s := range setups() {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			w := newWorld(t)
			w.protect(s)
			for _, n := range []int{0, 1, 13, 64, 1200} {
				pkt := s.inner(w, n)
				w.a.send(pkt, pkt, pkt)
				got := w.b.receive()
				if len(got) != 3 {
					t.Fatalf("%d bytes: %d packets arrived, want 3; drops %v", n, len(got), w.b.plane.count.Drops())
				}
				for _, g := range got {
					if !sameDatagram(g, pkt, s) {
						t.Fatalf("%d bytes: sent %x\narrived %x", n, pkt, g)
					}
				}
			}
			for _, d := range w.wire.Captured() {
				if !s.udp && !s.v6 && packet.Checksum(d.Data[:20]) != 0 {
					t.Fatal("the checksum of an outer IPv4 header is wrong")
				}
				if bytes.Contains(d.Data, []byte{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35}) && !(s.ah && !s.esp) {
					t.Fatal("clear text is on the wire")
				}
			}
			w.a.conserve()
		})
	}
}

// sameDatagram compares, but for what the way changes by right: in UDP transport mode the receiver makes the header.
func sameDatagram(got, want []byte, s setup) bool {
	if s.mode == suite.Transport && s.udp {
		var g, h packet.Header
		if g.Parse(got) != nil || h.Parse(want) != nil {
			return false
		}
		return g.Key == h.Key && bytes.Equal(got[g.UpperOffset:], want[h.UpperOffset:])
	}
	return bytes.Equal(got, want)
}

// D12: nothing leaves in clear while there is no SA; the queue is bounded and one acquire is asked for.
func TestD12HeldPacketsWaitForTheSAAndAreBounded(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true}
	f := w.defaultFilter(s)
	w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}})
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.b.addr[0], Remote: w.a.addr[0]}}})
	pkt := s.inner(w, 100)
	for range 40 {
		w.a.send(pkt)
	}
	if n := len(w.wire.Captured()); n != 0 {
		t.Fatalf("%d datagrams left without an SA", n)
	}
	if n := len(w.a.events); n != 1 {
		t.Fatalf("%d acquires, want 1", n)
	}
	if held, dropped := w.a.plane.count.Held.Load(), w.a.plane.count.Count(NoSA); held != holdPackets || dropped != 40-holdPackets {
		t.Fatalf("held %d, dropped %d", held, dropped)
	}
	w.key(s, f)
	if got := w.b.receive(); len(got) != holdPackets {
		t.Fatalf("%d of the held packets arrived, want %d; %v", len(got), holdPackets, w.a.plane.count.Drops())
	}
	w.a.conserve()
}

func TestBlockAndPermitAndNoFilter(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel}
	f := w.defaultFilter(s)
	blocked := f
	blocked.Proto = 17
	w.a.apply(&policy.QuickModeFilter{ID: "b", Filter: blocked, Action: policy.Block, Rule: &policy.Rule{}},
		&policy.QuickModeFilter{ID: "p", Filter: f, Action: policy.Permit, Rule: &policy.Rule{}})
	w.a.send(s.inner(w, 10))
	if w.a.plane.count.Count(Blocked) != 1 || len(w.wire.Captured()) != 0 {
		t.Fatal("a blocked packet was not dropped")
	}
	pkt := s.inner(w, 10)
	pkt[9] = 6 // TCP with a nonsense header is still TCP
	w.a.send(fixHeader(pkt), udp("192.0.2.1", "203.0.113.9", 4))
	got := w.wire.Captured()
	if len(got) != 2 || !bytes.Equal(got[0].Data, pkt) {
		t.Fatalf("permitted packets must leave unchanged, got %d", len(got))
	}
	w.a.conserve()
}

func fixHeader(pkt []byte) []byte {
	packet.SetTOS(pkt, pkt[1]^1)
	packet.SetTOS(pkt, pkt[1]^1)
	return pkt
}

// D10: ports of fragments are known only after reassembly; a port filter then applies to the whole datagram.
func TestD10OutboundFragmentsAreJoinedBeforeThePolicyApplies(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, mtu: 9000}
	w.protect(s)
	pkt := s.inner(w, 3000)
	pkt[6] &^= 0x40
	packet.SetTOS(pkt, pkt[1])
	var h packet.Header
	check(t, h.Parse(fixHeader(pkt)))
	frags, err := packet.Fragments(nil, pkt, &h, 1280, 7)
	check(t, err)
	w.a.send(frags[1], frags[2], frags[0])
	got := w.b.receive()
	if len(got) != 1 || len(got[0]) != len(pkt) {
		t.Fatalf("got %d datagrams", len(got))
	}
	w.a.conserve()
}

// D13, RFC 4301 §8.2.1: what must not be fragmented is answered with the size that fits.
func TestRFC4301Section8_2OversizeIsAnsweredOrFragmented(t *testing.T) {
	for _, s := range []setup{{mode: suite.Tunnel, esp: true}, {mode: suite.Tunnel, esp: true, udp: true}, {mode: suite.Transport, esp: true},
		{mode: suite.Transport, esp: true, udp: true}, {mode: suite.Transport, ah: true, esp: true}, {mode: suite.Tunnel, esp: true, inner6: true, v6: true}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			w := newWorld(t)
			s.mtu = 1400
			w.protect(s)
			w.a.send(s.inner(w, 1340))
			reply := w.a.delivered()
			if len(reply) != 1 {
				t.Fatalf("%d replies", len(reply))
			}
			mtu, _, ok := packet.ParseTooBig(reply[0])
			if !ok || mtu >= 1400 || mtu < 1280 {
				t.Fatalf("mtu %d, ok %v", mtu, ok)
			}
			pkt := s.inner(w, mtu-len(s.inner(w, 0)))
			w.a.send(pkt)
			if got := w.b.receive(); len(got) != 1 {
				t.Fatalf("a packet of the size told (%d) did not arrive; %v", mtu, w.a.plane.count.Drops())
			}
			for _, d := range w.wire.Captured() {
				if len(d.Data) > 1400 {
					t.Fatal("a datagram over the path's MTU left")
				}
			}
			w.a.conserve()
		})
	}
}

// D17, D18: junk on the NAT-T port and unknown SPIs cost a counter.
func TestD17D18JunkIsCounted(t *testing.T) {
	w := newWorld(t)
	w.protect(setup{mode: suite.Tunnel, esp: true, udp: true})
	in := w.b.ins[0]
	for _, p := range [][]byte{{}, {0xff}, {0}, {0, 0, 0}, {0, 0, 0, 0}, {1, 2, 3, 4, 5, 6, 7}, {9, 9, 9, 9, 0, 0, 0, 1, 5}, make([]byte, 40)} {
		m := in.msgs[0]
		copy(m.Buf[m.Off:], p)
		m.N, m.Segment = len(p), 0
		in.now = w.now
		in.batch(append(in.msgs[:0:0], m))
	}
	c := &w.b.plane.count
	if c.Count(Keepalive) != 1 || c.Count(Runt) != 5 || c.Count(UnknownSPI) != 1 || c.IKE.Load() != 1 || c.Delivered.Load() != 0 {
		t.Fatalf("%v, IKE %d", c.Drops(), c.IKE.Load())
	}
}

// D19: zero-length and garbage reads from the device.
func TestD19GarbageFromTheDevice(t *testing.T) {
	w := newWorld(t)
	w.protect(setup{mode: suite.Tunnel, esp: true})
	w.a.send([]byte{}, []byte{0}, []byte{0x45}, make([]byte, 64), bytes.Repeat([]byte{0xff}, 1500))
	if w.a.plane.count.Count(Malformed) != 5 {
		t.Fatalf("%v", w.a.plane.count.Drops())
	}
	w.a.conserve()
}

func TestEqualSegmentsLeaveInOneRun(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	w.a.out.begin()
	for range 10 {
		w.a.out.packet(s.inner(w, 1000))
	}
	w.a.out.packet(s.inner(w, 500))
	w.a.out.packet(s.inner(w, 1000))
	if n := len(w.a.out.msgs); n != 2 || w.a.out.msgs[0].packets != 11 {
		t.Fatalf("%d messages, the first of %d packets", n, w.a.out.msgs[0].packets)
	}
	w.a.out.flush()
	if got := w.b.receive(); len(got) != 12 {
		t.Fatalf("%d packets arrived; %v", len(got), w.b.plane.count.Drops())
	}
}

func TestOutboundDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	pkt := s.inner(w, 1000)
	o := &w.a.out
	if n := testing.AllocsPerRun(200, func() {
		o.begin()
		for range 20 {
			o.packet(pkt)
		}
		o.msgs, o.used = o.msgs[:0], 0
	}); n > 0 {
		t.Fatalf("%v allocations for 20 packets", n)
	}
}
