package dataplane

import (
	"bytes"
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows of the security catalogue that are about packets. Those about devices, sockets and goroutines are in rows_run_test.go.

// sealer makes packets for an inbound SA of side b as its peer, or a hostile one, would.
func sealer(t *testing.T, spi uint32) (sa.Sealer, sa.Opener) {
	t.Helper()
	key := bytes.Repeat([]byte{5}, suite.AESGCM16.KeyMatLen(128))
	s, err := esp.NewSealer(suite.AESGCM16, key, 0, nil, spi, false, bytes.NewReader(make([]byte, 64)))
	check(t, err)
	o, err := esp.NewOpener(suite.AESGCM16, key, 0, nil, spi, false)
	check(t, err)
	return s, o
}

// tunnelTo installs an inbound SA at b in UDP, and returns what seals packets for it.
func (w *world) tunnelTo(spi uint32, f classifier.Filter) func(seq uint64, inner []byte) []byte {
	w.t.Helper()
	s, o := sealer(w.t, spi)
	in := sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: o, Local: netip.AddrPortFrom(w.b.addr[0], 4500),
		Remote: netip.AddrPortFrom(w.a.addr[0], 4500), Selector: f, ID: uint64(spi)}, w.now)
	check(w.t, w.b.db.InstallManual(in))
	return func(seq uint64, inner []byte) []byte {
		next := uint8(4)
		if inner[0]>>4 == 6 {
			next = 41
		}
		pkt := make([]byte, s.SealedLen(len(inner)))
		copy(pkt[s.Head():], inner)
		check(w.t, s.Seal(pkt, 0, len(inner), next, seq))
		return pkt
	}
}

// TestD9OnlyTheSAsOwnSelectors: two SAs of one peer. A packet for the selectors of one that comes by the other is dropped, as is any whose source,
// destination, protocol or port is outside.
func TestD9OnlyTheSAsOwnSelectors(t *testing.T) {
	w := newWorld(t)
	web := classifier.Filter{Src: subnet("10.1.0.0/24"), Dst: subnet("10.2.0.0/24"), Proto: 17, DstPorts: classifier.Port(80)}
	all := classifier.Filter{Src: subnet("10.7.0.0/24"), Dst: subnet("10.2.0.0/24")}
	six := classifier.Filter{Src: subnet("fd00:1::/64"), Dst: subnet("fd00:2::/64")}
	one, two, three := w.tunnelTo(0x1001, web), w.tunnelTo(0x1002, all), w.tunnelTo(0x1003, six)
	seq := uint64(0)
	send := func(seal func(uint64, []byte) []byte, inner []byte) int {
		seq++
		return len(feed(w, seal(seq, inner)))
	}
	good, other := udpPorts("10.1.0.5", "10.2.0.5", 9, 80, 30), udpPorts("10.7.0.5", "10.2.0.5", 9, 80, 30)
	good6 := udpPorts("fd00:1::5", "fd00:2::5", 9, 80, 30)
	if send(one, good) != 1 || send(two, other) != 1 || send(three, good6) != 1 {
		t.Fatalf("good packets are dropped: %v", w.b.plane.count.Drops())
	}
	bad := 0
	for name, n := range map[string]int{
		"the other SA's": send(one, other), "the other SA's, the other way": send(two, good), "IPv6 by IPv4": send(one, good6), "IPv4 by IPv6": send(three, good),
		"another source": send(one, udpPorts("10.1.1.5", "10.2.0.5", 9, 80, 30)), "another destination": send(one, udpPorts("10.1.0.5", "10.2.1.5", 9, 80, 30)),
		"another port": send(one, udpPorts("10.1.0.5", "10.2.0.5", 80, 9, 30)), "turned round": send(one, udpPorts("10.2.0.5", "10.1.0.5", 9, 80, 30)),
		"another protocol": send(one, fixHeader(append([]byte{69, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, 0, 5, 10, 2, 0, 5}, make([]byte, 20)...))),
		"IPv6 source":      send(three, udpPorts("fd00:9::5", "fd00:2::5", 9, 80, 30)), "IPv6 destination": send(three, udpPorts("fd00:1::5", "fd00:9::5", 9, 80, 30)),
	} {
		bad++
		if n != 0 {
			t.Errorf("%s: delivered", name)
		}
	}
	if n := w.b.plane.count.Count(SelectorMismatch); n != uint64(bad) {
		t.Errorf("%d of %d are counted as outside of the selectors: %v", n, bad, w.b.plane.count.Drops())
	}
}

