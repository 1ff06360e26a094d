package system

import (
	"slices"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestEveryWayOfMovingPackets has two endpoints move packets in each of the ways that goipsec up has: with io_uring and without, with superpackets and
// without, in one queue and in two, by tunnels in UDP and as protocol 50, and in transport mode.
func TestEveryWayOfMovingPackets(t *testing.T) {
	for way, flags := range lab.Ways {
		t.Run("way "+way, func(t *testing.T) {
			w := newWorld(t)
			w.IO = way
			hosts := rule("hosts", "10.1.0.1 <-> 10.1.0.2", "")
			gb := w.Goipsec(w.b, file(site(2, "encapsulation: udp"), site6(2), hosts))
			ga := w.Goipsec(w.a, file(site(1, "encapsulation: udp"), site6(1), hosts))
			for _, pair := range [][2]string{{"192.168.1.1", "192.168.2.1"}, {"fd02::1", "fd03::1"}, {"10.1.0.1", "10.1.0.2"}} {
				w.pingable(w.a, pair[0], pair[1], ga)
				// Within one packet, at both sides of what the path takes whole, and of many fragments.
				if err := w.Datagrams(w.a, pair[0], w.b, pair[1], 0, 1, 63, 64, 512, 1200, 1300, 1370, 1400, 1473, 3000, 9000, 30000); err != nil {
					t.Error(err)
				}
				if err := w.Transfer(w.a, pair[0], w.b, pair[1], 32<<20); err != nil {
					t.Error(err)
				}
				if err := w.Transfer(w.b, pair[1], w.a, pair[0], 32<<20); err != nil {
					t.Error(err)
				}
			}
			ends := [2]*lab.Goipsec{ga, gb}
			for i, s := range w.atRest(ends) {
				lawOfConservation(t, ends[i].Host.Name, s)
				judgeWay(t, s, flags)
			}
		})
	}
}

// judgeWay checks that a goipsec does what it was told to. What it was not told to leave alone may still not be had on this host.
func judgeWay(t *testing.T, s endpoint.Status, flags []string) {
	t.Helper()
	t.Logf("packets by %s", s.TUN.IO)
	for flag, parts := range map[string][]string{"--no-io-uring": {"io_uring"}, "--no-offload": {"TSO", "USO"}} {
		if slices.Contains(flags, flag) && contains(s.TUN.IO, parts...) || strings.TrimSpace(s.TUN.IO) == "" {
			t.Errorf("with %v packets are moved by %q", flags, s.TUN.IO)
		}
	}
}
