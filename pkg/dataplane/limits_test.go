package dataplane

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// told counts the events of a kind that a side has had.
func (s *side) told(kind EventKind) (n int) {
	for len(s.events) > 0 {
		if ev := <-s.events; ev.Kind == kind {
			n++
		}
	}
	return n
}

// RFC 4301 §4.4.2.1: after a sleep that outlasts an SA's hard lifetime not one packet more is sealed under it, or taken. The owner is told once a batch.
func TestRFC4301Section4_4_2_1NoPacketPastTheHardLifetime(t *testing.T) {
	for _, s := range []setup{{mode: suite.Tunnel, esp: true, life: sa.Lifetime{HardTime: time.Hour}},
		{mode: suite.Tunnel, esp: true, udp: true, life: sa.Lifetime{HardTime: time.Hour}},
		{mode: suite.Transport, esp: true, ah: true, inside: sa.Lifetime{HardTime: time.Hour}},
		{mode: suite.Transport, esp: true, ah: true, life: sa.Lifetime{HardTime: time.Hour}}} {
		w := newWorld(t)
		w.protect(s)
		w.a.send(s.inner(w, 100), s.inner(w, 100))
		before := len(w.wire.Captured())
		w.now = w.now.Add(2 * time.Hour)
		for batch := range uint64(2) {
			w.a.send(s.inner(w, 100), s.inner(w, 100), s.inner(w, 100))
			if n, told := w.a.plane.count.Count(OutboundLimit), w.a.told(Expired); n != 3*(batch+1) || told != 1 {
				t.Errorf("%+v: told %d times of %d packets: %v", s, told, n, w.a.plane.count.Drops())
			}
		}
		if n := len(w.wire.Captured()) - before; before == 0 || n != 0 {
			t.Errorf("%+v: %d packets left before the end of the SA, %d after it", s, before, n)
		}
		if got := w.b.receive(); len(got) != 0 || w.b.told(Expired) != 1 || w.b.plane.count.Refused(sa.HardLimit) != 2 {
			t.Errorf("%+v: %d packets were taken: %v", s, len(got), w.b.plane.count.Drops())
		}
		w.a.conserve()
	}
}

// A soft limit in bytes is told once, at either end, and for the ESP within an AH too.
func TestSoftLimitsAreTold(t *testing.T) {
	soft := sa.Lifetime{SoftBytes: 1000, HardBytes: 1 << 20}
	for _, s := range []setup{{mode: suite.Tunnel, esp: true, life: soft}, {mode: suite.Tunnel, ah: true, life: soft},
		{mode: suite.Transport, esp: true, ah: true, inside: soft}, {mode: suite.Transport, esp: true, ah: true, life: soft}} {
		w := newWorld(t)
		w.protect(s)
		for range 10 {
			w.a.send(s.inner(w, 600))
		}
		if n := w.a.told(Expiring); n != 1 {
			t.Errorf("%+v: told %d times by the sender", s, n)
		}
		if got := w.b.receive(); len(got) != 10 {
			t.Fatalf("%d arrived", len(got))
		}
		if n := w.b.told(Expiring); n != 1 {
			t.Errorf("%+v: told %d times by the receiver", s, n)
		}
	}
}

// An event that found its queue full is told again by the next packet.
func TestSoftLimitIsToldAgainIfTheQueueWasFull(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, life: sa.Lifetime{SoftBytes: 1, HardBytes: 1 << 20}}
	w.protect(s)
	fill := func(x *side) {
		for len(x.events) < cap(x.events) {
			x.events <- Event{}
		}
	}
	fill(w.a)
	fill(w.b)
	w.a.send(s.inner(w, 100), s.inner(w, 100))
	w.b.receive()
	w.a.told(Expiring)
	w.b.told(Expiring)
	w.a.send(s.inner(w, 100))
	w.b.receive()
	if w.a.told(Expiring) != 1 || w.b.told(Expiring) != 1 {
		t.Fatal("the limit was not told again")
	}
}
