package system

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/pkg/route"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// checkup runs goipsec doctor on a host, by way of a command if prefix names one. It must leave the host as it was, and end with the code of what it found.
func (w *world) checkup(h *lab.Host, prefix, args string) diagnose.Checkup {
	w.t.Helper()
	before := w.settled(h)
	text, err := h.Try(fmt.Sprintf("%s %s doctor --json %s", prefix, w.Binary(), args))
	after := ""
	if !w.Await(10*time.Second, func() bool { after = h.Leftovers(); return after == before }) {
		w.t.Errorf("goipsec doctor changed the host:\n%s", difference(before, after))
	}
	var c diagnose.Checkup
	if bad := json.Unmarshal([]byte(text), &c); bad != nil {
		w.t.Fatalf("goipsec doctor %s: %v, %v\n%s", args, err, bad, text)
	}
	code := 0
	if err != nil {
		fmt.Sscanf(err.Error(), "exit status %d", &code)
	}
	if code != c.ExitCode() {
		w.t.Errorf("exit code %d (%v), want %d", code, err, c.ExitCode())
	}
	return c
}

// settled is what stands on a host once nothing changes any more: an instance that runs there follows what a test has just changed, and replaces its guard.
func (w *world) settled(h *lab.Host) string {
	w.t.Helper()
	last := h.Leftovers()
	w.Until(10*time.Second, "the host to come to rest", func() (bool, string) {
		now := h.Leftovers()
		same := now == last
		last = now
		return same, now
	})
	return last
}

