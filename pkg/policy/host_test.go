package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
)

func addrs(list ...string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, s := range list {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

// dialled is a host with a LAN interface, a dialled one, and an address that is on both, as unnumbered PPP has it.
var dialled = LocalHost{
	Addresses:    addrs("192.0.2.1", "198.51.100.7", "203.0.113.3"),
	ByConnection: map[Connection][]netip.Addr{LAN: addrs("192.0.2.1", "203.0.113.3"), RemoteAccess: addrs("198.51.100.7", "203.0.113.3")},
	Sources: map[netip.Addr]netip.Addr{netip.MustParseAddr("10.0.0.9"): netip.MustParseAddr("198.51.100.7"),
		netip.MustParseAddr("10.0.0.1"): netip.MustParseAddr("192.0.2.1")},
}

// outbound lists the outbound filters of one rule on a host.
func outboundOn(t *testing.T, h LocalHost, r *Rule) (filters []string, warnings string) {
	t.Helper()
	c, err := CompileOn(policyOf(r), h)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Outbound {
		filters = append(filters, f.Filter.String())
	}
	return filters, strings.Join(c.Warnings, "\n")
}

func TestConnectionTypesNarrowTheFiltersOfARule(t *testing.T) {
	for _, x := range []struct {
		filter     string
		kind       ActionKind
		connection Connection
		want       string
	}{
		{"me <-> 10.0.0.9", Negotiate, AllConnections, "192.0.2.1 -> 10.0.0.9, 198.51.100.7 -> 10.0.0.9, 203.0.113.3 -> 10.0.0.9"},
		{"me <-> 10.0.0.9", Negotiate, LAN, "192.0.2.1 -> 10.0.0.9, 203.0.113.3 -> 10.0.0.9"},
		{"me <-> 10.0.0.9", Negotiate, RemoteAccess, "198.51.100.7 -> 10.0.0.9, 203.0.113.3 -> 10.0.0.9"},
		{"me <-> any", Negotiate, RemoteAccess, "198.51.100.7 -> any4, 203.0.113.3 -> any4"},
		// What names no address of this host is narrowed to the traffic of such addresses.
		{"any <-> any", Block, RemoteAccess, "198.51.100.7 -> any4, 203.0.113.3 -> any4"},
		{"198.51.100.0/24 <-> 10.0.0.0/8", Block, RemoteAccess, "198.51.100.7 -> 10.0.0.0/8"},
		{"198.51.100.0/24 <-> 10.0.0.0/8", Block, LAN, ""},
		// An address of this host is on interfaces of the type or not.
		{"198.51.100.7 <-> 10.0.0.9", Permit, RemoteAccess, "198.51.100.7 -> 10.0.0.9"},
		{"198.51.100.7 <-> 10.0.0.9", Permit, LAN, ""},
		{"10.0.0.9 -> 198.51.100.7", Permit, LAN, ""},
		{"198.51.100.7 <-> any", Block, LAN, ""},
	} {
		r := rule("r", x.kind, generic(x.filter, 0))
		r.Connection = x.connection
		got, _ := outboundOn(t, dialled, r)
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("%s for %v: %s, want %s", x.filter, x.connection, s, x.want)
		}
	}
}

func TestARuleWithoutAnInterfaceOfItsTypeSleeps(t *testing.T) {
	r := rule("r", Block, generic("any <-> any", 0))
	r.Connection = RemoteAccess
	office := LocalHost{Addresses: addrs("192.0.2.1"), ByConnection: map[Connection][]netip.Addr{LAN: addrs("192.0.2.1")}}
	if got, warnings := outboundOn(t, office, r); len(got) != 0 || !strings.Contains(warnings, "remote_access connections, and there is none now") {
		t.Errorf("%v, %q", got, warnings)
	}
	// Where nothing is known of interfaces, as for a look at a policy away from its host, the rule is shown awake.
	if got, _ := outboundOn(t, LocalHost{Addresses: addrs("192.0.2.1")}, r); len(got) != 2 {
		t.Error(got)
	}
}

func TestATunnelBelongsToTheInterfaceOfItsOuterAddress(t *testing.T) {
	for _, x := range []struct {
		local, remote string
		connection    Connection
		want          bool
	}{
		{"198.51.100.7", "10.0.0.1", RemoteAccess, true},
		{"198.51.100.7", "10.0.0.1", LAN, false},
		{"", "10.0.0.9", RemoteAccess, true}, // by the route
		{"", "10.0.0.9", LAN, false},
		{"", "10.0.0.1", LAN, true},
		{"", "", LAN, true}, // any peer: while there is such an interface
	} {
		r := rule("r", Negotiate, generic("172.16.0.0/16 -> 10.0.0.0/8", 0))
		r.Connection, r.Tunnel = x.connection, &Tunnel{}
		if x.local != "" {
			r.Tunnel.Local = netip.MustParseAddr(x.local)
		}
		if x.remote != "" {
			r.Tunnel.Remote = netip.MustParseAddr(x.remote)
		}
		got, warnings := outboundOn(t, dialled, r)
		if (len(got) == 1) != x.want || x.want && got[0] != "172.16.0.0/16 -> 10.0.0.0/8" || !x.want && !strings.Contains(warnings, "it does nothing until it is") {
			t.Errorf("%+v: %v, %q", x, got, warnings)
		}
	}
}

func TestLiveKeywordsStandForWhatTheHostSays(t *testing.T) {
	h := LocalHost{Addresses: addrs("192.0.2.1", "2001:db8::1"), Live: map[AddrKind][]netip.Addr{
		LiveDNS: addrs("10.0.0.53", "10.0.0.54", "10.0.0.53", "127.0.0.53", "fe80::53", "192.0.2.1", "2001:db8::53"), LiveGateway: addrs("192.0.2.254")}}
	live := func(kind AddrKind) *Rule {
		g := generic("me <-> any", 0)
		g.Dst = AddrSpec{Kind: kind}
		return rule("r", Block, g)
	}
	for _, x := range []struct {
		kind          AddrKind
		want, warning string
	}{
		{LiveDNS, "2001:db8::1 -> 2001:db8::53, 192.0.2.1 -> 10.0.0.53, 192.0.2.1 -> 10.0.0.54", ""},
		{LiveGateway, "192.0.2.1 -> 192.0.2.254", ""},
		{LiveDHCP, "", "dhcp stands for no address now"},
		{LiveWINS, "", "name them with wins_servers"},
	} {
		got, warnings := outboundOn(t, h, live(x.kind))
		if s := strings.Join(got, ", "); s != x.want || !strings.Contains(warnings, x.warning) || x.warning == "" && warnings != "" {
			t.Errorf("%d: %s, want %s; %q", x.kind, s, x.want, warnings)
		}
	}
	p := policyOf(live(LiveWINS))
	p.WINS = addrs("10.0.0.7")
	c, err := CompileOn(p, h)
	if err != nil || len(c.Outbound) != 1 || c.Outbound[0].Filter.Dst.From != p.WINS[0] {
		t.Errorf("%v: %v", err, c.Outbound)
	}
	if !p.UsesLive() || policyOf(rule("r", Block, generic("me <-> any", 0))).UsesLive() {
		t.Error("UsesLive is wrong")
	}
	// Away from a host nothing is known, and that is no fault and no warning.
	if warnings, err := Check(policyOf(live(LiveDNS), live(LiveGateway))); err != nil || len(warnings) != 0 {
		t.Error(warnings, err)
	}
}

// What the host has at the moment may make filters equal that do different things: that leaves it with a policy, and a rule with a connection type goes first.
func TestFiltersThatAreEqualForTheMoment(t *testing.T) {
	typed := func(name string, kind ActionKind, c Connection, filter string) *Rule {
		r := rule(name, kind, generic(filter, 0))
		r.Connection = c
		return r
	}
	keyword := func(name string, kind ActionKind) *Rule {
		r := rule(name, kind, generic("me <-> any", 0))
		r.Filters[0].Dst = AddrSpec{Kind: LiveDNS}
		return r
	}
	other := func(r *Rule) *Rule {
		r.Auth[0].PSK = NewSecret([]byte("another throw-away"))
		return r
	}
	h := dialled
	h.Live = map[AddrKind][]netip.Addr{LiveDNS: addrs("10.0.0.9")}
	for name, c := range map[string]struct {
		rules   []*Rule
		source  string // of a packet to 10.0.0.9
		want    string // the rule that decides
		warning string
	}{
		"a type before none":          {[]*Rule{typed("dialled", Permit, RemoteAccess, "me <-> 10.0.0.9"), rule("all", Block, generic("me <-> 10.0.0.9", 0))}, "198.51.100.7", "dialled", ""},
		"and only for its interfaces": {[]*Rule{typed("dialled", Permit, RemoteAccess, "me <-> 10.0.0.9"), rule("all", Block, generic("me <-> 10.0.0.9", 0))}, "192.0.2.1", "all", ""},
		"two types for one address":   {[]*Rule{typed("a", Permit, RemoteAccess, "me <-> 10.0.0.9"), typed("b", Block, LAN, "me <-> 10.0.0.9")}, "203.0.113.3", "b", "that of rule \"b\" is done"},
		"two types elsewhere":         {[]*Rule{typed("a", Permit, RemoteAccess, "me <-> 10.0.0.9"), typed("b", Block, LAN, "me <-> 10.0.0.9")}, "198.51.100.7", "a", "that of rule"},
		"a keyword and an address":    {[]*Rule{keyword("names", Permit), rule("host", Block, generic("me <-> 10.0.0.9", 0))}, "192.0.2.1", "host", "that of rule \"host\" is done"},
		"two keys":                    {[]*Rule{other(keyword("names", Negotiate)), rule("host", Negotiate, generic("me <-> 10.0.0.9", 0))}, "192.0.2.1", "host", "those of rule \"host\" hold"},
		"two keys, one of a type":     {[]*Rule{other(typed("z", Negotiate, RemoteAccess, "me <-> 10.0.0.9")), rule("a", Negotiate, generic("me <-> 10.0.0.9", 0))}, "198.51.100.7", "z", ""},
		"equal weight, not equal":     {[]*Rule{typed("z", Permit, RemoteAccess, "me -> 10.0.0.0/24"), rule("a", Block, generic("198.51.100.0/24 -> 10.0.0.9", 0))}, "198.51.100.7", "z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rules := range [][]*Rule{c.rules, {c.rules[1], c.rules[0]}} { // their order never matters
				compiled, err := CompileOn(policyOf(rules...), h)
				if err != nil {
					t.Fatal(err)
				}
				q := classifier.Filter{Src: classifier.HostRange(netip.MustParseAddr(c.source)), Dst: classifier.HostRange(netip.MustParseAddr("10.0.0.9"))}
				f := compiled.Decision(q, true)
				if f == nil || f.Rule.Name != c.want {
					t.Errorf("%v decides, want %q", f, c.want)
				}
				if all := strings.Join(compiled.Warnings, "\n"); !strings.Contains(all, c.warning) || c.warning == "" && all != "" {
					t.Errorf("warnings: %q", all)
				}
				if f.Action == Negotiate {
					if m := compiled.FindMainMode(q.Src.From, q.Dst.From); m == nil || m.Rule.Name != c.want {
						t.Errorf("main mode is that of %v", m)
					}
				}
				for _, list := range [][]*QuickModeFilter{compiled.Outbound, compiled.Inbound} {
					for _, f := range list {
						if f.Twin != nil && f.Twin.Twin != f {
							t.Errorf("%v has a counterpart that does not know it", f.Filter)
						}
					}
				}
				// Away from a host nothing of it is a fault.
				if w, err := Check(policyOf(rules...)); err != nil || len(w) > 0 {
					t.Errorf("check: %v, %v", w, err)
				}
			}
		})
	}
	// What is always equal is a fault, as ever.
	if _, err := CompileOn(policyOf(typed("a", Permit, LAN, "me <-> 10.0.0.9"), typed("b", Block, LAN, "me <-> 10.0.0.9")), h); err == nil {
		t.Error("two rules of one type that differ are no fault")
	}
}

