package system

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// everything is a policy that makes goipsec touch all that it ever touches: routes and rules of both families, an address on the
// TUN, the guard, and with strict rp_filter the kernel's settings.
func everything() string {
	return file(site(1, quickDPD), site6(1, quickDPD),
		rule("inner", "me -> 172.16.0.0/12", "local: 10.1.0.1, remote: 10.1.0.2, address: 10.9.0.5/24", quickDPD),
		"  - {name: closed, filters: [any -> me tcp 135], action: block}\n")
}

// strict makes every interface filter by reverse path.
func strict(h *lab.Host) {
	h.Run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1 net.ipv4.conf.in.rp_filter=1 net.ipv4.conf.lo.rp_filter=1")
}

// TestNothingIsLeftBehindByAnEnd compares a host before goipsec up and after its end, with SAs, by each signal and by goipsec down.
func TestNothingIsLeftBehindByAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict(w.a)
	gb := w.Goipsec(w.b, file(site(2, quickDPD), site6(2, quickDPD)))
	first := w.Launch(w.a, "rules: nonsense") // for its socket
	first.Wait(10 * time.Second)
	before := footprint(w.a, first.Socket)
	first.Write(everything())
	for _, end := range []struct {
		name string
		do   func()
	}{
		{"SIGINT", func() { first.Signal(syscall.SIGINT) }},
		{"SIGTERM", func() { first.Signal(syscall.SIGTERM) }},
		{"goipsec down", func() { first.Must("down") }},
	} {
		first.Restart()
		w.pingable(w.a, "192.168.1.1", "192.168.2.1", first)
		w.pingable(w.a, "fd02::1", "fd03::1", first)
		if footprint(w.a, first.Socket) == before {
			t.Fatal("goipsec up changed nothing: the comparison is blind")
		}
		end.do()
		if code := first.Wait(10 * time.Second); code != 0 {
			t.Errorf("%s: exit status %d\n%s", end.name, code, first.Log)
		}
		if after := footprint(w.a, first.Socket); after != before {
			t.Errorf("%s: left behind:\n%s", end.name, difference(before, after))
		}
		w.Until(10*time.Second, "the peer to hear of the end", func() (bool, string) {
			s := gb.Status()
			return len(s.Children) == 0 && len(s.Peers) == 0, gb.Must("sa list")
		})
	}
}

// TestNothingIsLeftBehindByAFailedStart has goipsec up fail at one step after the other.
func TestNothingIsLeftBehindByAFailedStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict(w.a)
	const hide = "mount -t tmpfs none /dev/net"
	for _, c := range []struct {
		name, policy  string
		before, after string   // what is done to the host for this case
		private       string   // what is done in a mount namespace of the process's own
		flags         []string // of up
		status        int
		says          []string
	}{
		{name: "policy file", policy: "rules: [{filters: [me <-> 10.1.0.2], action: blok}]", status: 3, says: []string{"policy.yaml:1:", "block"}},
		{name: "key log", policy: everything(), flags: []string{"--keylog", "/proc/nowhere"}, status: 1, says: []string{"/proc/nowhere"}},
		{name: "clone device", policy: everything(), private: hide, status: 1, says: []string{"/dev/net/tun is missing", "modprobe tun"}},
		{name: "device name", policy: everything(), flags: []string{"--tun", "in"}, status: 1, says: []string{`TUN device "in"`, "exists", "--tun"}},
		{name: "settings", policy: everything(), private: "mount -o bind,ro /proc/sys /proc/sys", status: 1, says: []string{"rp_filter", "sysctl -w"}},
		{name: "IPv6 routes", policy: everything(), before: "sysctl -qw net.ipv6.conf.default.disable_ipv6=1", after: "sysctl -qw net.ipv6.conf.default.disable_ipv6=0",
			status: 1, says: []string{"IPv6 is switched off"}},
		{name: "manual keys", policy: file(site(1)) + "  - filters: [me <-> 10.1.0.0/24]\n    manual: {method: ah hmac-sha256-128, spi_in: 0x1003, spi_out: 0x2003, ah_key_in: 0x" +
			strings.Repeat("01", 32) + ", ah_key_out: 0x" + strings.Repeat("02", 32) + "}\n", status: 3, says: []string{"manual"}},
		{name: "address of another", policy: "listen: {addresses: [10.1.0.77]}\n" + everything(), status: 1, says: []string{"10.1.0.77"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.before != "" {
				w.a.Run(c.before)
				defer w.a.Run(c.after)
			}
			dir := w.Subdir("start")
			policy, socket := dir+"/policy.yaml", dir+"/s.sock"
			w.WriteFile(policy[len(w.Dir()):], c.policy)
			before := footprint(w.a, socket)
			line := append([]string{w.Binary(), "up", "-c", policy, "--socket", socket}, c.flags...)
			if c.private != "" {
				line = append([]string{"unshare", "-m", "sh", "-c", c.private + ` && exec "$@"`, "sh"}, line...)
			}
			p := w.a.Start("goipsec", line...)
			if code := p.Wait(10 * time.Second); code != c.status {
				t.Errorf("exit status %d, want %d", code, c.status)
			}
			for _, text := range c.says {
				if p.Log.Count(text) == 0 {
					t.Errorf("it does not say %q:\n%s", text, p.Log)
				}
			}
			if after := footprint(w.a, socket); after != before {
				t.Errorf("left behind:\n%s", difference(before, after))
			}
		})
	}
}

// TestNothingIsLeftBehindByAKill: after SIGKILL goipsec down cleans up; or the next up takes over what is there, and takes it all
// back at its end.
func TestNothingIsLeftBehindByAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict(w.a)
	w.Goipsec(w.b, file(site(2, quickDPD)))
	g := w.Launch(w.a, "rules: nonsense")
	g.Wait(10 * time.Second)
	before := footprint(w.a, g.Socket)
	g.Write(everything())
	kill := func() {
		g.Restart()
		w.pingable(w.a, "192.168.1.1", "192.168.2.1", g)
		g.Kill()
		if footprint(w.a, g.Socket) == before {
			t.Error("after SIGKILL nothing holds protected traffic back")
		}
	}
	kill()
	said := g.Must("down")
	for _, want := range []string{"rule", "black hole", "guard", "rp_filter"} {
		if !strings.Contains(said, want) {
			t.Errorf("goipsec down does not say that it removed a %s:\n%s", want, said)
		}
	}
	if after := footprint(w.a, g.Socket); after != before {
		t.Errorf("after SIGKILL and goipsec down:\n%s", difference(before, after))
	}
	if again := g.Must("down"); strings.Contains(again, "removed") {
		t.Errorf("a second goipsec down found something:\n%s", again)
	}

	kill()
	g.Restart()
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", g)
	if code := g.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if after := footprint(w.a, g.Socket); after != before {
		t.Errorf("after SIGKILL, the next up and its end:\n%s", difference(before, after))
	}

	// The policy is another one by then: what only the old one needed goes too.
	kill()
	g.Write(file(site(1, quickDPD)))
	g.Restart()
	if s := g.Status(); len(s.TUN.Routes) != 1 || strings.Contains(w.a.Run("ip route show table all"), "172.16.0.0") {
		t.Errorf("the old policy's routes are still there: %v", s.TUN.Routes)
	}
	g.Stop()
	if after := footprint(w.a, g.Socket); after != before {
		t.Errorf("after SIGKILL, an up with another policy and its end:\n%s", difference(before, after))
	}
}