// finding is what a checkup says of one thing.
func finding(t *testing.T, c diagnose.Checkup, name string) diagnose.Finding {
	t.Helper()
	i := slices.IndexFunc(c.Findings, func(f diagnose.Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("nothing is said of %s: %+v", name, c)
	}
	return c.Findings[i]
}

// healthy fails the test if a checkup found a problem.
func healthy(t *testing.T, c diagnose.Checkup) {
	t.Helper()
	for _, f := range c.Findings {
		if f.State == diagnose.Problem {
			t.Errorf("a problem where there is none: %+v", f)
		}
	}
}

// A complaint is one thing that is broken, and what doctor must say.
type complaint struct {
	name, finding string
	break_, mend  string // run on the host
	prefix        string // of the command line
	state         diagnose.State
	says          string
}

// judge breaks one thing after the other, looks, and mends it; at the end the host must be well again.
func (w *world) judge(h *lab.Host, args string, list []complaint) {
	for _, c := range list {
		if c.break_ != "" {
			h.Run(c.break_)
		}
		f := finding(w.t, w.checkup(h, c.prefix, args), c.finding)
		if f.State != c.state || !strings.Contains(f.What+f.Why, c.says) || f.Next == "" && f.State != diagnose.OK && f.State != diagnose.Skipped {
			w.t.Errorf("%s: %+v, want %s that says %q", c.name, f, c.state, c.says)
		}
		if c.mend != "" {
			h.Run(c.mend)
		}
	}
	healthy(w.t, w.checkup(h, "", args))
}

// TestDoctorFindsWhatIsWrongBeforeAStart on a host with a policy that makes it a gateway.
func TestDoctorFindsWhatIsWrongBeforeAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.WriteFile("policy.yaml", file(site(1)))
	args := "-c " + policy + " --socket " + w.Dir() + "/nobody.sock"
	const chain = "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; policy %s; }; %s'"
	nft := func(policy string, rules ...string) string {
		var b strings.Builder
		for _, r := range rules {
			b.WriteString("add rule inet t c " + r + "; ")
		}
		return fmt.Sprintf(chain, policy, b.String())
	}
	const wipe = "nft delete table inet t"
	w.judge(w.a, args, []complaint{
		{name: "no TUN driver", finding: "tun", prefix: "unshare -m sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' sh", state: diagnose.Problem, says: "/dev/net/tun is missing"},
		{name: "a right is missing", finding: "rights", prefix: "setpriv --bounding-set=-net_raw --inh-caps=-net_raw", state: diagnose.Problem, says: "CAP_NET_RAW"},
		{name: "raw sockets are refused", finding: "raw-sockets", prefix: "setpriv --bounding-set=-net_raw --inh-caps=-net_raw", state: diagnose.Problem, says: "raw socket"},
		{name: "strict rp_filter", finding: "rp-filter", break_: "sysctl -qw net.ipv4.conf.eth0.rp_filter=1", mend: "sysctl -qw net.ipv4.conf.eth0.rp_filter=0", state: diagnose.Warning, says: "eth0"},
		{name: "no forwarding", finding: "forwarding", break_: "sysctl -qw net.ipv4.ip_forward=0", mend: "sysctl -qw net.ipv4.ip_forward=1", state: diagnose.Problem, says: "192.168.1.0/24"},
		{name: "another VPN's rule", finding: "rules", break_: "ip rule add pref 100 lookup 77; ip route add 192.168.0.0/16 via 10.1.0.2 table 77",
			mend: "ip rule del pref 100; ip route flush table 77", state: diagnose.Problem, says: "192.168.0.0/16 table 77"},
		{name: "a rule with a condition", finding: "rules", break_: "ip rule add pref 100 from 192.168.1.7 lookup 77; ip route add default via 10.1.0.2 table 77",
			mend: "ip rule del pref 100; ip route flush table 77", state: diagnose.Warning, says: "from 192.168.1.7"},
		{name: "a rule for other packets", finding: "rules", break_: "ip rule add pref 100 lookup 77; ip route add 172.16.0.0/12 via 10.1.0.2 table 77",
			mend: "ip rule del pref 100; ip route flush table 77", state: diagnose.OK, says: "no policy-routing rule"},
		{name: "narrow link", finding: "mtu", break_: "ip link set eth0 mtu 1380", mend: "ip link set eth0 mtu 1500", state: diagnose.Warning, says: "1380"},
		{name: "UDP 500 dropped", finding: "firewall", break_: nft("accept", "udp dport 500 drop"), mend: wipe, state: diagnose.Problem, says: "UDP 500 that arrives (table inet t, chain c)"},
		{name: "ports in a set", finding: "firewall", break_: nft("accept", "udp dport { 53, 4500 } drop"), mend: wipe, state: diagnose.Problem, says: "UDP 4500 that arrives"},
		{name: "ports in an interval", finding: "firewall", break_: nft("accept", "udp dport { 53, 400-600 } reject"), mend: wipe, state: diagnose.Problem, says: "UDP 500 that arrives"},
		{name: "ESP dropped", finding: "firewall", break_: nft("accept", "meta l4proto esp drop"), mend: wipe, state: diagnose.Problem, says: "ESP that arrives"},
		{name: "closed by default", finding: "firewall", break_: nft("drop", "ct state established,related accept", `iifname "lo" accept`, "tcp dport 22 accept"), mend: wipe,
			state: diagnose.Problem, says: "UDP 4500 that arrives"},
		{name: "closed but for a network", finding: "firewall", break_: nft("drop", "ip saddr 10.1.0.0/24 accept", "ip6 saddr fd01::/64 accept"), mend: wipe, state: diagnose.Warning, says: "may drop UDP 500"},
		{name: "closed but for IPsec", finding: "firewall", break_: nft("drop", "ct state vmap { established : accept, invalid : drop }", "udp dport { 500, 4500 } accept",
			"meta l4proto { esp, ah } accept"), mend: wipe, state: diagnose.OK, says: "inet t"},
		{name: "some peers dropped", finding: "firewall", break_: nft("accept", "ip saddr 198.51.100.0/24 udp dport 500 drop"), mend: wipe, state: diagnose.Warning, says: "may drop UDP 500"},
		{name: "some strangers dropped", finding: "firewall", break_: nft("accept", "ip saddr 198.51.100.0/24 drop"), mend: wipe, state: diagnose.OK, says: "no rule of nftables drops"},
		{name: "a jump", finding: "firewall", break_: "nft 'add table inet t; add chain inet t d; add rule inet t d meta l4proto udp drop; add chain inet t c { type filter hook output priority 0; }; add rule inet t c udp sport 500 jump d'",
			mend: wipe, state: diagnose.Problem, says: "UDP 500 that leaves"},
		{name: "faulty policy", finding: "policy", break_: "sed -i s/negotiate:/negotiates:/ " + policy, mend: "sed -i s/negotiates:/negotiate:/ " + policy, state: diagnose.Problem, says: "negotiates"},
	})

	w.a.Inside(func() error {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 1, 0, 1), Port: 4500})
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	})
	if f := finding(t, w.checkup(w.a, "", args), "ports"); f.State != diagnose.Problem || !strings.Contains(f.What, "UDP 4500 is held by system.test (process ") {
		t.Errorf("%+v", f)
	}
}