// TestD16OnlyFreshPacketsReportAMove: a packet that is authentic and newest tells of a new address; a replay, a late one or a forged one does not.
func TestD16OnlyFreshPacketsReportAMove(t *testing.T) {
	w := newWorld(t)
	seal := w.tunnelTo(0x1001, classifier.Filter{Src: subnet("10.1.0.0/24"), Dst: subnet("10.2.0.0/24")})
	inner := udp("10.1.0.5", "10.2.0.5", 30)
	from := func(remote string, data []byte) (events int) {
		in := w.b.ins[0]
		m := in.msgs[0]
		copy(m.Buf[m.Off:], data)
		m.N, m.Segment, m.TOS, m.Remote, m.Local = len(data), 0, 0, netip.MustParseAddrPort(remote), in.socket.LocalAddr()
		in.now = w.now
		in.batch(append(in.msgs[:0:0], m))
		for {
			select {
			case ev := <-w.b.events:
				if ev.Kind == Rebound {
					if ev.Remote.String() != remote {
						t.Errorf("moved to %v, want %v", ev.Remote, remote)
					}
					events++
				}
			default:
				return events
			}
		}
	}
	late, first, second, third := seal(5, inner), seal(10, inner), seal(11, inner), seal(12, inner)
	forged := bytes.Clone(seal(99, inner))
	forged[len(forged)-1] ^= 1
	for _, step := range []struct {
		what, from string
		data       []byte
		moves      int
	}{
		{"the first, from where it is", "192.0.2.1:4500", bytes.Clone(first), 0},
		{"a fresh one from another port", "192.0.2.1:61000", bytes.Clone(second), 1},
		{"its replay from an attacker", "203.0.113.66:4500", bytes.Clone(second), 0},
		{"an older one, held back, from an attacker", "203.0.113.66:4500", bytes.Clone(late), 0},
		{"a forged one", "203.0.113.66:4500", forged, 0},
		{"an unknown SPI", "203.0.113.66:4500", append([]byte{9, 9, 9, 9}, first[4:]...), 0},
		{"the next from home", "192.0.2.1:4500", bytes.Clone(third), 0},
	} {
		if got := from(step.from, step.data); got != step.moves {
			t.Errorf("%s: %d moves, want %d", step.what, got, step.moves)
		}
	}
}

// TestD18FloodOfUnknownSPIs costs a look-up and a counter each: nothing is allocated, and the owner is not flooded in turn.
func TestD18FloodOfUnknownSPIs(t *testing.T) {
	w := newWorld(t)
	w.protect(setup{mode: suite.Tunnel, esp: true, udp: true})
	in := w.b.ins[0]
	msgs := in.msgs[:readBatch]
	n := uint32(0)
	allocs := testing.AllocsPerRun(200, func() {
		for i := range msgs {
			m := &msgs[i]
			n += 2654435761
			copy(m.Buf[m.Off:], []byte{byte(n>>24) | 1, byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8})
			m.N, m.Segment, m.Remote, m.Local = 64, 0, netip.AddrPortFrom(w.a.addr[0], 4500), in.socket.LocalAddr()
		}
		in.now = w.now
		in.batch(msgs)
	})
	if c := &w.b.plane.count; allocs > 1 || c.Count(UnknownSPI)+c.Count(WrongWrapping) < 3200 || c.Delivered.Load() != 0 || len(w.b.events) > 1 {
		t.Errorf("%v allocations a batch, %d events, %v", allocs, len(w.b.events), c.Drops())
	}
}

// TestF17SequenceNumbersEndInTheDataPlane: after the last number nothing leaves; the owner is told, and each packet is counted.
func TestF17SequenceNumbersEndInTheDataPlane(t *testing.T) {
	for _, esn := range []bool{false, true} {
		w := newWorld(t)
		s := setup{mode: suite.Tunnel, esp: true, udp: true, esn: esn}
		w.protect(s)
		last := uint64(1<<32 - 10)
		if esn {
			last = 1<<64 - 10
		}
		key := bytes.Repeat([]byte{9}, suite.AESGCM16.KeyMatLen(128))
		seal, err := esp.NewSealer(suite.AESGCM16, key, 0, nil, 0x1000, esn, bytes.NewReader(make([]byte, 64)))
		check(t, err)
		out := sa.NewOutbound(sa.OutboundConfig{SPI: 0x1000, Protocol: suite.ESP, Mode: s.mode, Sealer: seal, Local: netip.AddrPortFrom(w.a.addr[0], 4500),
			Remote: netip.AddrPortFrom(w.b.addr[0], 4500), ESN: esn, FirstSequence: last}, w.now)
		if !w.a.plane.Install("f", Pair{}, &Bundle{Mode: s.mode, MTU: 1500, Child: 1, ESP: out, Outer: out.Config()}) {
			t.Fatal("the bundle was not installed")
		}
		for range 30 {
			w.a.send(s.inner(w, 20))
		}
		c := &w.a.plane.count
		if c.Sealed.Load() != 9 || c.Count(OutboundLimit) != 21 || len(w.wire.Captured()) != 9 {
			t.Errorf("ESN %v: %d left, %v", esn, len(w.wire.Captured()), c.Drops())
		}
		told := false
		for len(w.a.events) > 0 {
			told = (<-w.a.events).Kind == Expired || told
		}
		if !told {
			t.Errorf("ESN %v: the owner was not told", esn)
		}
		w.a.conserve()
	}
}

