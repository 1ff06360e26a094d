package dataplane

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// fragmentable clears DF.
func fragmentable(pkt []byte) []byte {
	packet.ClearDF(pkt)
	return pkt
}

// cut makes fragments of a datagram.
func cut(t *testing.T, pkt []byte, mtu int) [][]byte {
	t.Helper()
	var h packet.Header
	check(t, h.Parse(pkt))
	frags, err := packet.Fragments(nil, pkt, &h, mtu, 77)
	check(t, err)
	return frags
}

// D10: a fragment that becomes part of nothing stands in the drop counter, whether it is refused, takes others with it, or waits for too long.
func TestFragmentsAreAccountedFor(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, mtu: 9000}
	w.protect(s)
	frags := cut(t, fragmentable(s.inner(w, 3000)), 1280)
	w.a.send(frags[0], frags[0]) // the second is a duplicate
	w.a.conserve()
	w.a.plane.Expire(w.now.Add(time.Second), time.Minute)
	if n := w.a.plane.count.Count(Reassembly); n != 1 {
		t.Fatalf("%d dropped before their time", n)
	}
	w.a.plane.Expire(w.now.Add(time.Minute), time.Minute)
	if n := w.a.plane.count.Count(Reassembly); n != 2 {
		t.Fatalf("%d dropped", n)
	}
	w.a.conserve()
	overlap := bytes.Clone(frags[1])
	overlap[7]-- // eight bytes earlier
	w.now = w.now.Add(2 * time.Minute)
	w.a.send(frags[0], overlap, frags[2]) // the overlap kills what came and what comes
	if n := w.a.plane.count.Count(Reassembly); n != 5 {
		t.Fatalf("%d dropped", n)
	}
	w.a.conserve()
}

// RFC 4301 §8.2: what is fragmented before it is sealed is several packets to the SA; the books stay even.
func TestFragmentsBeforeSealingAreAccountedFor(t *testing.T) {
	for _, mode := range []suite.Mode{suite.Tunnel, suite.Transport} {
		for _, udp := range []bool{false, true} {
			w := newWorld(t)
			s := setup{mode: mode, esp: true, udp: udp, mtu: 1400}
			w.protect(s)
			pkt := fragmentable(s.inner(w, 1372))
			w.a.send(pkt)
			w.a.conserve()
			for _, d := range w.wire.Captured() {
				if len(d.Data) > 1400 {
					t.Errorf("a datagram of %d bytes left", len(d.Data))
				}
			}
			want := uint64(1)
			if mode == suite.Tunnel {
				want = 2
			}
			if n := w.a.plane.count.Sealed.Load(); n != want {
				t.Errorf("%d sealed", n)
			}
		}
	}
}

// RFC 8200 §5, RFC 2473 §7.1: an IPv6 datagram of 1280 bytes fits every path. Where it does not when it is sealed, the sealed one is fragmented.
func TestRFC2473Section7_1MinimumIPv6DatagramsPass(t *testing.T) {
	for _, s := range []setup{{mode: suite.Tunnel, inner6: true, v6: true, esp: true}, {mode: suite.Tunnel, inner6: true, esp: true},
		{mode: suite.Tunnel, inner6: true, ah: true}, {mode: suite.Transport, v6: true, esp: true}, {mode: suite.Tunnel, inner6: true, esp: true, df: "set"}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			w := newWorld(t)
			s.mtu = 1280
			w.protect(s)
			pkt := s.inner(w, 1280-48)
			w.a.send(pkt)
			if got := w.a.delivered(); len(got) != 0 {
				t.Fatal("it was answered with ICMP, which its source can do nothing about")
			}
			var wire [][]byte
			for _, d := range w.wire.Captured() {
				if len(d.Data) > 1280 {
					t.Errorf("%d bytes left", len(d.Data))
				}
				wire = append(wire, d.Data)
			}
			if got := w.joined(wire); len(got) != 1 || !bytes.Equal(got[0], pkt) {
				t.Fatalf("%d datagrams arrived: %v", len(got), w.b.plane.count.Drops())
			}
			w.a.conserve()
		})
	}
}

