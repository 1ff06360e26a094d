package dataplane

import (
	"bytes"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// softRule is a rule of transport mode that falls back to clear.
func softRule() *policy.Rule {
	return &policy.Rule{Name: "soft", Action: policy.FilterAction{Kind: policy.Negotiate, Fallback: &policy.Fallback{}}}
}

// softWorld has a filter on side A between the two hosts that falls back to clear.
func softWorld(t *testing.T, w *world) (Pair, classifier.Filter) {
	t.Helper()
	f := w.defaultFilter(setup{mode: suite.Transport})
	w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: softRule()})
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: softRule()})
	return Pair{w.a.addr[0], w.b.addr[0]}, f
}

// acquires takes the events that ask for a negotiation.
func (s *side) acquires() (n int) {
	for {
		select {
		case ev := <-s.events:
			if ev.Kind == Acquire {
				n++
			}
		default:
			return n
		}
	}
}

// TestSoftSALife: packets wait; then they and the next ones leave in clear, unchanged, in order; at its end they wait again, also if nobody takes the soft SA away.
func TestSoftSALife(t *testing.T) {
	w := newWorld(t)
	pair, _ := softWorld(t, w)
	pkt := func(n int) []byte { return udp(pair.Local.String(), pair.Remote.String(), n) }
	w.a.send(pkt(1), pkt(2))
	w.now = w.now.Add(3 * time.Second)
	w.a.plane.Expire(w.now, time.Second) // packets wait as long as the fall-back may come
	if n := len(w.wire.Captured()); n != 0 {
		t.Fatalf("%d datagrams left before the fall-back", n)
	}
	s := w.a.plane.Soften("f", pair, w.now.Add(time.Minute))
	w.a.send(pkt(3))
	got := w.wire.Captured()
	for i := range got {
		if !bytes.Equal(got[i].Data, pkt(i+1)) {
			t.Errorf("datagram %d is %x", i, got[i].Data)
		}
	}
	c := &w.a.plane.count
	if len(got) != 3 || c.Soft.Load() != 3 || c.Permitted.Load() != 0 || s.Packets() != 3 || s.Bytes() != uint64(3*28+1+2+3) {
		t.Fatalf("%d datagrams, %d counted as soft, %d as permitted, %d (%d bytes) by the soft SA", len(got), c.Soft.Load(), c.Permitted.Load(), s.Packets(), s.Bytes())
	}
	w.a.send(udp("192.0.2.9", pair.Remote.String(), 5)) // no filter is about it
	w.now = w.now.Add(time.Minute)
	w.a.send(pkt(4))
	if n := len(w.wire.Captured()); n != 4 || c.Held.Load() != 3 {
		t.Errorf("after its end %d datagrams were sent and %d held", n, c.Held.Load())
	}
	w.a.conserve()
}

// TestSoftSAIsForOnePairAndFilter: neither another host nor another filter of the same hosts gets anything from it.
func TestSoftSAIsForOnePairAndFilter(t *testing.T) {
	w := newWorld(t)
	a, b := w.a.addr[0], w.b.addr[0]
	wide := classifier.Filter{Src: classifier.HostRange(a), Dst: subnet("192.0.2.0/24")}
	narrow := wide
	narrow.Proto, narrow.DstPorts = 17, classifier.Port(4001)
	w.a.apply(&policy.QuickModeFilter{ID: "narrow", Filter: narrow, Action: policy.Negotiate, Rule: softRule()},
		&policy.QuickModeFilter{ID: "wide", Filter: wide, Action: policy.Negotiate, Rule: softRule()})
	if w.a.plane.Soften("wide", Pair{a, b}, w.now.Add(time.Minute)) == nil {
		t.Fatal("no soft SA")
	}
	w.a.send(udpPorts(a.String(), b.String(), 4000, 4001, 1), udpPorts(a.String(), "192.0.2.3", 4000, 4002, 1), udpPorts(a.String(), b.String(), 4000, 4002, 1))
	if n := len(w.wire.Captured()); n != 1 || w.a.plane.count.Held.Load() != 2 {
		t.Errorf("%d datagrams were sent, %d held; want 1 and 2", n, w.a.plane.count.Held.Load())
	}
}

// TestSoftSANeedsAFilterThatFallsBack: the data plane does not take its owner's word for it.
func TestSoftSANeedsAFilterThatFallsBack(t *testing.T) {
	w := newWorld(t)
	f := w.defaultFilter(setup{mode: suite.Transport})
	tunnel := softRule()
	tunnel.Tunnel = &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}
	w.a.apply(&policy.QuickModeFilter{ID: "plain", Filter: f, Action: policy.Negotiate, Rule: &policy.Rule{}}, &policy.QuickModeFilter{ID: "tunnel", Filter: f, Action: policy.Negotiate, Rule: tunnel})
	for _, id := range []string{"plain", "tunnel", "gone"} {
		if w.a.plane.Soften(id, Pair{w.a.addr[0], w.b.addr[0]}, w.now.Add(time.Minute)) != nil {
			t.Errorf("%s: there is a soft SA", id)
		}
		w.a.plane.Harden(id, Pair{w.a.addr[0], w.b.addr[0]})
	}
}

