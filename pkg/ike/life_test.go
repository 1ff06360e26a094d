package ike

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

func established(t *testing.T, s settings) *world {
	t.Helper()
	w := newWorld(t, s, s)
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	return w
}

// only returns the one child in use at host n.
func (w *world) only(n int) *isakmp.ChildSA {
	w.tb.Helper()
	h := w.hosts[n]
	if len(h.inUse) != 1 {
		w.tb.Fatalf("host %d has %d children in use", n, len(h.inUse))
	}
	for _, id := range h.inUse {
		return h.children[id]
	}
	return nil
}

// busy reports traffic in both directions every second while the world runs.
func (w *world) busy(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.run(time.Second)
		w.talk(true, true)
	}
}

// talk lets traffic flow: forth from host 0, back to it. What is sent on an SPI that the other end does not accept does not arrive, and is
// reported there.
func (w *world) talk(forth, back bool) {
	arrived := [2]bool{} // at host n
	for n, flows := range []bool{forth, back} {
		h, other := w.hosts[n], w.hosts[1-n]
		for _, id := range h.inUse {
			if !flows {
				continue
			}
			for _, p := range h.children[id].Protocols {
				if other.inbound[p.SPIOut] != 0 {
					arrived[1-n] = true
				} else {
					other.e.UnknownSPI(w.now, other.addr, netip.AddrPortFrom(h.addr, 0), p.Protocol, p.SPIOut)
				}
			}
		}
	}
	for n, h := range w.hosts {
		out := forth
		if n == 1 {
			out = back
		}
		for _, id := range h.inUse {
			h.e.Traffic(w.now, id, arrived[n], out)
		}
	}
	w.drain()
}

func TestRekeyOfChildAndMainModeByEitherSide(t *testing.T) {
	for side := range 2 {
		w := established(t, defaults())
		first := w.only(side)
		if err := w.hosts[side].e.Rekey(w.now, first.ID); err != nil {
			t.Fatal(err)
		}
		w.run(5 * time.Second)
		w.agree(1)
		second := w.only(side)
		if second.ID == first.ID || second.Replaces != first.ID {
			t.Errorf("%d replaces %d, want a successor of %d", second.ID, second.Replaces, first.ID)
		}
		if len(w.hosts[0].inbound) != 2 {
			t.Error("the old inbound SA did not stay for a while")
		}
		w.busy(60 * time.Second)
		w.agree(1)
		if n, m := len(w.hosts[0].children), len(w.hosts[1].children); n != 1 || m != 1 {
			t.Errorf("%d and %d children left, want one", n, m)
		}
		for _, p := range w.hosts[side].e.Peers(w.now) {
			if err := w.hosts[side].e.Rekey(w.now, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.busy(100 * time.Second)
		w.agree(1)
		for n, h := range w.hosts {
			if len(h.peersUp) != 1 || len(h.downs) != 1 {
				t.Errorf("host %d: %d main-mode SAs, %d children lost; want one and one: %v", n, len(h.peersUp), len(h.downs), h.downs)
			}
		}
	}
}

func TestF3BothSidesRekeyAtOnce(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorldSeed(t, defaults(), defaults(), seed)
		w.want(0)
		w.run(5 * time.Second)
		for n, h := range w.hosts {
			if err := h.e.Rekey(w.now, w.only(n).ID); err != nil {
				t.Fatal(err)
			}
		}
		w.run(2 * time.Second)
		a, b := w.only(0), w.only(1)
		if a.Protocols[0].SPIIn != b.Protocols[0].SPIOut || a.Protocols[0].SPIOut != b.Protocols[0].SPIIn {
			t.Errorf("seed %d: the ends use different pairs", seed)
		}
		w.agree(1)
		w.busy(100 * time.Second)
		w.agree(1)
		if n, m := len(w.hosts[0].children), len(w.hosts[1].children); n != 1 || m != 1 {
			t.Errorf("seed %d: %d and %d children left", seed, n, m)
		}
	}
}

func TestP31BothSidesBeginAtOnce(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorldSeed(t, defaults(), defaults(), seed)
		w.want(0)
		w.want(1)
		w.busy(120 * time.Second)
		w.agree(1)
		for n, h := range w.hosts {
			if len(h.children) != 1 || len(h.peersUp) != 1 {
				t.Errorf("seed %d, host %d: %d children, %d main-mode SAs", seed, n, len(h.children), len(h.peersUp))
			}
		}
		a, b := w.only(0), w.only(1)
		if a.Protocols[0].SPIIn != b.Protocols[0].SPIOut {
			t.Errorf("seed %d: the ends use different pairs", seed)
		}
	}
}

