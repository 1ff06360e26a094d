package interop

import (
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestStrongSwanByEveryWayOfMovingPackets has goipsec move packets to and from strongSwan in each of the ways that it has: with io_uring and without, with
// superpackets and without. What all other tests prove of the way that goipsec chooses itself, this one proves of the others in short; GOIPSEC_TEST_IO in
// the environment has all of them run by one of the others.
func TestStrongSwanByEveryWayOfMovingPackets(t *testing.T) {
	for way := range lab.Ways {
		t.Run("way "+way, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.IO = way
			a, b := site(l)
			s := l.StrongSwan(b, charon{connection: []string{"encap = yes"}}.String())
			g := l.Goipsec(a, toCharon{rule: []string{inUDP}}.String())
			start(l, a, g, s, "goipsec")
			if err := l.Datagrams(a, "192.168.1.1", b, "192.168.2.1", 0, 64, 512, 1200, 1372, 3000, 9000); err != nil {
				t.Error(err)
			}
			if err := l.Transfer(a, "192.168.1.1", b, "192.168.2.1", 8<<20); err != nil {
				t.Error(err)
			}
			if err := l.Transfer(b, "192.168.2.1", a, "192.168.1.1", 8<<20); err != nil {
				t.Error(err)
			}
			t.Logf("packets by %s; %+v; drops %v", g.Status().TUN.IO, g.Status().Traffic, g.Status().Drops)
		})
	}
}
