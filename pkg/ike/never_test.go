package ike

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// A rule may turn dead peer detection off: a silent peer is then neither asked nor given up.
func TestDPDOffAsksNothing(t *testing.T) {
	s := defaults()
	s.peer.DPDInterval = -1
	w := established(t, s)
	w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
	sent := w.sent
	for range 120 {
		w.talk(true, false)
		w.run(time.Second)
	}
	if w.sent != sent || len(w.hosts[0].downs) != 0 || len(w.hosts[0].inUse) != 1 {
		t.Errorf("%d datagrams, %v", w.sent-sent, w.hosts[0].downs)
	}
}

// A rule may keep idle SAs.
func TestIdleNeverKeepsTheChild(t *testing.T) {
	s := defaults()
	s.peer.IdleTimeout = -1
	w := established(t, s)
	id := w.only(0).ID
	w.run(20 * time.Minute)
	if w.only(0).ID != id {
		t.Error("the idle child is gone")
	}
}
