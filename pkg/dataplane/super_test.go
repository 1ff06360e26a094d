package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// superOf makes a superpacket between the addresses of s.inner, as a device reads it, and the datagrams that it stands for.
func superOf(t *testing.T, w *world, s setup, proto uint8, segment, payload int) (super tun.Packet, want [][]byte) {
	t.Helper()
	var h packet.Header
	check(t, h.Parse(s.inner(w, 0)))
	header := 8
	if proto == 6 {
		header = 20
	}
	o := packet.Outer{Src: h.Key.Src, Dst: h.Key.Dst, Proto: proto, TTL: 64, DF: true, TOS: 0x28, ID: 77}
	pkt := make([]byte, o.Len()+header+payload)
	o.Put(pkt, len(pkt))
	up := pkt[o.Len():]
	binary.BigEndian.PutUint16(up, 4000)
	binary.BigEndian.PutUint16(up[2:], 4001)
	if proto == 6 {
		binary.BigEndian.PutUint32(up[4:], 0xffffff00) // the numbers turn over within
		up[12], up[13] = 5<<4, 0x18
	} else {
		binary.BigEndian.PutUint16(up[4:], uint16(len(up)))
	}
	for i := range payload {
		up[header+i] = byte(i * 7)
	}
	var c packet.Super
	whole := bytes.Clone(pkt)
	check(t, h.Parse(whole))
	check(t, c.Init(whole, &h, segment))
	for d := c.Next(); d != nil; d = c.Next() {
		want = append(want, bytes.Clone(d))
	}
	buf := slices.Concat(make([]byte, tun.Headroom), pkt, make([]byte, 64))
	return tun.Packet{Buf: buf, Off: tun.Headroom, N: len(pkt), Segment: segment}, want
}

// sendSuper gives a superpacket to a side's plane as its TUN device would.
func (s *side) sendSuper(q tun.Packet) {
	s.out.batch([]tun.Packet{q})
}

// takesSuper gives a side's workers a device that takes superpackets.
func (s *side) takesSuper() *swallow {
	d := &swallow{offload: tun.Offload{TCP: true, UDP: true}}
	for _, in := range s.ins {
		in.device, in.queue.offload = d, d.offload
	}
	return d
}

// Whatever protects it, the datagrams of a superpacket arrive as if they had been sent one by one, and as one superpacket again where the peer's
// device takes them.
func TestEveryProtectionCarriesSuperpackets(t *testing.T) {
	for _, s := range setups() {
		for _, proto := range []uint8{6, 17} {
			for _, offload := range []bool{true, false} {
				t.Run(fmt.Sprintf("%+v, protocol %d, offload %v", s, proto, offload), func(t *testing.T) {
					w := newWorld(t)
					w.protect(s)
					d := &swallow{}
					if offload {
						d = w.b.takesSuper()
					}
					for _, n := range []int{1000, 1001, 30*1000 - 1, 1} {
						q, want := superOf(t, w, s, proto, 1000, n)
						w.a.sendSuper(q)
						got := w.b.receive()
						if offload {
							got = d.got
						}
						if len(got) != len(want) {
							t.Fatalf("%d bytes: %d datagrams arrived of %d; drops %v and %v", n, len(got), len(want), w.a.plane.count.Drops(), w.b.plane.count.Drops())
						}
						for i := range got {
							if !sameDatagram(got[i], want[i], s) {
								t.Fatalf("%d bytes, datagram %d: sent %x\narrived %x", n, i, want[i], got[i])
							}
						}
						if batches := (len(want) + readBatch - 1) / readBatch; offload && d.writes > batches {
							t.Fatalf("%d bytes: %d writes", n, d.writes)
						}
						d.got, d.writes = nil, 0
					}
					if got := w.a.plane.count.Sealed.Load(); got != 1+2+30+1 {
						t.Errorf("%d packets are counted as sealed", got)
					}
					w.a.conserve()
				})
			}
		}
	}
}

// A superpacket's datagrams are each permitted, blocked, held or answered as they would be alone.
func TestSuperpacketsUnderEveryAction(t *testing.T) {
	s := setup{mode: suite.Tunnel, esp: true}
	for _, action := range []policy.ActionKind{policy.Permit, policy.Block, policy.Negotiate} {
		w := newWorld(t)
		f := w.defaultFilter(s)
		w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: action, Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}})
		q, want := superOf(t, w, s, 6, 500, 5*500)
		dst := netip.MustParseAddr("10.2.0.5")
		permitted := w.wire.Attach(netip.AddrPortFrom(dst, 0))
		w.a.sendSuper(q)
		c := &w.a.plane.count
		switch action {
		case policy.Permit:
			w.b.conns, w.b.ins = append(w.b.conns[:0], permitted), w.b.ins[:1]
			if c.Permitted.Load() != 5 || len(w.wire.Captured()) != 5 {
				t.Errorf("%d permitted, %d on the wire", c.Permitted.Load(), len(w.wire.Captured()))
			}
			for i, d := range w.wire.Captured() {
				if !bytes.Equal(d.Data, want[i]) {
					t.Errorf("datagram %d is another one", i)
				}
			}
		case policy.Block:
			if c.Count(Blocked) != 5 || len(w.wire.Captured()) != 0 {
				t.Errorf("%d blocked, %d on the wire", c.Count(Blocked), len(w.wire.Captured()))
			}
		default:
			if c.Held.Load() != 5 || len(w.wire.Captured()) != 0 {
				t.Errorf("%d held, %d on the wire", c.Held.Load(), len(w.wire.Captured()))
			}
			w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.b.addr[0], Remote: w.a.addr[0]}}})
			w.key(s, f)
			if got := w.b.receive(); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d of 5 held datagrams arrived as they were", len(got))
			}
		}
		w.a.conserve()
	}
}

