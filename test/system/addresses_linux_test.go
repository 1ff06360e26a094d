package system

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// hosts protects everything between this host, whatever its addresses, and the peer's network.
func hosts(network string) string {
	return file(rule("hosts", fmt.Sprintf("me <-> %s", network), "", quickDPD))
}

// TestMeFollowsTheHost changes addresses under traffic: one is added, one removed, the interface gets another name. New SAs are there within a second or so,
// and no clear packet leaves meanwhile.
func TestMeFollowsTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Goipsec(w.b, hosts("10.1.0.0/24"))
	ga := w.Goipsec(w.a, hosts("10.1.0.2"))
	w.pingable(w.a, "10.1.0.1", "10.1.0.2", ga)
	wire := w.b.Capture("eth0")
	s := w.stream(w.a, "10.1.0.1", w.b, "10.1.0.2", 5, 1000)
	s.flowing(20 * time.Second)
	from := s.mark()

	fast := func(what string, limit time.Duration, ok func() (bool, string)) {
		t.Helper()
		watch, slowest := lab.StartWatch(), time.Duration(0)
		w.Until(20*time.Second, what, func() (bool, string) {
			asked := lab.StartWatch()
			defer func() { slowest = max(slowest, asked.Elapsed()) }()
			return ok()
		})
		t.Logf("%s took %.2f s; on the wire so far: %v", what, watch.Elapsed().Seconds(), lab.Kinds(wire.Frames()))
		// What came about just behind a question is seen when the next one has been answered, which on a busy machine is no moment.
		if took := watch.Elapsed(); took > limit+2*slowest {
			t.Errorf("%s took %v, more than %v and two questions of up to %v", what, took, limit, slowest)
		}
	}
	answered := func(source string) func() (bool, string) {
		return func() (bool, string) {
			return w.a.Ping("10.1.0.2", 1, "-W", "0.2", "-I", source) == 1, traffic(ga.Status()) + "\n" + ga.Must("sa list")
		}
	}
	// Pings from the new address are under way before the address is there.
	early := w.a.Start("ping", "sh", "-c", "while ! ping -n -q -i 0.02 -c 400 -I 10.1.0.77 10.1.0.2; do :; done")
	w.a.Run("ip addr add 10.1.0.77/24 dev eth0")
	fast("an answer to an added address", 2*time.Second, answered("10.1.0.77"))
	early.Stop()
	if gap := s.gapsSoFar(from); gap != "" {
		t.Errorf("an added address disturbed the traffic of another: %s", gap)
	}

	w.a.Run("ip addr del 10.1.0.77/24 dev eth0")
	fast("the end of the removed address's SAs", 3*time.Second, func() (bool, string) {
		for _, c := range ga.Status().Children {
			if c.Selector.LocalFrom.String() == "10.1.0.77" && c.State == "installed" {
				return false, ga.Must("sa list")
			}
		}
		return true, ""
	})
	w.a.Run("ip addr add 10.1.0.77/24 dev eth0")
	fast("an answer to an address that is back", 2*time.Second, answered("10.1.0.77"))

	w.a.Run("ip link set eth0 down; ip link set eth0 name wan0; ip link set wan0 up")
	fast("an answer after the interface has got another name", 5*time.Second, answered("10.1.0.1"))
	s.flowing(10 * time.Second)
	s.end()
	frames := wire.Stop()
	t.Logf("on the wire: %v; %s", lab.Kinds(frames), s)
	w.NoClear(frames)
}