func TestDeleteByEitherSide(t *testing.T) {
	for side := range 2 {
		w := established(t, defaults())
		if err := w.hosts[side].e.Delete(w.now, w.only(side).ID); err != nil {
			t.Fatal(err)
		}
		w.run(10 * time.Second)
		w.agree(0)
		for n, h := range w.hosts {
			if len(h.children) != 0 || len(h.inbound) != 0 || len(h.peersUp) != 1 {
				t.Errorf("host %d keeps %d children, %d main-mode SAs", n, len(h.children), len(h.peersUp))
			}
		}
		// The main-mode SA goes, and takes nothing along that is not its own.
		w.want(1)
		w.run(5 * time.Second)
		w.agree(1)
		for _, p := range w.hosts[side].e.Peers(w.now) {
			if err := w.hosts[side].e.Delete(w.now, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.run(10 * time.Second)
		w.agree(1)
		if len(w.hosts[0].peersUp)+len(w.hosts[1].peersUp) != 0 {
			t.Error("a main-mode SA outlived its deletion")
		}
		// A child still renews: a main mode comes first.
		if err := w.hosts[0].e.Rekey(w.now, w.only(0).ID); err != nil {
			t.Fatal(err)
		}
		w.busy(100 * time.Second)
		w.agree(1)
	}
}

func TestClose(t *testing.T) {
	w := established(t, defaults())
	w.hosts[0].e.Close(w.now)
	w.run(10 * time.Second)
	for n, h := range w.hosts {
		if s := h.e.Stats(); s.Children+s.MainModes+s.Peers != 0 || len(h.children)+len(h.peersUp) != 0 {
			t.Errorf("host %d keeps %+v", n, s)
		}
	}
}

func TestRFC3706DeadPeer(t *testing.T) {
	s := defaults()
	w := established(t, s)
	w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil } // the wire is cut
	start := w.now
	for len(w.hosts[0].downs) == 0 && w.now.Sub(start) < 5*time.Minute {
		w.talk(true, false)
		w.run(time.Second)
	}
	// security.md F5: the black hole lasts no longer than the interval and the timeout.
	if took := w.now.Sub(start); took > 50*time.Second {
		t.Errorf("the dead peer was found after %v", took)
	}
	if h := w.hosts[0]; len(h.children) != 0 || len(h.peerDown) != 1 {
		t.Errorf("left: %d children, %d peers down", len(h.children), len(h.peerDown))
	}
	w.fate = nil
	w.want(0)
	w.busy(20 * time.Second)
	if len(w.hosts[0].inUse) != 1 {
		t.Error("traffic did not bring the peer back")
	}
	w.busy(2 * time.Minute)
	w.agree(1)
	if len(w.hosts[1].children) != 1 {
		t.Errorf("INITIAL-CONTACT left %d children at the peer", len(w.hosts[1].children))
	}
}

func TestRFC3706LivePeerStays(t *testing.T) {
	w := established(t, defaults())
	for range 120 { // one-way traffic
		w.talk(true, false)
		w.run(time.Second)
	}
	w.agree(1)
	if n := len(w.hosts[0].downs) + len(w.hosts[1].downs); n != 0 {
		t.Errorf("%d children lost under one-way traffic", n)
	}
	if w.hosts[1].e.Stats().Replayed != 0 {
		t.Error("questions were taken for replays")
	}
}

// A host that is held up for longer than the timeout, by a large reload on a busy machine say, or asleep, while a question is under way has not waited for the answer:
// that lies there, or the question is asked again. A peer that is dead is found dead nevertheless.
func TestRFC3706TimeWithoutTheHostDoesNotCount(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := established(t, defaults())
		asked := false
		w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
			if h, err := isakmp.ParseHeader(d.Data); err == nil && from == 0 && h.Exchange == isakmp.Informational {
				if asked = true; lost {
					return nil
				}
			}
			return []time.Duration{10 * time.Millisecond}
		}
		for end := w.now.Add(2 * time.Minute); !asked && w.now.Before(end); {
			w.talk(true, false)
			w.run(5 * time.Millisecond) // not long enough for the answer
		}
		if !asked {
			t.Fatal("nothing was asked")
		}
		h := w.hosts[0]
		w.fate = nil
		w.now = w.now.Add(100 * time.Second)
		h.e.Advance(w.now) // an endpoint's alarms ring before it reads what has come meanwhile
		w.run(time.Minute)
		if len(h.downs) != 0 || len(h.peerDown) != 0 || h.e.Stats().DeadPeers != 0 {
			t.Errorf("question lost %v: the peer was taken for dead: %+v", lost, h.peerDown)
		}
		// Once more, and now it is dead.
		w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
		start, held := w.now, 0
		for len(h.downs) == 0 && w.now.Sub(start) < 10*time.Minute {
			w.talk(true, false)
			w.run(time.Second)
			if held++; held == 20 {
				w.now = w.now.Add(2 * time.Minute)
				h.e.Advance(w.now)
			}
		}
		if took := w.now.Sub(start); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("a dead peer was found after %v, two minutes of which the host was asleep", took)
		}
	}
}

