package system

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// settings are the files of a system that says who its servers are: a goipsec that is run under them sees them in the places of the host's own.
type settings struct {
	t   *testing.T
	dir string
}

func (w *world) settings() *settings {
	s := &settings{w.t, w.Subdir("settings")}
	for _, name := range []string{"resolv.conf", "hosts"} {
		s.write(name, "")
	}
	s.write("leases/none", "")
	return s
}

// write changes a file in place, as the mounts show the file and not its name.
func (s *settings) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// under is the command that runs a program with these files.
func (s *settings) under() []string {
	const script = `mount -t tmpfs none /run && mkdir -p /run/systemd/netif/leases && mount --bind "$0/leases" /run/systemd/netif/leases &&
mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/hosts" /etc/hosts && exec "$@"`
	return []string{"unshare", "-m", "sh", "-c", script, s.dir}
}

// reached waits until a host answers pings, or does not.
func (w *world) reached(g *lab.Goipsec, source, to string, want bool) {
	w.t.Helper()
	watch := lab.StartWatch()
	w.Until(20*time.Second, fmt.Sprintf("%s to be reachable: %t", to, want), func() (bool, string) {
		s := g.Status()
		return (w.a.Ping(to, 1, "-W", "0.3", "-I", source) == 1) == want, fmt.Sprintf("live %v, connections %v, warnings %v, drops %v", s.Live, s.Connections, s.Warnings, s.Drops)
	})
	w.t.Logf("%s from %s: reachable is %t after %.1f s", to, source, want, watch.Elapsed().Seconds())
}

// TestLiveKeywordsFollowTheSystem changes name servers, the lease and the default gateway of a host under a policy that blocks them: the filters follow, and
// what a keyword does not stand for any more is free again.
func TestLiveKeywordsFollowTheSystem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range []string{"10.1.0.3/24", "10.1.0.4/24", "10.1.0.5/24"} {
		w.b.Address("eth0", a)
	}
	s := w.settings()
	s.write("resolv.conf", "nameserver 127.0.0.53\nnameserver 10.1.0.2\n")
	g := w.GoipsecUnder(s.under(), w.a, `policy: test
rules:
  - {name: servers, action: block, filters: [me <-> dns, me <-> gateway, me <-> dhcp]}
`)
	w.reached(g, "10.1.0.1", "10.1.0.2", false)
	w.reached(g, "10.1.0.1", "10.1.0.3", true)
	status := g.Status()
	if got := fmt.Sprint(status.Live["dns"]); got != "[10.1.0.2]" {
		t.Errorf("dns stands for %s", got)
	}
	if said := strings.Join(status.Warnings, "\n"); !strings.Contains(said, "gateway stands for no address now") || !strings.Contains(said, "dhcp stands for no address now") {
		t.Errorf("status does not say which keywords are empty: %v", status.Warnings)
	}

	s.write("resolv.conf", "nameserver 10.1.0.3\n")
	w.reached(g, "10.1.0.1", "10.1.0.3", false)
	w.reached(g, "10.1.0.1", "10.1.0.2", true)

	w.a.Run("ip route add default via 10.1.0.4")
	w.reached(g, "10.1.0.1", "10.1.0.4", false)
	w.a.Run("ip route replace default via 10.1.0.2")
	w.reached(g, "10.1.0.1", "10.1.0.2", false)
	w.reached(g, "10.1.0.1", "10.1.0.4", true)
	w.a.Run("ip route del default")
	w.reached(g, "10.1.0.1", "10.1.0.2", true)

	s.write("leases/2", "ADDRESS=10.1.0.1\nSERVER_ADDRESS=10.1.0.5\n")
	w.reached(g, "10.1.0.1", "10.1.0.5", false)
	s.write("leases/2", "ADDRESS=10.1.0.9\nSERVER_ADDRESS=10.1.0.5\n") // a lease of an address that the host does not have
	w.reached(g, "10.1.0.1", "10.1.0.5", true)

	s.write("resolv.conf", "# nobody\n")
	w.reached(g, "10.1.0.1", "10.1.0.3", true)
	if status := g.Status(); status.Policy.OutboundFilters != 0 || len(status.Warnings) < 3 {
		t.Errorf("%d filters are left, warnings %v", status.Policy.OutboundFilters, status.Warnings)
	}
	if text := g.Must("status"); !strings.Contains(text, "live keywords: dhcp -; dns -; gateway -") {
		t.Errorf("status says:\n%s", text)
	}
}

