package ike

import (
	"testing"
	"time"
)

// What the source of the policy model says of lifetimes and keys, where no other test shows it (docs/windows-ipsec.md).

// TestSAsOutliveTheirMainModeSA: a main-mode SA ends after its own time, and the SAs that it made go on.
func TestSAsOutliveTheirMainModeSA(t *testing.T) {
	s := defaults()
	s.life = 5 * time.Minute
	w := established(t, s)
	first, peer := w.only(0).ID, w.hosts[0].e.Peers(w.now)[0].ID
	w.busy(20 * time.Minute)
	w.agree(1)
	if id := w.only(0).ID; id != first {
		t.Errorf("SA %d took the place of %d, although its own hour is not over", id, first)
	}
	for _, p := range w.hosts[0].e.Peers(w.now) {
		if p.ID == peer {
			t.Errorf("main-mode SA %d is still there after four of its lifetimes", peer)
		}
	}
}

// TestMasterKeyPFSOnOneSideOnly: with a limit of one quick mode a main mode at one end, that end makes a main mode for each of its quick modes, and the other end,
// which has no limit, goes along.
func TestMasterKeyPFSOnOneSideOnly(t *testing.T) {
	for side := range 2 {
		settings := [2]settings{defaults(), defaults()}
		settings[side].quick = 1
		w := newWorld(t, settings[0], settings[1])
		w.want(side)
		w.run(5 * time.Second)
		for range 3 {
			if err := w.hosts[side].e.Rekey(w.now, w.only(side).ID); err != nil {
				t.Fatal(err)
			}
			w.busy(5 * time.Second)
		}
		w.agree(1)
		if n := w.hosts[side].e.Stats().MainModes; n != 4 {
			t.Errorf("%d main-mode SAs for four quick modes", n)
		}
	}
}