func TestF5RebootWithInitialContact(t *testing.T) {
	for side := range 2 {
		w := established(t, defaults())
		w.hosts[side].boot(99)
		w.hosts[side].peersUp = map[uint64]isakmp.PeerInfo{}
		w.want(side)
		w.run(10 * time.Second)
		w.agree(1)
		for n, h := range w.hosts {
			if len(h.children) != 1 || len(h.peersUp) != 1 {
				t.Errorf("host %d: %d children, %d main-mode SAs", n, len(h.children), len(h.peersUp))
			}
		}
	}
}

func TestIdleChildIsDropped(t *testing.T) {
	s := defaults()
	s.peer.IdleTimeout = 60 * time.Second
	w := established(t, s)
	w.busy(100 * time.Second)
	w.agree(1)
	w.run(70 * time.Second)
	w.agree(0)
	if len(w.hosts[0].children)+len(w.hosts[1].children) != 0 {
		t.Error("an idle child stayed")
	}
}

func TestQuickModesPerMainMode(t *testing.T) {
	s := defaults()
	s.quick = 1
	w := established(t, s)
	for range 3 {
		if err := w.hosts[0].e.Rekey(w.now, w.only(0).ID); err != nil {
			t.Fatal(err)
		}
		w.busy(5 * time.Second)
	}
	w.agree(1)
	// Each quick mode after the first has a main mode of its own.
	if n := w.hosts[0].e.Stats().MainModes; n != 4 {
		t.Errorf("%d main-mode SAs for four quick modes", n)
	}
	w.busy(100 * time.Second)
	w.agree(1)
}

func TestExpiringAndExpired(t *testing.T) {
	w := established(t, defaults())
	first := w.only(0).ID
	w.hosts[0].e.Expiring(w.now, first)
	w.hosts[0].e.Expiring(w.now, first)
	w.run(3 * time.Second)
	w.agree(1)
	if w.only(0).ID == first {
		t.Error("no successor")
	}
	w.hosts[0].e.Expired(w.now, w.only(0).ID, "bytes")
	w.run(3 * time.Second)
	w.agree(0)
	w.hosts[0].e.Expired(w.now, 12345, "unknown") // no effect
}

func TestResponderLifetime(t *testing.T) {
	for side := range 2 {
		a, b := defaults(), defaults()
		long, short := espMethod(suite.AESCBC, 128, suite.HMACSHA1_96), espMethod(suite.AESCBC, 128, suite.HMACSHA1_96)
		long.Lifetime = policy.Lifetime{Seconds: 100000, Kilobytes: 5000000}
		short.Lifetime = policy.Lifetime{Seconds: 900, Kilobytes: 70000}
		a.methods, b.methods = []policy.Method{long}, []policy.Method{short}
		if side == 1 {
			a, b = b, a
		}
		w := newWorld(t, a, b)
		w.want(0)
		w.run(5 * time.Second)
		w.agree(1)
		if c := w.only(0); c.Seconds != 900 || c.Kilobytes != 70000 {
			t.Errorf("agreed on %d s, %d KB", c.Seconds, c.Kilobytes)
		}
	}
}