// joined joins fragments, as B's system does, and has B's plane open the result.
func (w *world) joined(frags [][]byte) [][]byte {
	w.t.Helper()
	var r packet.Reassembler
	for _, f := range frags {
		var h packet.Header
		check(w.t, h.Parse(f))
		whole, err := r.Add(w.now, f, &h)
		check(w.t, err)
		if whole == nil {
			continue
		}
		in := w.b.ins[len(w.b.ins)-1]
		m := in.msgs[0]
		m.N = copy(m.Buf[m.Off:], whole)
		m.Segment, in.now = 0, w.now
		in.batch(append(in.msgs[:0:0], m))
	}
	return w.b.delivered()
}

// RFC 4301 §8.1: where the outer flag is to be clear, what is too big goes in fragments, whatever the inner flag says.
func TestRFC4301Section8_1ClearDF(t *testing.T) {
	for _, udp := range []bool{false, true} {
		w := newWorld(t)
		s := setup{mode: suite.Tunnel, esp: true, udp: udp, mtu: 1280, df: "clear"}
		w.protect(s)
		w.a.send(s.inner(w, 1250), s.inner(w, 100))
		if got := w.a.delivered(); len(got) != 0 {
			t.Fatal("it was answered with ICMP")
		}
		if n := len(w.wire.Captured()); n != 3 {
			t.Fatalf("%d datagrams left: %v", n, w.a.plane.count.Drops())
		}
		w.a.conserve()
	}
}

// A source that fragments its IPv6 datagrams has its datagram fragmented again, however small the device's MTU lets it be.
func TestJoinedIPv6DatagramsAreFragmentedAgain(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, inner6: true, v6: true, esp: true, mtu: 1400}
	w.protect(s)
	w.a.send(cut(t, s.inner(w, 1340), 1280)...)
	if got := w.b.receive(); len(got) != 2 {
		t.Fatalf("%d arrived: %v", len(got), w.a.plane.count.Drops())
	}
	w.a.conserve()
}

// A permitted packet that its path does not take is answered or, if its source lets it, fragmented; the others of the batch are not affected.
func TestPermittedPacketsTooBigForTheirPath(t *testing.T) {
	w := newNarrowWorld(t, 1280)
	s := setup{mode: suite.Tunnel, inner6: true}
	w.a.apply(&policy.QuickModeFilter{ID: "p", Filter: w.defaultFilter(s), Action: policy.Permit, Rule: &policy.Rule{}})
	small, big := s.inner(w, 100), s.inner(w, 1300)
	free := fragmentable(udp("192.0.2.1", "203.0.113.9", 1300)) // no filter is about it
	w.a.send(append([][]byte{small, big, free, udp("192.0.2.1", "203.0.113.9", 1300), small}, cut(t, s.inner(w, 1340), 1280)...)...)
	replies := w.a.delivered()
	if len(replies) != 2 {
		t.Fatalf("%d answers", len(replies))
	}
	for _, r := range replies {
		if mtu, _, ok := packet.ParseTooBig(r); !ok || mtu != 1280 {
			t.Errorf("mtu %d, %v", mtu, ok)
		}
	}
	c := &w.a.plane.count
	if n := len(w.wire.Captured()); n != 6 || c.Permitted.Load() != 4 || c.Count(Oversize) != 2 || c.Count(SendFailed) != 0 {
		t.Fatalf("%d datagrams left, %d permitted, %v", n, c.Permitted.Load(), c.Drops())
	}
	w.a.conserve()
}

// What a link refuses is counted in packets, and the path's MTU is learned for the next one.
func TestRefusedRunsAreCountedInPackets(t *testing.T) {
	w := newNarrowWorld(t, 1000)
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	w.a.send(s.inner(w, 1000), s.inner(w, 1000), s.inner(w, 1000), s.inner(w, 200))
	c := &w.a.plane.count
	if c.Count(SendFailed) != 4 || c.Sealed.Load() != 0 { // one run, all four in it
		t.Fatalf("%d sealed, %v", c.Sealed.Load(), c.Drops())
	}
	w.a.conserve()
	w.a.send(s.inner(w, 1000))
	if len(w.a.delivered()) != 1 || c.Count(Oversize) != 1 {
		t.Fatalf("%v", c.Drops())
	}
	w.a.conserve()
}
