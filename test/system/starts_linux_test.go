package system

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestMissingRightsAreNamed starts goipsec as root without one capability, and as another user.
func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.WriteFile("policy.yaml", file(site(1)))
	socket := w.Dir() + "/s.sock"
	before := footprint(w.a, socket)
	for _, c := range []struct {
		name string
		via  []string
		says string
	}{
		{"no CAP_NET_ADMIN", []string{"setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"}, "CAP_NET_ADMIN"},
		{"no CAP_NET_RAW", []string{"setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"}, "CAP_NET_RAW"},
		{"no capability at all", []string{"setpriv", "--bounding-set=-all", "--inh-caps=-all"}, "CAP_NET_"},
	} {
		p := w.a.Start("goipsec", append(c.via, w.Binary(), "up", "-c", policy, "--socket", socket)...)
		if code := p.Wait(10 * time.Second); code != 5 || p.Log.Count(c.says) == 0 {
			t.Errorf("%s: exit status %d, want 5, and %q:\n%s", c.name, code, c.says, p.Log)
		}
		if after := footprint(w.a, socket); after != before {
			t.Errorf("%s: left behind:\n%s", c.name, difference(before, after))
		}
	}
}

// TestAGatewayThatDoesNotForwardIsWarned: with the command to type.
func TestAGatewayThatDoesNotForwardIsWarned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.a.Run("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
	g := w.Goipsec(w.a, file(site(1), site6(1)))
	for _, want := range []string{"sysctl -w net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"} {
		if g.Log.Count(want) != 1 || !strings.Contains(strings.Join(g.Status().Warnings, "\n"), want) {
			t.Errorf("log and status should say %q once:\n%s\n%v", want, g.Log, g.Status().Warnings)
		}
	}
	w.a.Forward()
	g.Stop()
	g.Restart()
	if g.Log.Count("does not forward") != 0 {
		t.Errorf("a gateway that forwards is warned:\n%s", g.Log)
	}
}

// TestTheWholeWorldThroughATunnel has a tunnel for every address, which contains its own peer: IKE and ESP stay outside, by their mark.
func TestTheWholeWorldThroughATunnel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.a.Run("ip route add default via 10.1.0.2; ip -6 route add default via fd01::2")
	all := rule("all", `192.168.1.0/24 -> 0.0.0.0/0`, "local: 10.1.0.1, remote: 10.1.0.2")
	all6 := rule("all6", `"fd02::/64 -> ::/0"`, `local: "fd01::1", remote: "fd01::2"`)
	back := rule("all", `0.0.0.0/0 -> 192.168.1.0/24`, "local: 10.1.0.2, remote: 10.1.0.1")
	back6 := rule("all6", `"::/0 -> fd02::/64"`, `local: "fd01::2", remote: "fd01::1"`)
	before := w.a.Leftovers()
	w.Goipsec(w.b, file(back, back6))
	ga := w.Goipsec(w.a, file(all, all6))
	capture := w.a.Capture("eth0")
	for _, to := range []string{"192.168.2.1", "192.168.2.9", "fd03::1", "fd03::9"} {
		from := map[bool]string{false: "192.168.1.1", true: "fd02::1"}[strings.Contains(to, ":")]
		w.pingable(w.a, from, to, ga)
		if n := w.a.Ping(to, 5, "-I", from, "-w", "10"); n != 5 {
			t.Errorf("%d of 5 pings to %s answered", n, to)
		}
		inside := map[bool]string{false: "192.168.1.9", true: "fd02::9"}[strings.Contains(to, ":")]
		if n := w.inside[0].Ping(to, 5, "-I", inside, "-w", "10"); n != 5 {
			t.Errorf("%d of 5 pings from behind to %s answered", n, to)
		}
	}
	// The peer's own outer address, from inside the tunnel's source: by the tunnel too.
	if n := w.a.Ping("10.1.0.2", 3, "-I", "192.168.1.1", "-w", "10"); n != 3 {
		t.Errorf("%d of 3 pings to the peer's outer address answered", n)
	}
	w.NoClear(capture.Stop())
	ga.Stop()
	if after := w.a.Leftovers(); after != before {
		t.Errorf("left behind:\n%s", difference(before, after))
	}
}

