package ike

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Rows of the security catalogue that are about long lives: cycles, reboots, sleep and clocks.

// TestA7CreateAndDeleteForEver lets one peer make and delete children without end: memory is flat, and the message IDs that an SA remembers
// do not run out. GOIPSEC_SOAK=1 makes it a hundred thousand.
func TestA7CreateAndDeleteForEver(t *testing.T) {
	cycles := 4000
	if os.Getenv("GOIPSEC_SOAK") != "" {
		cycles = 100_000
	}
	w := established(t, defaults())
	round := func() {
		if err := w.hosts[0].e.Delete(w.now, w.only(0).ID); err != nil {
			t.Fatal(err)
		}
		w.run(100 * time.Millisecond)
		w.want(0)
		for tries := 0; len(w.hosts[0].inUse) != 1 || len(w.hosts[1].inUse) != 1; tries++ {
			w.run(time.Second)
			if tries > 60 {
				t.Fatalf("no child any more: %+v, %+v", w.hosts[0].failed, w.hosts[1].e.Stats())
			}
		}
		for _, h := range w.hosts {
			h.downs, h.peerDown, h.failed = h.downs[:0], h.peerDown[:0], h.failed[:0]
		}
	}
	for range cycles / 2 {
		round()
	}
	w.busy(2 * time.Minute)
	before := heap()
	for range cycles / 2 {
		round()
	}
	w.busy(2 * time.Minute)
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d bytes more in use after %d cycles", after-before, cycles/2)
	}
	w.agree(1)
	for _, h := range w.hosts {
		if st := h.e.Stats(); st.Children > 2 || st.MainModes > 2 || st.Peers != 1 || len(h.reserved) > 4 {
			t.Errorf("%+v, %d SPIs", st, len(h.reserved))
		}
	}
}

// TestF5RebootWithoutInitialContact: a peer reboots and says nothing. What this host sends is a black hole no longer than dead peer detection
// takes, nothing unauthenticated ends its SAs earlier, and traffic brings a new SA.
func TestF5RebootWithoutInitialContact(t *testing.T) {
	w := established(t, defaults())
	w.hosts[1].boot(42) // it has forgotten everything, and wants nothing
	w.hosts[1].peersUp = map[uint64]isakmp.PeerInfo{}
	before := w.only(0).ID
	began := w.now
	for len(w.hosts[0].inUse) == 1 && w.only(0).ID == before {
		w.talk(true, false)
		w.run(time.Second)
		if len(w.hosts[0].inUse) == 0 {
			w.want(0)
		}
		if w.now.Sub(began) > 2*time.Minute {
			t.Fatal("the black hole never ends")
		}
	}
	if hole := w.now.Sub(began); hole > 50*time.Second {
		t.Errorf("a black hole of %v", hole)
	}
	w.busy(2 * time.Minute)
	w.agree(1)
	for n, h := range w.hosts {
		if len(h.children) != 1 || len(h.peersUp) != 1 {
			t.Errorf("host %d: %d children, %d main-mode SAs", n, len(h.children), len(h.peersUp))
		}
	}
}

// TestF5LostDeletion: one side deletes, every copy of the message is lost, and the other one sends on. It is told, and a new SA is made.
func TestF5LostDeletion(t *testing.T) {
	for side := range 2 {
		w := established(t, defaults())
		gone := w.only(1 - side).ID
		w.fate = func(_, from int, _ isakmp.Datagram) []time.Duration {
			if from == side {
				return nil
			}
			return []time.Duration{10 * time.Millisecond}
		}
		if err := w.hosts[side].e.Delete(w.now, w.only(side).ID); err != nil {
			t.Fatal(err)
		}
		w.run(14 * time.Second)
		if w.only(1-side).ID != gone {
			t.Fatal("the deletion was not lost")
		}
		w.fate = nil
		began := w.now
		for w.hosts[1-side].children[gone] != nil {
			w.talk(side == 1, side == 0)
			w.run(time.Second)
			if w.now.Sub(began) > time.Minute {
				t.Fatalf("side %d: the other end still sends into the void", side)
			}
		}
		w.want(1 - side)
		w.busy(time.Minute)
		w.agree(1)
	}
}

// TestF10WhatExpiredAsleepIsRenewedNotUsed: both hosts sleep for ten hours. Nothing that is past its time is used again, and traffic makes new
// SAs.
func TestF10WhatExpiredAsleepIsRenewedNotUsed(t *testing.T) {
	for _, who := range [][]int{{0}, {1}, {0, 1}} {
		w := established(t, defaults())
		old := [2]uint64{w.only(0).ID, w.only(1).ID}
		w.now = w.now.Add(10 * time.Hour)
		for _, n := range who { // these wake up first
			w.hosts[n].e.Advance(w.now)
			w.drain()
			if w.hosts[n].children[old[n]] != nil {
				t.Errorf("host %d uses a child of ten hours ago", n)
			}
		}
		w.run(time.Minute)
		for range 60 {
			if len(w.hosts[0].inUse) == 0 {
				w.want(0)
			}
			w.busy(2 * time.Second)
		}
		w.agree(1)
		for n, h := range w.hosts {
			if h.children[old[n]] != nil || len(h.children) != 1 || len(h.peersUp) != 1 {
				t.Errorf("host %d: %d children, %d main-mode SAs", n, len(h.children), len(h.peersUp))
			}
		}
	}
}

// TestF11O1TheDateDoesNotMatter: the same run at dates a century apart is the same to the byte, so that nothing depends on what the wall clock
// says; only differences of time count.
func TestF11O1TheDateDoesNotMatter(t *testing.T) {
	play := func(at time.Time) string {
		w := newWorld(t, defaults(), defaults())
		w.now = at
		trace := &strings.Builder{}
		w.mangle = func(_ int, d []byte) []byte {
			trace.WriteString(hex.EncodeToString(d))
			return d
		}
		w.want(0)
		w.busy(2 * time.Minute)
		_ = w.hosts[1].e.Rekey(w.now, w.only(1).ID)
		w.busy(time.Minute)
		w.agree(1)
		return trace.String()
	}
	want := play(epoch)
	for _, years := range []int{-1, 1, -99, 99} {
		if play(epoch.AddDate(years, 0, 0)) != want {
			t.Errorf("%d years away the datagrams are others", years)
		}
	}
}

// TestF11ClockThatGoesBack: if a clock goes back in the middle of a handshake or of an SA's life, nothing fails, and all goes on once it is right.
func TestF11ClockThatGoesBack(t *testing.T) {
	for steps := range 12 {
		w := newWorld(t, defaults(), defaults())
		w.want(0)
		for range steps {
			w.step(w.now.Add(time.Second))
		}
		for n, h := range w.hosts {
			past := w.now.AddDate(-1, 0, 0)
			h.e.Advance(past)
			h.e.Receive(past, isakmp.Datagram{Local: netip.AddrPortFrom(h.addr, 500), Remote: netip.AddrPortFrom(w.hosts[1-n].addr, 500), Data: mm1(t, byte(20+n))})
			for id := range h.children {
				h.e.Traffic(past, id, true, true)
			}
		}
		w.busy(time.Minute)
		if len(w.hosts[0].inUse) == 0 {
			w.want(0)
			w.busy(time.Minute)
		}
		if len(w.hosts[0].inUse) != 1 || len(w.hosts[1].inUse) != 1 {
			t.Errorf("after %d steps: no SA: %+v", steps, w.hosts[0].failed)
		}
	}
}
