package dataplane

import (
	"bytes"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// routed4 puts a loose source route with a hop to go behind an IPv4 header; routed6 a routing header of type 0.
func routed4(pkt []byte) []byte {
	out := slices.Insert(bytes.Clone(pkt), 20, 131, 7, 4, 203, 0, 113, 9, 0)
	out[0] = 0x47
	out[3] += 8
	return out
}

func routed6(pkt []byte) []byte {
	ext := make([]byte, 24)
	ext[0], ext[1], ext[3] = pkt[6], 2, 1
	copy(ext[8:], pkt[24:40])
	out := slices.Insert(bytes.Clone(pkt), 40, ext...)
	out[6] = 43
	out[5] += 24
	return out
}

// RFC 5095, RFC 7126 §4.3: where a source-routed packet goes to in the end, no selector has judged.
func TestSourceRoutedPacketsAreNotDelivered(t *testing.T) {
	for _, s := range []setup{{mode: suite.Tunnel, esp: true}, {mode: suite.Tunnel, esp: true, udp: true}, {mode: suite.Tunnel, esp: true, inner6: true}} {
		w := newWorld(t)
		w.protect(s)
		plain := s.inner(w, 40)
		routed := routed4(plain)
		if s.inner6 {
			routed = routed6(plain)
		}
		w.a.send(routed, plain)
		if got := w.b.receive(); len(got) != 1 || !bytes.Equal(got[0], plain) {
			t.Errorf("%+v: %d arrived", s, len(got))
		}
		if n := w.b.plane.count.Count(SourceRouted); n != 1 {
			t.Errorf("%+v: %v", s, w.b.plane.count.Drops())
		}
	}
}

// RFC 3948: in UDP transport mode the receiver writes the IP header. The datagrams of a run lie close together, and none may spoil another.
func TestTransportInUDPRunsStayWhole(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, encr := range []suite.Encr{suite.AESGCM16, suite.AESGCM8, suite.Null} {
			s := setup{mode: suite.Transport, esp: true, udp: true, v6: v6, encr: encr}
			if encr == suite.Null {
				s.integ = suite.HMACSHA1_96
			}
			w := newWorld(t)
			w.protect(s)
			var run, sent [][]byte
			for i := range 6 {
				pkt := s.inner(w, 501)
				pkt[len(pkt)-1], pkt[len(pkt)-2] = byte(i), byte(i)
				sent = append(sent, pkt)
			}
			w.a.send(sent...)
			for _, d := range w.wire.Captured() {
				run = append(run, d.Data)
			}
			in := w.b.ins[0]
			if v6 {
				in = w.b.ins[2]
			}
			m := in.msgs[0]
			m.N, m.Segment, in.now = copy(m.Buf[m.Off:], slices.Concat(run...)), len(run[0]), w.now
			in.batch(append(in.msgs[:0:0], m))
			got := w.b.delivered()
			if len(got) != len(sent) {
				t.Fatalf("%d of %d arrived: %v", len(got), len(sent), w.b.plane.count.Drops())
			}
			for i := range got {
				if n := len(sent[i]) - 510; !bytes.Equal(got[i][len(got[i])-501:], sent[i][len(sent[i])-501:]) || n < 0 {
					t.Errorf("IPv6 %v, %v: datagram %d is spoilt", v6, encr, i)
				}
			}
		}
	}
}

// RFC 4301 §5.2: the AH of a bundle carries ESP. A packet that was authenticated but not encrypted is not what the policy asks for.
func TestRFC4301Section5_2BundleNeedsBothSAs(t *testing.T) {
	for _, mode := range []suite.Mode{suite.Transport, suite.Tunnel} {
		w := newWorld(t)
		w.protect(setup{mode: mode, esp: true, ah: true})
		// The sender forgets the ESP, and has all keys.
		for _, e := range w.a.plane.snapshot.Load().byID {
			for _, b := range e.all() {
				bare := *b
				bare.ESP = nil
				check(t, install(w.a, e, &bare))
			}
		}
		w.a.send(setup{mode: mode}.inner(w, 100))
		if got := w.b.receive(); len(got) != 0 || w.b.plane.count.Count(WrongWrapping) != 1 {
			t.Errorf("mode %d: %d arrived, %v", mode, len(got), w.b.plane.count.Drops())
		}
	}
}

func install(s *side, e *entry, b *Bundle) error {
	sel := e.filter.Filter
	if !s.plane.Install(e.filter.ID, Pair{sel.Src.From, sel.Dst.From}, b) {
		return sa.ErrSPI
	}
	return nil
}

// A worker that still has the old policy must not leave a packet with a filter that is gone: nobody would ever send or drop it.
func TestNothingIsHeldForAFilterThatIsGone(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true}
	f := &policy.QuickModeFilter{ID: "f", Filter: w.defaultFilter(s), Action: policy.Negotiate,
		Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}}
	w.a.apply(f)
	w.a.out.begin()
	w.a.apply()
	w.a.plane.count.FromTUN.Add(1)
	w.a.out.packet(s.inner(w, 10))
	w.a.out.flush()
	if c := &w.a.plane.count; c.Held.Load() != c.Released.Load() || c.Count(NoSA) != 1 {
		t.Fatalf("%d held, %d released, %v", c.Held.Load(), c.Released.Load(), c.Drops())
	}
	w.a.conserve()
}