func TestEightHours(t *testing.T) {
	s := defaults()
	s.methods[0].Lifetime.Seconds = 600
	s.life = time.Hour
	w := established(t, s)
	for w.now.Before(epoch.Add(8 * time.Hour)) {
		w.run(10 * time.Second)
		w.talk(true, true)
		if len(w.wire) > 0 {
			continue // in the middle of an exchange
		}
		w.agree(1)
		if t.Failed() {
			t.Fatalf("after %v", w.now.Sub(epoch))
		}
	}
	w.busy(2 * time.Minute)
	for n, h := range w.hosts {
		st := h.e.Stats()
		if len(h.failed) != 0 || st.BadProofs+st.Malformed+st.Replayed+st.Unexpected != 0 {
			t.Errorf("host %d: failures %v, %+v", n, h.failed, st)
		}
		if st.Children > 2 || st.MainModes > 2 {
			t.Errorf("host %d: %+v", n, st)
		}
	}
	if len(w.hosts[0].downs) < 8*6 {
		t.Errorf("only %d children were replaced", len(w.hosts[0].downs))
	}
}

func TestRFC3947(t *testing.T) {
	outside := netip.MustParseAddrPort("192.0.2.1:40500") // the NAT keeps the address and changes the port
	cases := []struct {
		name   string
		force  [2]bool
		nat    bool
		first  int
		tunnel bool
	}{
		{"none", [2]bool{}, false, 0, true},
		{"initiator forces", [2]bool{true, false}, false, 0, true},
		{"responder forces", [2]bool{false, true}, false, 0, true},
		{"both force", [2]bool{true, true}, false, 0, false},
		{"initiator behind a NAT, tunnel", [2]bool{}, true, 0, true},
		{"initiator behind a NAT, transport", [2]bool{}, true, 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := defaults(), defaults()
			a.tunnel, b.tunnel = c.tunnel, c.tunnel
			a.peer.ForceUDP, b.peer.ForceUDP = c.force[0], c.force[1]
			w := newWorld(t, a, b)
			if c.nat {
				w.nat = func(d isakmp.Datagram) isakmp.Datagram {
					if d.Remote.Addr() == addrA {
						d.Remote = netip.AddrPortFrom(outside.Addr(), outside.Port()+d.Remote.Port())
					} else {
						d.Local = netip.AddrPortFrom(addrA, d.Local.Port()-outside.Port())
					}
					return d
				}
			}
			w.want(c.first)
			w.run(5 * time.Second)
			w.agree(1)
			udp := c.nat || c.force[0] || c.force[1]
			x, y := w.only(0), w.only(1)
			if udp != (x.Local.Port() == 4500) || udp != (y.Local.Port() == 4500) || udp != (x.Remote.Port() != 0) {
				t.Errorf("ports %v %v, %v %v", x.Local, x.Remote, y.Local, y.Remote)
			}
			if c.nat && (y.Remote.Port() != outside.Port()+4500 || !y.NATRemote || !x.NATLocal || w.hosts[0].keep == 0) {
				t.Errorf("behind a NAT: %+v", y)
			}
			if err := w.hosts[1].e.Rekey(w.now, y.ID); err != nil {
				t.Fatal(err)
			}
			w.busy(100 * time.Second)
			w.agree(1)
			if c.nat && w.hosts[0].keep < 4 {
				t.Errorf("%d keepalives in 100 s", w.hosts[0].keep)
			}
			w.hosts[1].e.Close(w.now)
			w.run(5 * time.Second)
			w.agree(0)
		})
	}
}

func TestAHThroughNATIsRefused(t *testing.T) {
	s := defaults()
	s.methods = []policy.Method{{AH: &policy.AHMethod{Integ: suite.HMACSHA1_96}}}
	s.peer.ForceUDP = true
	w := newWorld(t, s, s)
	w.want(0)
	w.run(5 * time.Second)
	if f := w.hosts[0].failed; len(f) != 1 || !strings.Contains(f[0].Failure.What, "AH cannot pass the NAT") {
		t.Errorf("%+v", f)
	}
	w.agree(0)
}