// TestDoctorLooksAtARunningInstance and at what is left when it is killed.
func TestDoctorLooksAtARunningInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.Goipsec(w.a, file(site(1), site6(1)))
	args := "--socket " + g.Socket
	table := fmt.Sprint(route.Derive(g.Status().Instance).Table)
	c := w.checkup(w.a, "", args)
	healthy(t, c)
	if f := finding(t, c, "routes"); !c.Running || f.State != diagnose.OK || !strings.Contains(f.What, "packets to 2 networks go through "+g.Status().TUN.Name) {
		t.Errorf("%+v", f)
	}
	if f := finding(t, c, "ports"); !strings.Contains(f.What, fmt.Sprintf("the instance holds UDP 500 and 4500 (process %d)", g.PID())) {
		t.Errorf("%+v", f)
	}
	w.judge(w.a, args, []complaint{
		{name: "rp_filter set back", finding: "rp-filter", break_: "sysctl -qw net.ipv4.conf.eth0.rp_filter=1", mend: "sysctl -qw net.ipv4.conf.eth0.rp_filter=2", state: diagnose.Problem, says: "eth0"},
		{name: "another VPN's rule", finding: "routes", break_: "ip rule add pref 100 lookup 77; ip route add 192.168.0.0/16 via 10.1.0.2 table 77",
			mend: "ip rule del pref 100; ip route flush table 77", state: diagnose.Problem, says: "192.168.2.1 (by eth0)"},
		{name: "a more specific route", finding: "routes", break_: "ip route add 192.168.2.0/25 via 10.1.0.2 table " + table, mend: "ip route del 192.168.2.0/25 table " + table,
			state: diagnose.Problem, says: "192.168.2.0/25"},
		{name: "the same among the host's own routes does no harm", finding: "routes", break_: "ip route add 192.168.2.0/25 via 10.1.0.2", mend: "ip route del 192.168.2.0/25", state: diagnose.OK, says: "go through"},
		{name: "wide device", finding: "mtu", break_: "ip link set eth0 mtu 1400", mend: "ip link set eth0 mtu 1500", state: diagnose.Warning, says: "1400"},
	})
	g.Kill()
	f := finding(t, w.checkup(w.a, "", args+" -c "+g.Policy), "leftovers")
	for _, want := range []string{"guard of instance", "black holes of instance"} {
		if f.State != diagnose.Problem || !strings.Contains(f.What, want) {
			t.Errorf("%+v, want %q", f, want)
		}
	}
	g.Must("down")
	if f := finding(t, w.checkup(w.a, "", args+" -c "+g.Policy), "leftovers"); f.State != diagnose.OK {
		t.Errorf("after goipsec down: %+v", f)
	}
	text, err := w.a.Try(w.Binary() + " doctor -c " + g.Policy + " " + args)
	if err != nil || !strings.Contains(text, "0 problems") || !strings.Contains(text, "is not running") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestDoctorKnowsOtherInstances: what another instance that runs has in the kernel is no leftover, although its socket is elsewhere.
func TestDoctorKnowsOtherInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.Goipsec(w.a, file(site(1)))
	c := w.checkup(w.a, "", "--socket "+w.Dir()+"/nobody.sock")
	if f := finding(t, c, "leftovers"); f.State != diagnose.OK {
		t.Errorf("%+v", f)
	}
	if f := finding(t, c, "ports"); f.State != diagnose.Problem || !strings.Contains(f.What, fmt.Sprintf("goipsec (process %d)", g.PID())) {
		t.Errorf("%+v", f)
	}
}