// TestNamesAreResolvedOnRequest: a DNS name keeps its addresses until a reload, and a reload at which it has none changes nothing.
func TestNamesAreResolvedOnRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.b.Address("eth0", "10.1.0.3/24")
	s := w.settings()
	s.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	s.write("hosts", "10.1.0.2 server.example.test\n")
	g := w.GoipsecUnder(s.under(), w.a, "policy: test\nrules:\n  - {name: server, action: block, filters: [me <-> server.example.test]}\n")
	w.reached(g, "10.1.0.1", "10.1.0.2", false)
	s.write("hosts", "10.1.0.3 server.example.test\n")
	w.reached(g, "10.1.0.1", "10.1.0.3", true) // nobody has asked for a new look
	w.reached(g, "10.1.0.1", "10.1.0.2", false)
	// The resolver of the process looks at the file of hosts every five seconds at most.
	w.Until(20*time.Second, "a reload to find the name's new address", func() (bool, string) {
		text := g.Must("reload")
		return w.a.Ping("10.1.0.3", 1, "-W", "0.3") == 0, text
	})
	w.reached(g, "10.1.0.1", "10.1.0.2", true)
	s.write("hosts", "10.1.0.3 other.example.test\n")
	before, said := g.Status().Policy, ""
	w.Until(20*time.Second, "a reload to find no address", func() (bool, string) {
		var err error
		before = g.Status().Policy
		said, err = g.Command("reload")
		return err != nil, said
	})
	if !strings.Contains(said, "server.example.test") {
		t.Errorf("a reload at which a name has no address says:\n%s", said)
	}
	if after := g.Status(); after.Policy != before || !strings.HasPrefix(after.LastReload, "refused") {
		t.Errorf("it changed something: %+v, %q", after.Policy, after.LastReload)
	}
	w.reached(g, "10.1.0.1", "10.1.0.3", false)
}

// TestConnectionTypesFollowTheInterfaces: rules for dialled and for LAN interfaces are in force while there are such, for their addresses only. The endpoint's own
// device is neither.
func TestConnectionTypesFollowTheInterfaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range []string{"10.1.0.3/24", "10.1.0.4/24"} {
		w.b.Address("eth0", a)
	}
	w.b.Run("ip route add 10.8.0.0/24 via 10.1.0.1")
	g := w.Goipsec(w.a, `policy: test
rules:
  - {name: dialled, connection: remote_access, action: block, filters: [any <-> 10.1.0.2]}
  - {name: local, connection: lan, action: block, filters: [me <-> 10.1.0.3]}
  - {name: office, connection: lan, action: block, filters: [any <-> any]}
  - {name: partner, action: permit, filters: [me <-> 10.1.0.2, me <-> 10.1.0.4]}
`)
	w.reached(g, "10.1.0.1", "10.1.0.2", true)
	w.reached(g, "10.1.0.1", "10.1.0.3", false)
	w.reached(g, "10.1.0.1", "10.1.0.4", true)
	s := g.Status()
	if !slices.ContainsFunc(s.Warnings, func(x string) bool {
		return strings.Contains(x, `rule "dialled" is for remote_access connections, and there is none now`)
	}) {
		t.Errorf("status does not say that a rule sleeps: %v", s.Warnings)
	}
	if len(s.Connections["remote_access"]) != 0 || len(s.Connections["lan"]) == 0 {
		t.Errorf("the endpoint's own device counts: %v", s.Connections)
	}

	w.a.Run("ip tuntap add vpn0 mode tun; ip addr add 10.8.0.1/24 dev vpn0; ip link set vpn0 up")
	w.reached(g, "10.8.0.1", "10.1.0.2", false)
	w.reached(g, "10.1.0.1", "10.1.0.2", true)
	w.reached(g, "10.8.0.1", "10.1.0.3", true) // blocked on the LAN only
	w.reached(g, "10.1.0.1", "10.1.0.3", false)
	if s := g.Status(); fmt.Sprint(s.Connections["remote_access"]) != "[10.8.0.1]" || slices.ContainsFunc(s.Warnings, func(x string) bool { return strings.Contains(x, "dialled") }) {
		t.Errorf("%v, %v", s.Connections, s.Warnings)
	}
	w.a.Run("ip link del vpn0")
	w.Until(10*time.Second, "the rule to sleep again", func() (bool, string) {
		s := g.Status()
		return slices.ContainsFunc(s.Warnings, func(x string) bool { return strings.Contains(x, "there is none now") }), fmt.Sprint(s.Warnings)
	})
}