func TestOwnPortWithoutFloat(t *testing.T) {
	s := defaults()
	s.peer.ForceUDP, s.peer.Port = true, 12345
	w := newWorld(t, s, s)
	for _, h := range w.hosts {
		rng := newSeeded(uint64(77 + h.n))
		e, err := New(Config{Rand: rng, Policy: h.compiled, Port: 12345, NATPort: 12345, NewSPI: func(suite.Protocol, int) (uint32, error) {
			h.nextSPI++
			h.reserved[h.nextSPI] = true
			return h.nextSPI, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		h.e = e
	}
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	if c := w.only(0); c.Local.Port() != 12345 || c.Remote.Port() != 12345 {
		t.Errorf("%v %v", c.Local, c.Remote)
	}
}

func TestSetPolicyKeepsWhatStays(t *testing.T) {
	s := defaults()
	w := established(t, s)
	h := w.hosts[0]
	child := w.only(0).ID
	h.compiled = compile(t, s, addrA, addrB, 0)
	h.e.SetPolicy(w.now, h.compiled)
	w.run(5 * time.Second)
	w.agree(1)
	if w.only(0).ID != child || len(h.peersUp) != 1 {
		t.Error("an equal policy changed SAs")
	}
	s.psk = "another key than before, for tests"
	h.compiled = compile(t, s, addrA, addrB, 0)
	h.e.SetPolicy(w.now, h.compiled)
	w.run(5 * time.Second)
	if len(h.peersUp) != 0 {
		t.Error("a main-mode SA outlived its key")
	}
	w.agree(0)
}

func TestAcquireTwiceIsOne(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	for range 5 {
		w.want(0)
	}
	w.run(5 * time.Second)
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	if len(w.hosts[0].children) != 1 || w.sent != 9 {
		t.Errorf("%d children, %d datagrams", len(w.hosts[0].children), w.sent)
	}
}

// TestRenewalThatFailsIsTriedAgain cuts the wire while a child is renewed: the old one goes on, and so do the attempts, to its end.
func TestRenewalThatFailsIsTriedAgain(t *testing.T) {
	s := defaults()
	s.methods[0].Lifetime.Seconds = 600
	s.peer.DPDInterval = time.Hour // not what is looked at here
	w := established(t, s)
	id := w.only(0).ID
	w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
	_ = w.hosts[0].e.Rekey(w.now, id)
	w.busy(200 * time.Second)
	if n := len(w.hosts[0].failed); n < 2 || w.only(0).ID != id {
		t.Errorf("%d attempts failed", n)
	}
	if i := w.hosts[0].e.Children(w.now)[0]; i.State != "up" || i.Age < 200*time.Second || i.Remaining > 400*time.Second {
		t.Errorf("%+v", i)
	}
	w.fate = nil
	w.busy(100 * time.Second)
	w.agree(1)
	if w.only(0).ID == id {
		t.Error("no successor after the wire was mended")
	}
}

// TestD18UnknownSPI: a peer that lost a deletion is told, once a second at most.
func TestD18UnknownSPI(t *testing.T) {
	w := established(t, defaults())
	keep := w.fate
	w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
	gone := w.only(0).Protocols[0].SPIOut
	if err := w.hosts[1].e.Delete(w.now, w.only(1).ID); err != nil {
		t.Fatal(err)
	}
	w.run(20 * time.Second)
	w.fate = keep
	if len(w.hosts[0].inUse) != 1 || len(w.hosts[1].inUse) != 0 {
		t.Fatal("the deletion was not lost")
	}
	sent := w.sent
	for range 100 {
		w.hosts[1].e.UnknownSPI(w.now, addrB, netip.AddrPortFrom(addrA, 0), suite.ESP, gone)
	}
	w.run(500 * time.Millisecond)
	if w.sent != sent+1 || len(w.hosts[0].inUse) != 0 {
		t.Errorf("%d answers, %d in use", w.sent-sent, len(w.hosts[0].inUse))
	}
	w.hosts[1].e.UnknownSPI(w.now, addrB, netip.MustParseAddrPort("203.0.113.1:0"), suite.ESP, gone)
	w.agree(0)
}