// RFC 4301 §8.2: datagrams that do not fit are answered, each; the others are not held up.
func TestSuperpacketsTooBigForThePath(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, udp: true, mtu: 900}
	w.protect(s)
	q, _ := superOf(t, w, s, 6, 1000, 4*1000+10)
	w.a.sendSuper(q)
	c := &w.a.plane.count
	if c.Count(Oversize) != 4 || c.Replies.Load() != 4 || c.Sealed.Load() != 1 {
		t.Errorf("%d too big, %d answered, %d sealed", c.Count(Oversize), c.Replies.Load(), c.Sealed.Load())
	}
	w.a.conserve()
}

func TestSillySuperpacketsAreCounted(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true}
	w.protect(s)
	good, _ := superOf(t, w, s, 6, 100, 1000)
	for name, change := range map[string]func(*tun.Packet){
		"no IP":                      func(q *tun.Packet) { q.Buf[q.Off] = 0 },
		"cut":                        func(q *tun.Packet) { q.N = 30 },
		"a protocol that is not cut": func(q *tun.Packet) { q.Buf[q.Off+9] = 50 },
		"no header of its length": func(q *tun.Packet) {
			q.Buf[q.Off+20+12] = 0xf0
			q.N = 60
			binary.BigEndian.PutUint16(q.Buf[q.Off+2:], 60)
		},
		"a negative segment": func(q *tun.Packet) { q.Segment = -5 },
		"a fragment":         func(q *tun.Packet) { q.Buf[q.Off+6] |= 0x20 },
	} {
		q := good
		q.Buf = bytes.Clone(good.Buf)
		change(&q)
		before := w.a.plane.count.Count(Malformed)
		w.a.sendSuper(q)
		if n := w.a.plane.count.Count(Malformed) - before; n != 1 || len(w.wire.Captured()) != 0 {
			t.Errorf("%s: %d counted, %d on the wire", name, n, len(w.wire.Captured()))
		}
	}
	w.a.conserve()
}

// Flows that take turns, more than there are slots for, each have the SA of their own filter.
func TestFlowsThatTakeTurns(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	var want [][]byte
	for i := range 3 * flowSlots * 2 {
		want = append(want, udpPorts("10.1.0.5", "10.2.0.5", uint16(1000+i%(3*flowSlots)), 53, i%7))
	}
	d := w.b.takesSuper()
	w.a.send(want...)
	w.b.receive()
	if len(d.got) != len(want) {
		t.Fatalf("%d of %d arrived", len(d.got), len(want))
	}
	// Flows may overtake each other, datagrams of one may not.
	flows := func(list [][]byte) map[packet.Key][][]byte {
		m := map[packet.Key][][]byte{}
		for _, p := range list {
			var h packet.Header
			check(t, h.Parse(p))
			m[h.Key] = append(m[h.Key], p)
		}
		return m
	}
	got := flows(d.got)
	for k, list := range flows(want) {
		if !slices.EqualFunc(got[k], list, bytes.Equal) {
			t.Errorf("the datagrams of %v are others, or out of order", k)
		}
	}
	w.a.conserve()
}

// A superpacket whose two places are taken by other flows of the batch is not one of theirs.
func TestNoiseIsNotSealedAsAnotherFlow(t *testing.T) {
	w, s := newWorld(t), setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	noise, list := superOf(t, w, s, 17, 100, 300)
	copy(noise.Bytes()[16:], []byte{224, 0, 0, 251})
	slot := func(pkt []byte) uint64 {
		var h packet.Header
		check(t, h.Parse(pkt))
		return hash(pkt, &h) >> (64 - flowBits)
	}
	batch := make([]tun.Packet, 0, 3)
	for at := range uint64(2) {
		q, _ := superOf(t, w, s, 17, 100, 90)
		q.Segment = 0
		for port := uint16(1); slot(q.Bytes()) != slot(noise.Bytes())^at; port++ {
			binary.BigEndian.PutUint16(q.Bytes()[20:], port)
		}
		batch = append(batch, q)
	}
	w.a.out.batch(append(batch, noise))
	if c := &w.a.plane.count; c.Sealed.Load() != 2 || c.Count(DeviceNoise) != uint64(len(list)) {
		t.Errorf("%d sealed, drops %v", c.Sealed.Load(), c.Drops())
	}
	w.a.conserve()
}
