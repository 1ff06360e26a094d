package system

import (
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestACrashLeaksNothing kills one end under traffic of every kind, from the host itself and from behind it. Not one clear packet may be on the
// wire, from either end, until it is back; the peer notices by dead peer detection; then everything flows again.
func TestACrashLeaksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gb := w.Goipsec(w.b, file(site(2, quickDPD), site6(2, quickDPD)))
	ga := w.Goipsec(w.a, file(site(1, quickDPD), site6(1, quickDPD)))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	w.pingable(w.inside[0], "fd02::9", "fd03::9", ga)
	wireA, wireB := w.a.Capture("eth0"), w.b.Capture("eth0")

	forth := w.stream(w.a, "192.168.1.1", w.b, "192.168.2.1", 5, 1000)
	back := w.stream(w.inside[1], "192.168.2.9", w.inside[0], "192.168.1.9", 5, 1000)
	server := w.b.Start("iperf3", "iperf3", "-s", "-B", "192.168.2.1", "--forceflush")
	server.Expect("Server listening", 10*time.Second)
	tcp := w.a.Start("iperf3", "iperf3", "-c", "192.168.2.1", "-B", "192.168.1.1", "-b", "5M", "-t", "60", "--forceflush")
	ping6 := w.inside[0].Start("ping", "ping", "-n", "-i", "0.1", "fd03::9")
	gnip6 := w.inside[1].Start("ping", "ping", "-n", "-i", "0.1", "fd02::9")
	forth.flowing(20 * time.Second)
	back.flowing(20 * time.Second)
	tcp.Expect("Mbits/sec", 10*time.Second)

	ga.Kill()
	if left := w.a.Leftovers(); !strings.Contains(left, "blackhole 192.168.2.0/24") || !strings.Contains(left, "blackhole fd03::/64") ||
		!strings.Contains(left, "table inet goipsec_") {
		t.Errorf("black holes or guard went with the process:\n%s", left)
	}
	killed := lab.StartWatch()
	sent := forth.mark()
	w.Until(20*time.Second, "the peer to be taken for dead", func() (bool, string) {
		s := gb.Status()
		return len(s.Peers) == 0 && !anyInstalled(s.Children), gb.Must("sa list")
	})
	t.Logf("the peer was taken for dead after %.1f s", killed.Elapsed().Seconds())
	w.Never(time.Second, "clear packets on the wire", func() (bool, string) {
		seen := lab.Clear(wireA.Frames())
		return seen != "", seen
	})
	if tried := forth.mark() - sent + forth.refusals(); tried < 100 {
		t.Errorf("the killed side tried to send %d datagrams only: that proves little", tried)
	}

	ga.Restart()
	restarted := lab.StartWatch()
	forth.flowing(15 * time.Second)
	back.flowing(15 * time.Second)
	w.pingable(w.inside[0], "fd02::9", "fd03::9", ga)
	t.Logf("everything flowed %.1f s after the restart", restarted.Elapsed().Seconds())
	before := tcp.Log.Count("Mbits/sec")
	w.Until(20*time.Second, "the TCP connection to go on", func() (bool, string) {
		text := tcp.Log.String()
		lines := strings.Split(strings.TrimSpace(text), "\n")
		return tcp.Log.Count("Mbits/sec") > before && !strings.Contains(lines[len(lines)-1], " 0.00 bits/sec"), text
	})
	for _, p := range []*lab.Process{tcp, ping6, gnip6, server} {
		p.Stop()
	}
	forth.end()
	back.end()
	for name, capture := range map[string]*lab.Capture{"a": wireA, "b": wireB} {
		frames := capture.Stop()
		t.Logf("on the wire at %s: %v", name, lab.Kinds(frames))
		w.NoClear(frames)
	}
}

func anyInstalled(children []endpoint.Child) bool {
	for _, c := range children {
		if c.State == "installed" {
			return true
		}
	}
	return false
}
