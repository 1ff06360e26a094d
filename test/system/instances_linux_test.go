package system

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// TestTwoInstancesShareAMachine runs two on one host, each with its own address, socket, device and peer, and ends one: the other goes on.
func TestTwoInstancesShareAMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.a.Address("eth0", "10.1.0.11/24")
	c := w.quiet("c")
	w.Link(w.a, "eth1=10.3.0.1/24", c, "eth0=10.3.0.2/24")
	before := w.a.Leftovers()
	listen := func(address string) string { return "listen: {addresses: [" + address + "]}\n" }
	w.Goipsec(w.b, file(site(2)))
	w.Goipsec(c, file(rule("c", "10.3.0.2 <-> 10.3.0.1", "")))
	first := w.Goipsec(w.a, listen("10.1.0.1")+file(site(1)))
	second := w.Goipsec(w.a, listen("10.3.0.1")+file(rule("c", "10.3.0.1 <-> 10.3.0.2", "")))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", first)
	w.pingable(w.a, "10.3.0.1", "10.3.0.2", second)
	for g, rules := range map[*lab.Goipsec]string{first: "site", second: "c"} {
		s := g.Status()
		if len(s.Children) == 0 || s.Children[0].Rule != rules || s.Traffic.Sealed == 0 || s.Traffic.Opened == 0 {
			t.Errorf("an instance has the wrong SAs or no traffic: %+v, %s", s.Children, traffic(s))
		}
	}
	if n := strings.Count(w.a.Run("nft list tables"), "goipsec_"); n != 2 {
		t.Errorf("%d guards, want 2", n)
	}
	if code := first.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if n := w.a.Ping("10.3.0.2", 5, "-I", "10.3.0.1", "-w", "10"); n != 5 {
		t.Errorf("%d of 5 pings answered after the end of the other instance", n)
	}
	second.Stop()
	if after := w.a.Leftovers(); after != before {
		t.Errorf("left behind:\n%s", difference(before, after))
	}
}

// TestAnAddressIsHeldByOneInstance: a second one on the same address is refused and told by whom it is held; so is one where another program has the port,
// and one on the same socket. None leaves anything behind or disturbs the holder.
func TestAnAddressIsHeldByOneInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Goipsec(w.b, file(site(2)))
	holder := w.Goipsec(w.a, file(site(1)))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", holder)
	before := w.a.Leftovers()
	refused := func(name, policy, socket string, says ...string) {
		t.Helper()
		path := w.WriteFile("refused.yaml", policy)
		p := w.a.Start("goipsec", w.Binary(), "up", "-c", path, "--socket", socket)
		if code := p.Wait(10 * time.Second); code != 6 {
			t.Errorf("%s: exit status %d, want 6\n%s", name, code, p.Log)
		}
		for _, text := range says {
			if p.Log.Count(text) == 0 {
				t.Errorf("%s: it does not say %q:\n%s", name, text, p.Log)
			}
		}
	}
	pid := fmt.Sprintf("process %d", holder.PID())
	other := w.Dir() + "/other.sock"
	refused("same socket", file(site(1)), holder.Socket, pid, "goipsec down", "--socket")
	refused("all addresses", file(site(1)), other, ":500", "goipsec", pid, "listen:")
	refused("one address", "listen: {addresses: [10.1.0.1]}\n"+file(site(1)), other, "10.1.0.1:500", pid, "listen:")
	if after := w.a.Leftovers(); after != before {
		t.Errorf("left behind, or taken from the holder:\n%s", difference(before, after))
	}
	if n := w.a.Ping("192.168.2.1", 5, "-I", "192.168.1.1", "-w", "10"); n != 5 {
		t.Errorf("%d of 5 pings of the holder answered", n)
	}
	holder.Stop()
	for _, port := range []string{"500", "4500"} {
		ike := w.a.Start("iperf3", "iperf3", "-s", "-p", "5999", "--forceflush") // some program, which gets the port by its socket
		ike.Expect("Server listening", 10*time.Second)
		daemon := w.a.Start("socat", "python3", "-c", "import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('0.0.0.0',"+port+"));print('bound',flush=True);sys.stdin.read()")
		daemon.Expect("bound", 10*time.Second)
		refused("port "+port, file(site(1)), other, ":"+port, "python3", fmt.Sprintf("process %d", daemon.PID()))
		daemon.Kill()
		ike.Stop()
	}
}

// TestAStaleSocketIsReplaced: the file of a process that died is in nobody's way; a file that is no socket is left alone.
func TestAStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.Goipsec(w.a, file(site(1)))
	g.Kill()
	if _, err := os.Lstat(g.Socket); err != nil {
		t.Fatal("the killed process left no socket:", err)
	}
	if text, err := g.Command("status"); err == nil || !strings.Contains(text, "no instance is running") {
		t.Errorf("status of a killed one: %v\n%s", err, text)
	}
	g.Restart()
	g.Stop()
	if _, err := os.Lstat(g.Socket); err == nil {
		t.Error("an orderly end left its socket")
	}
	if err := os.WriteFile(g.Socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := w.a.Start("goipsec", w.Binary(), "up", "-c", g.Policy, "--socket", g.Socket)
	if code := p.Wait(10 * time.Second); code == 0 || p.Log.Count("is not a socket") == 0 {
		t.Errorf("a file in the socket's place: exit status %d\n%s", code, p.Log)
	}
	if text, _ := os.ReadFile(g.Socket); string(text) != "precious" {
		t.Error("the file in the socket's place was not left alone")
	}
}
