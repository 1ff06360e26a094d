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
	s.flowing(20 * time.Second)
	back.flowing(20 * time.Second)
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
		w.Until(20*time.Second, "the policy to be applied", func() (bool, string) {
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

// TestReloadSaysWhatWaitsForARestart changes what is looked at when goipsec starts, and a rule beside it: reload and the log name the settings, the rule is in force at
// once, and the settings after what the text advises. A flag weighs more than the file, so that a setting under one does not wait.
func TestReloadSaysWhatWaitsForARestart(t *testing.T) {
	w := newWorld(t)
	g := w.Goipsec(w.a, file(site(1)), "--tun", "kept0")
	was := g.Status()
	g.Write("listen: {addresses: [10.1.0.1]}\ntun: {name: other0, mtu: 1300, queues: 2}\n" + file(site(1), site6(1)))
	said := g.Must("reload")
	for _, want := range []string{"the policy was reloaded\n", "listen: addresses is 10.1.0.1 in the file, and every address of the host in force", "tun: mtu is 1300 in the file, and computed in force",
		"goipsec down, then goipsec up"} {
		if !strings.Contains(said, want) {
			t.Errorf("reload does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "tun: name") {
		t.Errorf("the name of the device is a flag's, and does not wait:\n%s", said)
	}
	if waits := w.IO != "queues"; strings.Contains(said, "tun: queues is 2 in the file, and 1 in force") != waits {
		t.Errorf("the queues wait: %v\n%s", waits, said)
	}
	g.Expect(`msg="a setting of the policy file is not in force" setting="tun: mtu"`, 20*time.Second)
	now := g.Status()
	if now.Policy.Rules != 2 || now.TUN.MTU != was.TUN.MTU || len(now.Listen) != len(was.Listen) || len(now.Queues) != len(was.Queues) {
		t.Errorf("after the reload: %+v, %+v, %+v", now.Policy, now.TUN, now.Listen)
	}
	if !strings.Contains(strings.Join(now.Warnings, "\n"), "tun: mtu is 1300") {
		t.Errorf("status does not say what waits: %q", now.Warnings)
	}
	// By signal it is logged as well.
	logged := strings.Count(g.Log.String(), `setting="tun: mtu"`)
	g.Signal(syscall.SIGHUP)
	w.Until(20*time.Second, "the log of the second reload", func() (bool, string) {
		return strings.Count(g.Log.String(), `setting="tun: mtu"`) == logged+1, g.Log.String()
	})
	g.Must("down")
	g.Restart("--tun", "kept0")
	now = g.Status()
	if now.TUN.MTU != 1300 || now.TUN.Name != "kept0" || len(now.Queues) != 2 || strings.Contains(strings.Join(now.Warnings, "\n"), "restart") {
		t.Errorf("after the restart: %+v, %d queues, %q", now.TUN, len(now.Queues), now.Warnings)
	}
	for _, l := range now.Listen {
		if l.Address.Addr().String() != "10.1.0.1" {
			t.Errorf("after the restart it listens at %v", l)
		}
	}
}