// Resolvers give IPv4 addresses in the form of IPv6; a policy has them as they are.
func TestResolvedAddressesArePlain(t *testing.T) {
	p, err := policyOf(rule("r", Block, generic("me <-> server.example", 0))).Resolve(func(string) ([]netip.Addr, error) {
		return addrs("::ffff:10.0.0.9"), nil
	})
	if err != nil || fmt.Sprint(p.Rules[0].Filters[0].Dst.Resolved) != "[10.0.0.9]" {
		t.Errorf("%v, %v", err, p.Rules[0].Filters[0].Dst.Resolved)
	}
}

func TestSameHosts(t *testing.T) {
	a, b := dialled, dialled
	if !a.Same(&b) {
		t.Error("a host is not the same as itself")
	}
	for name, change := range map[string]func(*LocalHost){
		"an address":   func(h *LocalHost) { h.Addresses = addrs("192.0.2.1") },
		"a type":       func(h *LocalHost) { h.ByConnection = map[Connection][]netip.Addr{LAN: h.Addresses} },
		"no types":     func(h *LocalHost) { h.ByConnection = nil },
		"a route":      func(h *LocalHost) { h.Sources = nil },
		"a live value": func(h *LocalHost) { h.Live = map[AddrKind][]netip.Addr{LiveDHCP: addrs("10.0.0.1")} },
	} {
		b := dialled
		change(&b)
		if a.Same(&b) {
			t.Errorf("%s: no difference seen", name)
		}
	}
}
