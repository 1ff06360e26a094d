package ike

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestP13PolicyChangesDuringMainMode: whoever has not proved himself when the policy changes is not let in by what it was: not by a key that was taken out of it, not without a
// certificate that it wants now, not by methods that it does not name any more. The change comes before each datagram of the negotiation.
func TestP13PolicyChangesDuringMainMode(t *testing.T) {
	with := func(change func(*settings)) settings {
		s := defaults()
		change(&s)
		return s
	}
	for name, now := range map[string]settings{
		"another key":  with(func(s *settings) { s.psk = "another pre-shared key, for tests" }),
		"certificates": certified(t),
		"other methods": with(func(s *settings) {
			s.main = []policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 256, Hash: suite.SHA256, Group: suite.ECP256}}
		}),
	} {
		for before := range 6 {
			t.Run(fmt.Sprintf("%s/before datagram %d", name, before), func(t *testing.T) {
				w := newWorld(t, defaults(), defaults())
				changed := false
				w.fate = func(n, _ int, _ isakmp.Datagram) []time.Duration {
					if n == before && !changed {
						changed = true
						w.hosts[1].e.SetPolicy(w.now, compile(t, now, addrB, addrA, 1))
					}
					return []time.Duration{10 * time.Millisecond}
				}
				w.want(0)
				w.run(100 * time.Second)
				if !changed {
					t.Fatal("the policy was not changed")
				}
				if n := len(w.hosts[1].peersUp) + len(w.hosts[1].children) + len(w.hosts[1].ready); n != 0 {
					t.Errorf("the peer was let in by the old policy: %+v", w.hosts[1].peersUp)
				}
				if s := w.hosts[1].e.Stats(); s.HalfOpen != 0 || s.MainModes != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestP34BadProofsAreFew: an initiator with a key exchange of its own cannot have this host verify signatures without end.
func TestP34BadProofsAreFew(t *testing.T) {
	w := newWorld(t, certified(t), certified(t))
	var proof isakmp.Datagram
	w.fate = func(n, _ int, d isakmp.Datagram) []time.Duration {
		if n == 4 {
			proof = d
			return nil
		}
		return []time.Duration{10 * time.Millisecond}
	}
	w.want(0)
	w.run(100 * time.Millisecond)
	h := w.hosts[1]
	for i := range 100 { // each another one: what is the same is not looked at twice
		bad := append([]byte(nil), proof.Data...)
		bad[len(bad)-40-i] ^= 1 // in the signature and before it
		h.e.Receive(w.now, isakmp.Datagram{Local: proof.Remote, Remote: proof.Local, Data: bad})
	}
	if s := h.e.Stats(); s.BadProofs+s.Malformed > 20 || s.HalfOpen != 0 || s.Panics != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRefusedRepliesAreReplies: a failure after any reply says so, also where it is this host that refuses: clear traffic must not go on.
func TestRefusedRepliesAreReplies(t *testing.T) {
	a, b := defaults(), defaults()
	a.remoteID, b.localID = "expected.example", "another.example"
	w := newWorld(t, a, b)
	w.want(0)
	w.run(60 * time.Second)
	if f := w.hosts[0].failed; len(f) == 0 || !f[0].Failure.Answered {
		t.Errorf("%+v", f)
	}
}
