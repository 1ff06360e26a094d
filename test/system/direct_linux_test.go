package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// directWorld is two hosts that move raw ESP past their network stacks, with traffic in both directions seen.
func directWorld(t *testing.T) (w *world, ga, gb *lab.Goipsec) {
	w = newWorld(t)
	w.IO = "direct"
	hosts := rule("hosts", "10.1.0.1 <-> 10.1.0.2", "")
	gb = w.Goipsec(w.b, file(site(2), site6(2), hosts))
	ga = w.Goipsec(w.a, file(site(1), site6(1), hosts))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	w.bothWays()
	for _, g := range []*lab.Goipsec{ga, gb} {
		if s := g.Status(); s.Direct == nil || s.Direct.Received == 0 || s.Direct.Sent == 0 || s.Direct.Sent > s.Traffic.Sealed {
			t.Errorf("%s: %+v of %+v", g.Host.Name, s.Direct, s.Traffic)
		}
	}
	return w, ga, gb
}

func (w *world) bothWays() {
	w.t.Helper()
	if err := w.Transfer(w.a, "192.168.1.1", w.b, "192.168.2.1", 16<<20); err != nil {
		w.t.Error(err)
	}
	if err := w.Transfer(w.b, "192.168.2.1", w.a, "192.168.1.1", 16<<20); err != nil {
		w.t.Error(err)
	}
}

// TestDirectESP sends datagrams of all lengths, in tunnel and transport mode, of both families, and counts.
func TestDirectESP(t *testing.T) {
	w, ga, gb := directWorld(t)
	for _, pair := range [][2]string{{"192.168.1.1", "192.168.2.1"}, {"fd02::1", "fd03::1"}, {"10.1.0.1", "10.1.0.2"}} {
		w.pingable(w.a, pair[0], pair[1], ga)
		if err := w.Datagrams(w.a, pair[0], w.b, pair[1], 0, 1, 63, 64, 512, 1200, 1300, 1370, 1400, 1473, 3000, 9000, 30000); err != nil {
			t.Error(err)
		}
		if err := w.Transfer(w.b, pair[1], w.a, pair[0], 8<<20); err != nil {
			t.Error(err)
		}
	}
	for i, s := range w.atRest([2]*lab.Goipsec{ga, gb}) {
		lawOfConservation(t, []string{"a", "b"}[i], s)
		var text strings.Builder
		if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "past the host's network stack and firewall") {
			t.Error(err, text.String())
		}
	}
}

// recovers transfers until that goes well, and checks that ESP goes directly again.
func (w *world) recovers(what string, ends ...*lab.Goipsec) {
	w.t.Helper()
	w.Until(20*time.Second, "a ping after "+what, func() (bool, string) { return w.a.Ping("192.168.2.1", 1, "-I", "192.168.1.1") == 1, "" })
	var before []endpoint.DirectStatus
	for _, g := range ends {
		before = append(before, *g.Status().Direct)
	}
	// What was known of the way may be asked for anew only in the next second, when a transfer may be over.
	w.Until(20*time.Second, "ESP that goes directly again after "+what, func() (bool, string) {
		w.bothWays()
		for i, g := range ends {
			if s := g.Status().Direct; s.Sent == before[i].Sent || s.Received == before[i].Received {
				return false, fmt.Sprintf("%s: %+v, before %+v", g.Host.Name, s, before[i])
			}
		}
		return true, ""
	})
}

// TestDirectESPFollowsTheNetwork changes link-layer addresses, addresses, MTUs and interfaces under a tunnel.
func TestDirectESPFollowsTheNetwork(t *testing.T) {
	w, ga, gb := directWorld(t)
	w.b.Run("sysctl -qw net.ipv4.conf.eth0.arp_notify=1; ip link set eth0 address 02:00:00:00:0b:0b")
	w.recovers("another link-layer address", ga, gb)
	for _, h := range []*lab.Host{w.a, w.b} {
		h.Run("ip link set eth0 mtu 1400")
	}
	w.recovers("a smaller MTU", ga, gb)
	w.a.Run("ip link set eth0 down; ip link set eth0 up; ip addr replace fd01::1/64 dev eth0")
	w.recovers("an interface that was down", ga, gb)
	w.a.Run("ip addr del 10.1.0.1/24 dev eth0; ip addr add 10.1.0.1/16 dev eth0")
	w.recovers("an address that went and came", ga, gb)
	// A new interface, on both ends.
	w.a.Run("ip link del eth0")
	w.Link(w.a, "eth0=10.1.0.1/24,fd01::1/64", w.b, "eth0=10.1.0.2/24,fd01::2/64")
	w.recovers("another cable", ga, gb)
}

// TestDirectESPLeavesNothing kills an endpoint: what took ESP is gone with it, and one that does without gets ESP from its sockets.
func TestDirectESPLeavesNothing(t *testing.T) {
	w, ga, gb := directWorld(t)
	gb.Kill()
	w.IO = ""
	gb.Restart()
	w.pingable(w.b, "192.168.2.1", "192.168.1.1", gb)
	w.bothWays()
	if s := gb.Status(); s.Direct != nil || s.Traffic.Sealed == 0 {
		t.Errorf("%+v %+v", s.Direct, s.Traffic)
	}
	if s := ga.Status(); s.Direct == nil {
		t.Error("the other end changed its way")
	}
}
