package dataplane

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// limited is a world whose one outbound SA has bounds.
func limited(t *testing.T, bounds sa.Lifetime) *world {
	w := newWorld(t)
	w.protect(setup{mode: suite.Tunnel, udp: true, esp: true})
	b := w.a.plane.snapshot.Load().byID["f"].bundle(Pair{}, 0)
	config := *b.ESP.Config()
	config.Lifetime = bounds
	b.ESP = sa.NewOutbound(config, w.now)
	return w
}

// RFC 4301 §4.4.2.1: the limits of an SA are looked at once a batch, and yet none is passed within one.
func TestHardLimitsHoldWithinABatch(t *testing.T) {
	pkt := udp("10.1.0.5", "10.2.0.5", 100)
	for name, bounds := range map[string]sa.Lifetime{"packets": {HardPackets: 5}, "bytes": {HardBytes: uint64(5 * len(pkt))}} {
		w := limited(t, bounds)
		w.a.send(pkt, pkt, pkt, pkt, pkt, pkt, pkt, pkt)
		c := &w.a.plane.count
		if c.Sealed.Load() != 5 || c.Count(OutboundLimit) != 3 {
			t.Errorf("%s: %d packets were sealed and %d refused, not 5 and 3", name, c.Sealed.Load(), c.Count(OutboundLimit))
		}
		w.a.conserve()
	}
}

func TestSoftLimitIsToldOnceInTheNextBatch(t *testing.T) {
	w := limited(t, sa.Lifetime{SoftPackets: 2})
	pkt := udp("10.1.0.5", "10.2.0.5", 100)
	w.a.send(pkt, pkt, pkt)
	for range 3 {
		w.a.send(pkt, pkt)
	}
	if len(w.a.events) != 1 {
		t.Fatalf("%d events", len(w.a.events))
	}
	if ev := <-w.a.events; ev.Kind != Expiring || ev.Child != 1 {
		t.Errorf("%+v", ev)
	}
	if n := w.a.plane.count.Sealed.Load(); n != 9 {
		t.Errorf("%d packets were sealed", n)
	}
}

// The host may have slept: the first packet after the hard limit in seconds is refused already.
func TestHardTimeIsSeenBeforeTheFirstPacket(t *testing.T) {
	w := limited(t, sa.Lifetime{HardTime: time.Hour})
	pkt := udp("10.1.0.5", "10.2.0.5", 100)
	w.a.send(pkt, pkt)
	w.now = w.now.Add(time.Hour)
	w.a.send(pkt, pkt)
	if c := &w.a.plane.count; c.Sealed.Load() != 2 || c.Count(OutboundLimit) != 2 {
		t.Errorf("%d packets were sealed and %d refused", c.Sealed.Load(), c.Count(OutboundLimit))
	}
}