// TestRealSAGoesBeforeSoftOne: as soon as it is there packets are protected; when both are gone they wait.
func TestRealSAGoesBeforeSoftOne(t *testing.T) {
	w := newWorld(t)
	pair, f := softWorld(t, w)
	pkt := udp(pair.Local.String(), pair.Remote.String(), 30)
	w.a.plane.Soften("f", pair, w.now.Add(time.Minute))
	w.a.send(pkt)
	w.key(setup{mode: suite.Transport, esp: true}, f)
	before := len(w.wire.Captured())
	w.a.send(pkt, pkt)
	for _, d := range w.wire.Captured()[before:] {
		if bytes.Contains(d.Data, pkt[28:]) {
			t.Error("a packet left in clear although there is a real SA")
		}
	}
	w.a.plane.Harden("f", pair)
	w.a.plane.Uninstall("f", 1)
	w.a.send(pkt)
	c := &w.a.plane.count
	if c.Soft.Load() != 1 || c.Sealed.Load() != 2 || c.Held.Load() != 1 {
		t.Errorf("%d soft, %d sealed, %d held; want 1, 2, 1", c.Soft.Load(), c.Sealed.Load(), c.Held.Load())
	}
	w.a.conserve()
}

// TestSoftSAAsksForARealOne: while traffic flows, every SoftRetry; without traffic never.
func TestSoftSAAsksForARealOne(t *testing.T) {
	w := newWorld(t)
	pair, _ := softWorld(t, w)
	w.a.plane.Soften("f", pair, w.now.Add(time.Hour))
	pkt := udp(pair.Local.String(), pair.Remote.String(), 30)
	asked := 0
	for range 600 {
		w.a.send(pkt, pkt)
		asked += w.a.acquires()
		w.now = w.now.Add(time.Second)
	}
	if asked != 19 { // after 30, 60, … 570 seconds
		t.Errorf("asked %d times in ten minutes", asked)
	}
}

// TestSoftSAStaysOverAReload if its filter does, and goes with it.
func TestSoftSAStaysOverAReload(t *testing.T) {
	w := newWorld(t)
	pair, f := softWorld(t, w)
	w.a.plane.Soften("f", pair, w.now.Add(time.Hour))
	pkt := udp(pair.Local.String(), pair.Remote.String(), 30)
	w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: softRule()})
	w.a.send(pkt)
	w.a.apply(&policy.QuickModeFilter{ID: "g", Filter: f, Action: policy.Negotiate, Rule: softRule()})
	w.a.send(pkt)
	if c := &w.a.plane.count; c.Soft.Load() != 1 || c.Held.Load() != 1 {
		t.Errorf("%d soft, %d held", c.Soft.Load(), c.Held.Load())
	}
}

// TestSoftPacketsTooBigForTheirPath are answered or fragmented, as permitted ones are, and counted as soft.
func TestSoftPacketsTooBigForTheirPath(t *testing.T) {
	w := newNarrowWorld(t, 1280)
	pair, _ := softWorld(t, w)
	w.a.plane.Soften("f", pair, w.now.Add(time.Hour))
	pkt := udp(pair.Local.String(), pair.Remote.String(), 1340)
	w.a.send(pkt)
	reply := w.a.delivered()
	if len(reply) != 1 {
		t.Fatalf("%d replies", len(reply))
	}
	if mtu, _, ok := packet.ParseTooBig(reply[0]); !ok || mtu != 1280 {
		t.Errorf("the reply names %d", mtu)
	}
	w.a.send(fragmentable(pkt))
	if c := &w.a.plane.count; c.Soft.Load() != 1 || c.Permitted.Load() != 0 {
		t.Errorf("%d soft, %d permitted; drops %v", c.Soft.Load(), c.Permitted.Load(), c.Drops())
	}
	w.a.conserve()
}

// discard takes whatever is sent.
type discard struct{ netio.Conn }

func (discard) WriteBatch(msgs []netio.Message) (int, error) { return len(msgs), nil }

func TestSoftPathDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	pair, _ := softWorld(t, w)
	w.a.plane.Soften("f", pair, w.now.Add(time.Hour))
	w.a.plane.cfg.IP = discard{}
	pkt := udp(pair.Local.String(), pair.Remote.String(), 1000)
	o := &w.a.out
	if n := testing.AllocsPerRun(200, func() {
		o.begin()
		for range 20 {
			o.packet(pkt)
		}
		o.flush()
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
	if w.a.plane.count.Soft.Load() == 0 {
		t.Error("nothing was sent: the test is wrong")
	}
}
