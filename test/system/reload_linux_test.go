package system

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadsUnderLoadTouchNothingElse reloads the policy twenty times, by turns with a further tunnel, without it, and with errors, by signal and by
// command, while UDP flows through a tunnel that all of them have.
func TestReloadsUnderLoadTouchNothingElse(t *testing.T) {
	w := newWorld(t)
	gb := w.Goipsec(w.b, file(site(2), site6(2)))
	ga := w.Goipsec(w.a, file(site(1)))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	spi := newest(t, ga).Protocols[0].SPIIn
	s := w.stream(w.a, "192.168.1.1", w.b, "192.168.2.1", 50, 1200)
	back := w.stream(w.b, "192.168.2.1", w.a, "192.168.1.1", 20, 1200)
	s.flowing(5 * time.Second)
	back.flowing(5 * time.Second)
	from, backFrom := s.mark(), back.mark()
	for n := range 20 {
		applied := ga.Status().Policy.Applied
		with := n%2 == 0
		ga.Write(file(site(1)))
		if with {
			ga.Write(file(site6(1), site(1)))
		}
		if n%4 < 2 {
			ga.Must("reload")
		} else {
			ga.Signal(syscall.SIGHUP)
		}
		w.Until(5*time.Second, "the policy to be applied", func() (bool, string) {
			s := ga.Status()
			return s.Policy.Applied != applied && s.Policy.Rules == map[bool]int{true: 2, false: 1}[with], fmt.Sprintf("%+v", s.Policy)
		})
		if with && n%8 == 0 {
			w.pingable(w.a, "fd02::1", "fd03::1", ga)
		}
		if n%5 != 4 {
			continue
		}
		before := ga.Status()
		ga.Write("policy: test\nrules:\n  - name: site\n    filters: [192.168.1.0/24 -> 192.168.2.0/24]\n    tunel: {remote: 10.1.0.2}\n")
		said, err := ga.Command("reload")
		if err == nil || !strings.Contains(said, "policy.yaml:5:5") || !strings.Contains(said, "tunel") || !strings.Contains(said, `"tunnel"`) {
			t.Errorf("a bad policy: %v\n%s", err, said)
		}
		after := ga.Status()
		if after.Policy != before.Policy || fmt.Sprint(after.TUN.Routes) != fmt.Sprint(before.TUN.Routes) {
			t.Errorf("a bad policy changed something: %+v, before %+v", after.Policy, before.Policy)
		}
		if !strings.Contains(after.LastReload, "refused") {
			t.Errorf("status does not say that the last reload was refused: %q", after.LastReload)
		}
	}
	for name, gap := range map[string]string{"to b": s.gaps(from), "to a": back.gaps(backFrom)} {
		if gap != "" {
			t.Errorf("%s: %s\na: %s\nb: %s", name, gap, traffic(ga.Status()), traffic(gb.Status()))
		}
	}
	found := false
	for _, c := range ga.Status().Children {
		found = found || c.Protocols[0].SPIIn == spi
	}
	if !found {
		t.Errorf("the SA %08x of the untouched tunnel is gone:\n%s", spi, ga.Must("sa list"))
	}
	t.Log("to b:", s)
	t.Log("to a:", back)
}
