package ikev1

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// What only main mode needed is gone once it is over: the secrets among it, and what would be memory for each of many peers.
func TestEstablishedForgetsMainMode(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.relay(start, nil)
	for n := range c.m {
		s := c.sa(n)
		if s.state != Established || len(s.peer.children) != 1 {
			t.Fatalf("host %d: %v, %d children", n, s.state, len(s.peer.children))
		}
		if s.keys.skeyid != nil || s.keys.encrypt != nil || s.kex != nil || s.ni != nil || s.nr != nil || s.gxi != nil || s.gxr != nil || s.idI != nil ||
			s.idR != nil || s.sa != nil || s.offers != nil || s.notices != nil || s.requests != nil || s.claim.certificates != nil {
			t.Errorf("host %d keeps what main mode needed", n)
		}
		if s.peer.wants != nil {
			t.Errorf("host %d keeps a list of wishes that are fulfilled", n)
		}
		if len(s.phase2) != 1 {
			t.Errorf("host %d: %d exchanges to answer duplicates of", n, len(s.phase2))
		}
		c.m[n].Advance(start.Add(2 * memory))
		if s.phase2 != nil {
			t.Errorf("host %d keeps exchanges that are forgotten", n)
		}
		if s.cipher.encrypt != nil || s.cipher.decrypt != nil {
			t.Errorf("host %d keeps expanded keys", n)
		}
	}
}