// failing is a socket that the system does not take datagrams from.
type failing struct {
	netio.Conn
	err   error
	calls int
}

func (f *failing) WriteBatch(msgs []netio.Message) (int, error) {
	f.calls++
	if f.err == nil {
		return f.Conn.WriteBatch(msgs)
	}
	return 0, f.err
}

// TestF8SendErrorsAreCountedDrops: each datagram that the system refuses is in one counter, none is tried again and again, and the next one goes.
func TestF8SendErrorsAreCountedDrops(t *testing.T) {
	for _, udpEncap := range []bool{false, true} {
		for _, errno := range []error{syscall.ENOBUFS, syscall.EAGAIN, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ECONNREFUSED, syscall.EPERM, errors.New("odd"),
			&netio.TooBig{Remote: netip.MustParseAddrPort("192.0.2.2:4500"), MTU: 1300}} {
			w := newWorld(t)
			bad := &failing{Conn: w.a.plane.cfg.IP}
			if udpEncap {
				bad.Conn = w.a.plane.cfg.UDP[0].Conn
				w.a.plane.cfg.UDP[0].Conn = bad
			} else {
				w.a.plane.cfg.IP = bad
			}
			s := setup{mode: suite.Tunnel, esp: true, udp: udpEncap}
			w.protect(s)
			bad.err, bad.calls = errno, 0
			for range 50 {
				w.a.send(s.inner(w, 100))
			}
			c := &w.a.plane.count
			if c.Count(SendFailed) != 50 || c.Sealed.Load() != 0 || bad.calls != 50 {
				t.Errorf("%v: %d calls for 50 packets, %v", errno, bad.calls, c.Drops())
			}
			w.a.conserve()
			bad.err = nil
			w.a.send(s.inner(w, 100))
			if got := w.b.receive(); len(got) != 1 {
				t.Errorf("%v: afterwards %d packets arrive", errno, len(got))
			}
			var tooBig *netio.TooBig
			if errors.As(errno, &tooBig) { // and what does not fit is answered from now on
				w.a.send(s.inner(w, 1290))
				if got := w.a.delivered(); len(got) != 1 {
					t.Errorf("a path of 1300 bytes: %d answers, %v", len(got), c.Drops())
				}
			}
			w.a.conserve()
		}
	}
}

// TestD12NothingInClearInAnyState: with every action and state of SAs that there can be, no packet that a negotiate filter matches leaves unprotected.
func TestD12NothingInClearInAnyState(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true}
	f := w.defaultFilter(s)
	rule := &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}
	protect := &policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: rule}
	permit := &policy.QuickModeFilter{ID: "p", Filter: classifier.Filter{Src: subnet("0.0.0.0/0"), Dst: subnet("0.0.0.0/0")}, Action: policy.Permit, Rule: &policy.Rule{}}
	pkt := s.inner(w, 100)
	clear := func(when string) {
		t.Helper()
		for range 30 {
			w.a.send(pkt)
		}
		for _, d := range w.wire.Captured() {
			if bytes.Contains(d.Data, pkt[28:]) || bytes.Equal(d.Data, pkt) {
				t.Fatalf("%s: a packet left in clear", when)
			}
		}
	}
	clear("before any policy")
	w.a.apply(protect, permit)
	clear("without an SA")
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: rule})
	w.key(s, f)
	clear("with an SA")
	w.a.plane.Uninstall("f", 1)
	clear("after the SA is gone")
	w.a.apply(protect, permit)
	clear("after a reload")
	w.a.conserve()
}

// TestF8LongIKEMessagesGoInFragments: a message of the key exchange that is longer than its path is not refused for ever.
func TestF8LongIKEMessagesGoInFragments(t *testing.T) {
	w := newWorld(t)
	w.wire.Configure(netio.WireConfig{MTU: 500})
	for _, s := range w.a.plane.cfg.UDP[:2] { // with the marker, and without
		d := Datagram{Local: s.LocalAddr(), Remote: netip.AddrPortFrom(w.b.addr[0], s.LocalAddr().Port()), Data: bytes.Repeat([]byte{7}, 1500)}
		if err := w.a.plane.SendIKE(d); err != nil {
			t.Fatal(err)
		}
		w.b.receive()
		if got := <-w.b.control; !bytes.Equal(got.Data, d.Data) {
			t.Errorf("%d bytes arrived", len(got.Data))
		}
	}
}