// TestBadPoliciesAreShownAndLeaveNothing: what is wrong with a file is tested where it is read; here it stops up with exit status 3 and a place, and nothing
// is touched.
func TestBadPoliciesAreShownAndLeaveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.Subdir("bad")
	key := func(name, text string) { writeFile(t, dir+"/"+name, text) }
	key("empty.key", "\n")
	key("good.key", psk+"\n")
	key("hex.key", "0x"+strings.Repeat("ab", 20)+"\r\n")
	key("open.key", psk)
	if err := os.Chmod(dir+"/open.key", 0o644); err != nil {
		t.Fatal(err)
	}
	names := "10.1.0.2 10.1.0.3" // resolved by a hosts file of the process's own
	for i := range 1000 {
		names += fmt.Sprintf("\n10.8.%d.%d thousand.example", i/250, i%250+1)
	}
	key("hosts", strings.TrimPrefix(names, "10.1.0.2 10.1.0.3\n"))
	with := func(filter, more string) string {
		return "rules:\n  - filters: [" + filter + "]\n    negotiate: {}\n    auth: [{psk_file: good.key}]\n" + more
	}
	before := footprint(w.a, dir+"/s.sock")
	for _, c := range []struct {
		name, policy string
		status       int
		says         []string
	}{
		{"range end before start", with("me <-> 10.1.0.9-10.1.0.2", ""), 3, []string{"policy.yaml:2:", "10.1.0.9"}},
		{"host bits", with("me <-> 10.1.0.9/24", ""), 3, []string{"policy.yaml:2:", "10.1.0.0/24"}},
		{"mixed families", with(`"10.1.0.1 <-> fd01::2"`, ""), 3, []string{"policy.yaml:2:"}},
		{"mirrored tunnel rule", with("192.168.1.0/24 <-> 192.168.2.0/24", "    tunnel: {remote: 10.1.0.2}\n"), 3, []string{"policy.yaml:2:", "->"}},
		{"tunnel to oneself", with("192.168.1.0/24 -> 192.168.2.0/24", "    tunnel: {local: 10.1.0.1, remote: 10.1.0.1}\n"), 3, []string{"policy.yaml:5:", "no tunnel to itself"}},
		{"tunnel to an address of the host", with("192.168.1.0/24 -> 192.168.2.0/24", "    tunnel: {remote: 10.1.0.1}\n"), 3, []string{"10.1.0.1", "own"}},
		{"empty key", strings.Replace(with("me <-> 10.1.0.2", ""), "good", "empty", 1), 3, []string{"policy.yaml:4:", "empty"}},
		{"key that others may read", strings.Replace(with("me <-> 10.1.0.2", ""), "good", "open", 1), 3, []string{"open.key", "chmod"}},
		{"no such key", strings.Replace(with("me <-> 10.1.0.2", ""), "good", "missing", 1), 3, []string{"missing.key"}},
		{"name without addresses", with("me <-> nobody.example", ""), 1, []string{`"nobody.example"`, "no known address", "DNS"}},
		{"name with a thousand addresses", with("me <-> thousand.example", ""), 3, []string{"thousand.example", "64"}},
		{"unknown key, CRLF and BOM", "\ufeffrules:\r\n  - filters: [me <-> 10.1.0.2]\r\n    negotate: {}\r\n", 3, []string{"policy.yaml:3:5", `"negotiate"`}},
	} {
		key("policy.yaml", c.policy)
		line := fmt.Sprintf("mount --bind %s/hosts /etc/hosts && exec %s up -c %s/policy.yaml --socket %s/s.sock", dir, w.Binary(), dir, dir)
		p := w.a.Start("goipsec", "unshare", "-m", "sh", "-c", line)
		if code := p.Wait(20 * time.Second); code != c.status {
			t.Errorf("%s: exit status %d, want %d\n%s", c.name, code, c.status, p.Log)
			continue
		}
		for _, text := range c.says {
			if p.Log.Count(text) == 0 {
				t.Errorf("%s: it does not say %q:\n%s", c.name, text, p.Log)
			}
		}
	}
	for _, name := range []string{"policy.yaml"} {
		os.Remove(dir + "/" + name)
	}
	if after := footprint(w.a, dir+"/s.sock"); strings.ReplaceAll(after, "file "+dir+"/policy.yaml\n", "") != before {
		t.Errorf("left behind:\n%s", difference(before, after))
	}
}

// TestKeysAreReadAlikeAtBothEnds: with a line end behind it or without, in text or hexadecimal, in a file with BOM and CRLF.
func TestKeysAreReadAlikeAtBothEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := "throw-away key with 27 chars"
	dir := w.Subdir("keys")
	writeFile(t, dir+"/text.key", text+"\r\n")
	writeFile(t, dir+"/hex.key", fmt.Sprintf("0x%x", text))
	policy := func(peer, key string) string {
		return "\ufeffrules:\r\n  - filters: [me <-> " + peer + "]\r\n    negotiate: {}\r\n    auth: [{psk_file: " + dir + "/" + key + "}]\r\n"
	}
	w.Goipsec(w.b, policy("10.1.0.1", "hex.key"))
	ga := w.Goipsec(w.a, policy("10.1.0.2", "text.key"))
	w.pingable(w.a, "10.1.0.1", "10.1.0.2", ga)
	if s := ga.Status(); len(s.Children) == 0 || s.Traffic.Sealed == 0 {
		t.Errorf("not protected: %s", traffic(s))
	}
}

// TestAMillionFiltersAreChecked within bounded time and memory.
func TestAMillionFiltersAreChecked(t *testing.T) {
	w := &world{Lab: lab.New(t), t: t}
	a := w.quiet("a")
	var b strings.Builder
	b.WriteString("rules:\n  - action: permit\n    filters:\n")
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "      - 10.0.0.1 -> 11.%d.%d.%d tcp any %d\n", i>>16, i>>8&255, i&255, i%60000+1)
	}
	path := w.WriteFile("million.yaml", b.String())
	watch := lab.StartWatch()
	text := a.Run(fmt.Sprintf("ulimit -v 6000000; GOMEMLIMIT=3GiB %s policy check %s && times", w.Binary(), path))
	t.Logf("a million filters took %.1f s: %s", watch.Elapsed().Seconds(), strings.TrimSpace(text))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
