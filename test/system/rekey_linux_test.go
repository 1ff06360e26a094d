package system

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestTwentyRekeysLoseNothing renews the keys of a tunnel twenty times under 200 Mb/s of UDP.
func TestTwentyRekeysLoseNothing(t *testing.T) {
	w := newWorld(t)
	gb := w.Goipsec(w.b, file(site(2)))
	ga := w.Goipsec(w.a, file(site(1)))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	s := w.stream(w.a, "192.168.1.1", w.b, "192.168.2.1", 200, 1300)
	s.flowing(20 * time.Second)
	from := s.mark()
	seen := map[uint32]bool{}
	for n, g := range []*lab.Goipsec{ga, gb} { // each end renews half of them
		if n > 0 {
			// What both ends begin at once ends with one pair, so let the last one of the first end be past that.
			w.Until(20*time.Second, "the last pair to be two seconds old", func() (bool, string) {
				return newest(t, g).AgeSeconds > 2, g.Must("sa list")
			})
		}
		for range 10 {
			old := newest(t, g)
			seen[old.Protocols[0].SPIIn] = true
			g.Must(fmt.Sprintf("sa rekey %d", old.ID))
			w.Until(20*time.Second, "a new pair of SAs", func() (bool, string) {
				now := newest(t, g)
				return !seen[now.Protocols[0].SPIIn] && now.PacketsOut+now.PacketsIn > 0, fmt.Sprintf("%+v", now)
			})
		}
	}
	if gap := s.gaps(from); gap != "" {
		t.Errorf("lost: %s\na: %s\nb: %s", gap, traffic(ga.Status()), traffic(gb.Status()))
	}
	if len(seen) < 20 {
		t.Errorf("%d different SPIs in 20 rekeys", len(seen))
	}
	w.conserved(ga, gb)
	t.Log(s)
}

// newest is the child SA that was made last and is in use. Where a tunnel has one for each queue it is one for the queue whose SAs have carried most: a stream keeps to one.
func newest(t *testing.T, g *lab.Goipsec) endpoint.Child {
	t.Helper()
	var last endpoint.Child
	list := g.Status().Children
	queue, carried := 0, map[int]uint64{}
	for _, c := range list {
		if carried[c.Queue] += c.PacketsIn + c.PacketsOut; carried[c.Queue] > carried[queue] {
			queue = c.Queue
		}
	}
	for _, c := range list {
		if c.Queue == queue && (c.State == "installed" || c.State == "rekeying") && c.ID >= last.ID {
			last = c
		}
	}
	if len(last.Protocols) == 0 {
		t.Fatal("no child SA is installed:\n", g.Must("sa list"))
	}
	return last
}

// conserved checks that what one end sealed the other opened, and that neither dropped anything.
func (w *world) conserved(ga, gb *lab.Goipsec, expected ...string) {
	w.t.Helper()
	var a, b endpoint.Status
	w.Until(20*time.Second, "sealed = opened, both ways", func() (bool, string) {
		a, b = ga.Status(), gb.Status()
		return a.Traffic.Sealed == b.Traffic.Opened && b.Traffic.Sealed == a.Traffic.Opened && drops(a, expected...)+drops(b, expected...) == 0,
			"a: " + traffic(a) + "\nb: " + traffic(b)
	})
}

func traffic(s endpoint.Status) string {
	text, _ := json.Marshal(s.Traffic)
	return fmt.Sprintf("%s drops %v", text, s.Drops)
}
