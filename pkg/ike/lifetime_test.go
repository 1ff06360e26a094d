package ike

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

func lasting(seconds, kilobytes uint32) []policy.Method {
	m := espMethod(suite.AESCBC, 128, suite.HMACSHA1_96)
	m.Lifetime = policy.Lifetime{Seconds: seconds, Kilobytes: kilobytes}
	return []policy.Method{m}
}

// TestPeersLifetimesHaveAFloor: whichever end a peer is, in its proposal or by RESPONDER-LIFETIME, it brings this host's SAs down to the floor and no further; this host's own rule may be shorter.
func TestPeersLifetimesHaveAFloor(t *testing.T) {
	for _, c := range []struct {
		name              string
		own, peers        policy.Lifetime
		seconds, kilobyte uint32
	}{
		{"the peer asks for a second and a kilobyte", policy.Lifetime{Seconds: 3600, Kilobytes: 5000000}, policy.Lifetime{Seconds: 1, Kilobytes: 1}, policy.FloorSeconds, policy.FloorKilobytes},
		{"at the floor", policy.Lifetime{Seconds: 3600, Kilobytes: 5000000}, policy.Lifetime{Seconds: 60, Kilobytes: 20480}, 60, 20480},
		{"above it", policy.Lifetime{Seconds: 3600, Kilobytes: 5000000}, policy.Lifetime{Seconds: 61, Kilobytes: 20481}, 61, 20481},
		{"the own rule is shorter than the floor", policy.Lifetime{Seconds: 20, Kilobytes: 1000}, policy.Lifetime{Seconds: 3600, Kilobytes: 5000000}, 20, 1000},
		{"both are", policy.Lifetime{Seconds: 20, Kilobytes: 1000}, policy.Lifetime{Seconds: 2, Kilobytes: 10}, 20, 1000},
		{"the own rule has defaults", policy.Lifetime{}, policy.Lifetime{Seconds: 1, Kilobytes: 1}, policy.FloorSeconds, policy.FloorKilobytes},
		{"the peer has defaults", policy.Lifetime{Seconds: 600, Kilobytes: 30000}, policy.Lifetime{}, 600, 30000},
	} {
		for _, initiator := range []int{0, 1} { // host 0 is this one
			a, b := defaults(), defaults()
			a.methods, b.methods = lasting(c.own.Seconds, c.own.Kilobytes), lasting(c.peers.Seconds, c.peers.Kilobytes)
			w := newWorld(t, a, b)
			w.want(initiator)
			w.run(500 * time.Millisecond)
			if got := w.only(0); got.Seconds != c.seconds || got.Kilobytes != c.kilobyte {
				t.Errorf("%s, host %d begins: %d s and %d KB, want %d and %d", c.name, initiator, got.Seconds, got.Kilobytes, c.seconds, c.kilobyte)
			}
		}
	}
}

// TestMainModeLifetimeHasAFloor likewise. A responder gives back the lifetime that it was offered, so only it learns of another.
func TestMainModeLifetimeHasAFloor(t *testing.T) {
	for _, c := range []struct{ own, peers, want time.Duration }{
		{8 * time.Hour, time.Second, time.Minute}, {8 * time.Hour, time.Hour, time.Hour}, {time.Hour, 8 * time.Hour, time.Hour}, {30 * time.Second, time.Second, 30 * time.Second}, {0, 0, 8 * time.Hour},
	} {
		for _, initiator := range []int{0, 1} {
			a, b := defaults(), defaults()
			a.life, b.life = c.own, c.peers
			w := newWorld(t, a, b)
			w.want(initiator)
			w.run(200 * time.Millisecond)
			want := c.want
			if initiator == 0 && c.own != 0 {
				want = c.own
			}
			for _, p := range w.hosts[0].peersUp {
				if p.Lifetime != want {
					t.Errorf("own %v, the peer's %v, host %d begins: %v, want %v", c.own, c.peers, initiator, p.Lifetime, want)
				}
			}
			if len(w.hosts[0].peersUp) != 1 {
				t.Errorf("%d main-mode SAs", len(w.hosts[0].peersUp))
			}
		}
	}
}

// TestARestlessPeerDoesNotMakeThisHostNegotiate: a responder that lives by a second gets no more than its own renewals.
func TestARestlessPeerDoesNotMakeThisHostNegotiate(t *testing.T) {
	a, b := defaults(), defaults()
	b.methods = lasting(1, 0)
	w := newWorld(t, a, b)
	w.want(0)
	w.run(500 * time.Millisecond)
	before := w.hosts[0].e.Stats().QuickModesInitiated
	w.run(10 * time.Minute)
	if n := w.hosts[0].e.Stats().QuickModesInitiated - before; n > 12 {
		t.Errorf("this host began %d quick modes in ten minutes", n)
	}
}

// TestMasterKeyPFS: with one quick mode a main mode every quick mode that this host begins has a main mode, and so a Diffie-Hellman, of its own, those that are
// wanted at once too. The peer need not have it.
func TestMasterKeyPFS(t *testing.T) {
	a, b := defaults(), defaults()
	a.quick, a.ports, b.respond = 1, []uint16{25, 80, 443}, true
	w := newWorld(t, a, b)
	h := w.hosts[0]
	for _, f := range h.compiled.Outbound {
		if f.Filter.DstPorts.Given {
			h.e.Acquire(w.now, f, packet.Key{Src: addrA, Dst: addrB, Proto: 6, DstPort: f.Filter.DstPorts.From, Flags: packet.ProtoKnown | packet.PortsKnown}, addrA, addrB)
		}
	}
	w.run(time.Minute)
	if n := h.e.Stats().MainModesInitiated; n != 3 || len(h.children) != 3 {
		t.Errorf("%d main modes for 3 quick modes, %d children; failures %+v", n, len(h.children), h.failed)
	}
	for _, p := range h.e.Peers(w.now) {
		if p.State == "established" && p.QuickModes > 1 {
			t.Errorf("%d quick modes under one main mode", p.QuickModes)
		}
	}
}

// TestSessionKeyPFS: a quick mode with PFS carries key exchange values both ways, and the keys of two SAs have nothing in common; both ends must want the same group.
func TestSessionKeyPFS(t *testing.T) {
	for _, c := range []struct {
		a, b suite.Group
		up   bool
	}{{suite.ECP256, suite.ECP256, true}, {suite.Curve25519, suite.Curve25519, true}, {suite.MODP2048, suite.MODP2048, true},
		{suite.ECP256, suite.GroupNone, false}, {suite.GroupNone, suite.ECP256, false}, {suite.ECP256, suite.Curve25519, false}} {
		a, b := defaults(), defaults()
		a.pfs, b.pfs = c.a, c.b
		w := newWorld(t, a, b)
		w.want(0)
		w.run(time.Minute)
		if up := len(w.hosts[0].children) == 1 && len(w.hosts[1].children) == 1; up != c.up {
			t.Errorf("%v and %v: up %v; %+v", c.a, c.b, up, w.hosts[0].failed)
		}
		if !c.up {
			continue
		}
		w.agree(1)
		for n := range 2 {
			if err := w.hosts[n].e.Rekey(w.now, w.only(n).ID); err != nil {
				t.Fatal(err)
			}
			w.run(3 * time.Minute)
			w.agree(1)
		}
	}
}
