package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	me4    = netip.MustParseAddr("192.0.2.1")
	me6    = netip.MustParseAddr("2001:db8::1")
	locals = []netip.Addr{me4, me6, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1")}
)

// side makes a side from words: me, any, an address, a prefix or a name.
func side(s string) AddrSpec {
	switch {
	case s == "me":
		return AddrSpec{Kind: Me}
	case s == "any":
		return AddrSpec{Kind: Any}
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return AddrSpec{Kind: Subnet, Range: classifier.RangeOf(p)}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return AddrSpec{Kind: Host, Range: classifier.HostRange(a)}
	}
	return AddrSpec{Kind: DNSName, Name: s}
}

// generic makes a filter from "SRC <-> DST" or "SRC -> DST" and a TCP port, 0 for none.
func generic(s string, port uint16) GenericFilter {
	w := strings.Fields(s)
	g := GenericFilter{Src: side(w[0]), Dst: side(w[2]), Mirrored: w[1] == "<->"}
	if port != 0 {
		g.Proto, g.DstPorts = 6, classifier.Port(port)
	}
	return g
}

func rule(name string, kind ActionKind, filters ...GenericFilter) *Rule {
	r := &Rule{Name: name, Action: FilterAction{Kind: kind}, Filters: filters}
	if kind == Negotiate {
		r.Action.Methods = DefaultMethods()
		r.Auth = []AuthMethod{{Kind: PSK, PSK: NewSecret([]byte("throw-away"))}}
	}
	return r
}

func policyOf(rules ...*Rule) *Policy {
	return &Policy{Name: "p", Rules: rules, KeyExchange: DefaultKeyExchange()}
}

func compile(t *testing.T, rules ...*Rule) *Compiled {
	t.Helper()
	c, err := Compile(policyOf(rules...), locals)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refused(t *testing.T, want string, rules ...*Rule) {
	t.Helper()
	_, err := Compile(policyOf(rules...), locals)
	var list Errors
	if !errors.As(err, &list) || !strings.Contains(err.Error(), want) {
		t.Errorf("want an error with %q, have %v", want, err)
	}
}

// packet is the question for one TCP packet.
func datagram(src, dst string, sport, dport uint16) classifier.Filter {
	return classifier.Filter{Src: classifier.HostRange(netip.MustParseAddr(src)), Dst: classifier.HostRange(netip.MustParseAddr(dst)), Proto: 6,
		SrcPorts: classifier.Port(sport), DstPorts: classifier.Port(dport)}
}

// The introduction gives four filters (its copy lost the addresses): any to any, any to a subnet, any to one host, and any to that
// host's TCP port 25; and says which of them decides for four kinds of traffic.
func TestFourFilterExampleOfTheIntroduction(t *testing.T) {
	rules := []*Rule{
		rule("first", Block, generic("any <-> any", 0)),
		rule("second", Permit, generic("any <-> 198.51.100.0/24", 0)),
		rule("third", Block, generic("any <-> 198.51.100.5", 0)),
		rule("fourth", Permit, generic("any <-> 198.51.100.5", 25)),
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
		var list []*Rule
		for _, i := range order {
			list = append(list, rules[i])
		}
		c := compile(t, list...)
		for _, s := range []struct {
			src, dst     string
			sport, dport uint16
			want         string
		}{
			{"203.0.113.9", "198.51.100.5", 40000, 25, "fourth"},
			{"198.51.100.5", "203.0.113.9", 25, 40000, "fourth"},
			{"203.0.113.9", "198.51.100.5", 40000, 80, "third"},
			{"198.51.100.5", "203.0.113.9", 80, 40000, "third"},
			{"203.0.113.9", "198.51.100.6", 40000, 25, "second"},
			{"198.51.100.6", "203.0.113.9", 25, 40000, "second"},
			{"203.0.113.9", "203.0.113.10", 40000, 25, "first"},
			{"2001:db8::9", "2001:db8::10", 40000, 25, "first"},
		} {
			q := datagram(s.src, s.dst, s.sport, s.dport)
			for _, out := range []bool{true, false} {
				if d := c.Decision(q, out); d == nil || d.Rule.Name != s.want {
					t.Errorf("%v (outbound %v): %v, want %s", q, out, d, s.want)
				}
			}
		}
		found := c.Explain(datagram("203.0.113.9", "198.51.100.5", 40000, 25), false, 0)
		var names []string
		for _, m := range found {
			names = append(names, m.Filter.Rule.Name+": "+m.Why)
			if !m.Whole {
				t.Error("a packet is always held whole")
			}
		}
		want := []string{"fourth: ", "third: it names no protocol", "second: fewer of its sides are a single address", "first: more of its sides are any"}
		if !slices.Equal(names, want) {
			t.Errorf("%q, want %q", names, want)
		}
	}
}

func TestExplainTellsParts(t *testing.T) {
	c := compile(t, rule("a", Permit, generic("me <-> 10.0.0.0/8", 25)), rule("b", Block, generic("me <-> 10.0.0.0/8", 0)))
	q := classifier.Filter{Src: classifier.HostRange(me4), Dst: classifier.HostRange(netip.MustParseAddr("10.1.1.1")), Proto: 6}
	found := c.Explain(q, true, 0)
	if len(found) != 2 || found[0].Whole || !found[1].Whole || c.Decision(q, true).Rule.Name != "b" {
		t.Errorf("%+v", found)
	}
	if n := len(c.Explain(q, true, 1)); n != 1 {
		t.Errorf("%d matches, limit 1", n)
	}
	q.Dst = classifier.HostRange(netip.MustParseAddr("11.1.1.1"))
	if c.Decision(q, true) != nil || c.Decision(q, false) != nil || c.Explain(q, true, 0) != nil {
		t.Error("something decides for what no filter holds")
	}
}

func TestEqualWeightBlocksBeforeNegotiateBeforePermit(t *testing.T) {
	c := compile(t,
		rule("p", Permit, generic("10.0.0.0/9 -> 10.0.0.0/8", 0)),
		rule("n", Negotiate, generic("10.0.0.0/8 -> 10.0.0.0/9", 0)),
		rule("b", Block, generic("10.0.0.0/8 -> 10.128.0.0/9", 0)))
	var names string
	for _, f := range c.Outbound {
		names += f.Rule.Name
	}
	if names != "bnp" {
		t.Errorf("order %s", names)
	}
	why := lighter(c.Outbound[1], c.Outbound[0])
	if why != "equal weight: block goes before negotiate" {
		t.Error(why)
	}
	if why := lighter(c.Outbound[1], c.Outbound[1]); !strings.Contains(why, "fixed order") {
		t.Error(why)
	}
}

func TestDirections(t *testing.T) {
	for _, c := range []struct{ filter, out, in string }{
		{"me <-> 10.0.0.1", "192.0.2.1 -> 10.0.0.1 twin", "10.0.0.1 -> 192.0.2.1 twin"},
		{"me -> 10.0.0.1", "192.0.2.1 -> 10.0.0.1", ""},
		{"10.0.0.1 -> me", "", "10.0.0.1 -> 192.0.2.1"},
		{"10.0.0.1 <-> me", "192.0.2.1 -> 10.0.0.1 twin", "10.0.0.1 -> 192.0.2.1 twin"},
		{"192.0.2.1 <-> 10.0.0.1", "192.0.2.1 -> 10.0.0.1 twin", "10.0.0.1 -> 192.0.2.1 twin"},
		{"10.0.0.0/8 -> 10.0.0.1", "10.0.0.0/8 -> 10.0.0.1", "10.0.0.0/8 -> 10.0.0.1"},
		{"10.0.0.0/8 <-> 11.0.0.1", "10.0.0.0/8 -> 11.0.0.1 twin 11.0.0.1 -> 10.0.0.0/8 twin", "10.0.0.0/8 -> 11.0.0.1 twin 11.0.0.1 -> 10.0.0.0/8 twin"},
		{"any <-> any", "any4 -> any4 twin any6 -> any6 twin", "any4 -> any4 twin any6 -> any6 twin"},
		{"me <-> me", "", ""},
		{"me <-> 2001:db8:1::/48", "2001:db8::1 -> 2001:db8:1::/48 twin", "2001:db8:1::/48 -> 2001:db8::1 twin"},
	} {
		x := compile(t, rule("r", Block, generic(c.filter, 0)))
		show := func(list []*QuickModeFilter) string {
			var words []string
			for _, f := range list {
				words = append(words, f.Filter.String())
				if f.Twin != nil {
					words = append(words, "twin")
					if f.Twin.Twin != f || f.Twin.Filter != f.Filter.Mirror() {
						t.Errorf("%s: the twin of %v is %v", c.filter, f.Filter, f.Twin.Filter)
					}
				}
			}
			return strings.Join(words, " ")
		}
		if out, in := show(x.Outbound), show(x.Inbound); out != c.out || in != c.in {
			t.Errorf("%s: out %q, in %q; want %q and %q", c.filter, out, in, c.out, c.in)
		}
	}
}

func TestMeIsEveryAddressButLoopbackAndLinkLocal(t *testing.T) {
	c := compile(t, rule("r", Permit, generic("me <-> any", 0)))
	var srcs []string
	for _, f := range c.Outbound {
		srcs = append(srcs, f.Filter.Src.String())
	}
	slices.Sort(srcs)
	if !slices.Equal(srcs, []string{"192.0.2.1", "2001:db8::1"}) {
		t.Error(srcs)
	}
	written := compile(t, rule("r", Permit, generic("fe80::1 <-> any", 0)))
	if len(written.Outbound) != 1 || len(written.Inbound) != 1 {
		t.Error("a link-local address that is written counts")
	}
	none, err := Compile(policyOf(rule("r", Permit, generic("me <-> any", 0))), nil)
	if err != nil || len(none.Outbound) != 0 || len(none.Warnings) == 0 {
		t.Error(none, err)
	}
}

func TestTunnelFiltersHaveInboundTwins(t *testing.T) {
	r := rule("r", Negotiate, generic("192.168.1.0/24 -> 192.168.2.0/24", 0))
	r.Tunnel = &Tunnel{Local: me4, Remote: netip.MustParseAddr("198.51.100.1")}
	c := compile(t, r)
	if len(c.Outbound) != 1 || len(c.Inbound) != 1 || c.Outbound[0].Twin != c.Inbound[0] || c.Inbound[0].Filter != c.Outbound[0].Filter.Mirror() {
		t.Fatalf("%v %v", c.Outbound, c.Inbound)
	}
	if m := c.FindMainMode(me4, r.Tunnel.Remote); m == nil || m.Rule != r || len(c.MainMode) != 1 || m.Weight() == "" {
		t.Error("no main-mode filter between the tunnel's ends")
	}
	if m := c.FindMainMode(me4, netip.MustParseAddr("198.51.100.2")); m != nil {
		t.Error("a main-mode filter for a stranger")
	}
	own := *r
	own.Tunnel = &Tunnel{Remote: me4}
	refused(t, "is an address of this host", &own)
	away := *r
	away.Tunnel = &Tunnel{Local: netip.MustParseAddr("192.0.2.77"), Remote: r.Tunnel.Remote}
	if c := compile(t, &away); len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "no address of this host") {
		t.Error(c.Warnings)
	}
}

func TestTunnelInnerAddressIsMe(t *testing.T) {
	r := rule("r", Negotiate, generic("me -> 10.0.0.0/8", 0))
	r.Tunnel = &Tunnel{Remote: netip.MustParseAddr("198.51.100.1"), Inner: netip.MustParsePrefix("10.9.0.5/24")}
	c := compile(t, r)
	if len(c.Outbound) != 1 || c.Outbound[0].Filter.String() != "10.9.0.5 -> 10.0.0.0/8" {
		t.Errorf("%v", c.Outbound[0].Filter)
	}
	if m := c.FindMainMode(netip.MustParseAddr("172.16.0.9"), r.Tunnel.Remote); m == nil {
		t.Error("a tunnel without local speaks from any address")
	}
}

func TestTunnelToAnyPeerAnswersEveryone(t *testing.T) {
	r := rule("r", Negotiate, generic("10.0.0.0/16 -> 10.9.0.5", 0))
	r.Tunnel = &Tunnel{}
	c := compile(t, r)
	if len(c.MainMode) != 2 || c.FindMainMode(me4, netip.MustParseAddr("8.8.8.8")) == nil || c.FindMainMode(me6, netip.MustParseAddr("2001:4860::1")) == nil || c.FindMainMode(me4, me6) != nil {
		t.Error(c.MainMode)
	}
}

func TestWindowsTunnelRulesAreJoined(t *testing.T) {
	peer := netip.MustParseAddr("198.51.100.1")
	out := rule("out", Negotiate, generic("192.168.1.0/24 -> 192.168.2.0/24", 0))
	out.Tunnel = &Tunnel{Endpoint: peer}
	in := rule("in", Negotiate, generic("192.168.2.0/24 -> 192.168.1.0/24", 0))
	in.Tunnel = &Tunnel{Endpoint: me4}
	for _, rules := range [][]*Rule{{out, in}, {in, out}} {
		c := compile(t, rules...)
		if len(c.Outbound) != 1 || len(c.Inbound) != 1 || c.Outbound[0].Twin != c.Inbound[0] {
			t.Fatal(c.Outbound, c.Inbound)
		}
		tunnel := c.Outbound[0].Rule.Tunnel
		if !reflect.DeepEqual(*tunnel, Tunnel{Local: me4, Remote: peer}) || c.FindMainMode(me4, peer) == nil {
			t.Errorf("%+v", tunnel)
		}
	}
	refused(t, "no rule is for what arrives", out)
	refused(t, "no rule is for what leaves", in)
	other := *in
	other.Action.PFS = suite.MODP2048
	refused(t, "two directions of one tunnel, but differ", out, &other)
	six := *in
	six.Tunnel = &Tunnel{Endpoint: me6}
	refused(t, "different families", out, &six)
	if _, err := Check(policyOf(out)); err != nil {
		t.Error("without a host nobody knows which end it is:", err)
	}
}

func TestConflicts(t *testing.T) {
	refused(t, "for the same filter", rule("a", Block, generic("me <-> 10.0.0.1", 0)), rule("b", Permit, generic("10.0.0.1 -> me", 0)))
	refused(t, "for the same filter", rule("a", Block, generic("me <-> 10.0.0.1", 0)), rule("b", Permit, generic("192.0.2.1 <-> 10.0.0.1", 0)))
	refused(t, "both addresses of this host", rule("a", Negotiate, generic("me <-> 192.0.2.1", 0)))
	other := rule("b", Negotiate, generic("me <-> 10.0.0.1", 25))
	other.Auth = []AuthMethod{{Kind: PSK, PSK: NewSecret([]byte("another"))}}
	refused(t, "differ in their authentication", rule("a", Negotiate, generic("me <-> 10.0.0.1", 80)), other)
	c := compile(t, rule("a", Block, generic("me <-> 10.0.0.1", 0)), rule("b", Block, generic("10.0.0.1 <-> me", 0)))
	if len(c.Outbound) != 1 || len(c.Inbound) != 1 || len(c.Warnings) != 1 || c.Outbound[0].Twin != c.Inbound[0] || c.Inbound[0].Twin != c.Outbound[0] {
		t.Error(c.Outbound, c.Warnings)
	}
	var many []*Rule
	for i := range 300 {
		f := generic(fmt.Sprintf("me <-> 10.0.%d.%d", i/256, i%256), 0)
		many = append(many, rule(fmt.Sprint("a", i), Block, f), rule(fmt.Sprint("b", i), Permit, f))
	}
	_, err := Compile(policyOf(many...), locals)
	if n := strings.Count(err.Error(), "\n"); n != maxErrors || !strings.Contains(err.Error(), "and 200 more errors") {
		t.Errorf("%d lines", n)
	}
}

func TestNames(t *testing.T) {
	p := policyOf(rule("r", Block, generic("me <-> b.example.com", 0), generic("a.example.com -> me", 0), generic("me -> b.example.com", 25)))
	if names := p.Names(); !slices.Equal(names, []string{"a.example.com", "b.example.com"}) {
		t.Error(names)
	}
	if _, err := Compile(p, locals); err == nil || !strings.Contains(err.Error(), `the name "b.example.com" has no address`) {
		t.Error(err)
	}
	if _, err := Check(p); err != nil {
		t.Error(err)
	}
	lookups := 0
	answer := func(n int) func(string) ([]netip.Addr, error) {
		return func(string) (list []netip.Addr, err error) {
			lookups++
			for i := range n {
				list = append(list, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
			}
			return list, nil
		}
	}
	q, err := p.Resolve(answer(3))
	if err != nil || lookups != 2 {
		t.Fatal(err, lookups)
	}
	if _, err := Compile(q, locals); err != nil {
		t.Error(err)
	}
	if p.Rules[0].Filters[0].Dst.Resolved != nil {
		t.Error("Resolve changed the policy itself")
	}
	q, _ = p.Resolve(answer(1000))
	if _, err := Compile(q, locals); err == nil || !strings.Contains(err.Error(), "has 1000 addresses; a filter takes 64 at most") {
		t.Error(err)
	}
	q, _ = p.Resolve(answer(0))
	if _, err := Compile(q, locals); err == nil || !strings.Contains(err.Error(), "has no address") {
		t.Error(err)
	}
	if _, err := p.Resolve(func(string) ([]netip.Addr, error) { return nil, errors.New("no server") }); err == nil || !strings.Contains(err.Error(), `"a.example.com" of policy "p"`) {
		t.Error(err)
	}
	plain := policyOf(rule("r", Block, generic("me <-> any", 0)))
	if same, err := plain.Resolve(nil); err != nil || same != plain {
		t.Error("a policy without names needs no copy")
	}
}

// SAs that a reload does not touch stay: the ID of their filter is the same. What is touched has another.
func TestIDsAreStableAcrossReloads(t *testing.T) {
	make := func(change func(*Rule)) map[string]bool {
		r := rule("r", Negotiate, generic("me <-> 10.0.0.1", 0))
		r.Source = Position{"f", 1, 1}
		change(r)
		ids := map[string]bool{}
		for _, f := range compile(t, rule("x", Block, generic("any <-> any", 0)), r).Outbound {
			if f.Action == Negotiate {
				ids[f.ID] = true
			}
		}
		return ids
	}
	base := make(func(*Rule) {})
	same := func(ids map[string]bool) bool {
		for id := range ids {
			if !base[id] {
				return false
			}
		}
		return len(ids) == len(base)
	}
	for name, c := range map[string]struct {
		change func(*Rule)
		stays  bool
	}{
		"nothing":      {func(*Rule) {}, true},
		"name":         {func(r *Rule) { r.Name = "other"; r.Source.Line = 99 }, true},
		"said default": {func(r *Rule) { r.Action.Methods[0].Lifetime.Seconds = DefaultSeconds }, true},
		"method":       {func(r *Rule) { r.Action.Methods = r.Action.Methods[:1] }, false},
		"esn":          {func(r *Rule) { r.Action.Methods[0].ESN = true }, false},
		"lifetime":     {func(r *Rule) { r.Action.Methods[0].Lifetime.Seconds = 10 }, false},
		"PFS":          {func(r *Rule) { r.Action.PFS = suite.MODP2048 }, false},
		"key":          {func(r *Rule) { r.Auth[0].PSK = NewSecret([]byte("new")) }, false},
		"identity":     {func(r *Rule) { r.Auth[0].LocalID = "x" }, false},
		"udp":          {func(r *Rule) { r.Peer.ForceUDP = true }, false},
		"window":       {func(r *Rule) { r.Peer.ReplayWindow = 64 }, false},
		"manual":       {func(r *Rule) { r.Manual = &ManualKeys{SPIIn: 300} }, false},
		"filter":       {func(r *Rule) { r.Filters[0].Proto = 6 }, false},
	} {
		if same(make(c.change)) != c.stays {
			t.Errorf("%s: stays is %v", name, !c.stays)
		}
	}
	c := compile(t, rule("r", Negotiate, generic("any <-> any", 0)))
	seen := map[string]bool{}
	for _, f := range slices.Concat(c.Outbound, c.Inbound) {
		if seen[f.ID] {
			t.Error("two filters of one ID")
		}
		seen[f.ID] = true
	}
}

func TestMainModeMeaning(t *testing.T) {
	meaning := func(p *Policy) string {
		c, err := Compile(p, locals)
		if err != nil {
			t.Fatal(err)
		}
		return c.MainMode[0].Meaning
	}
	base := func() *Policy { return policyOf(rule("r", Negotiate, generic("me <-> 10.0.0.1", 0))) }
	p := base()
	if meaning(p) != meaning(base()) {
		t.Error("not stable")
	}
	p.KeyExchange.Lifetime = time.Hour
	if meaning(p) == meaning(base()) {
		t.Error("key exchange settings are no part of it")
	}
	p = base()
	p.Rules[0].Peer.DPDInterval = 5 * time.Second
	if meaning(p) == meaning(base()) {
		t.Error("DPD is no part of it")
	}
}

// find is what FindMainMode must answer: the first that matches, in the order of weights.
func find(c *Compiled, local, remote netip.Addr) *MainModeFilter {
	for _, m := range c.MainMode {
		if m.Local.Contains(local) && m.Remote.Contains(remote) {
			return m
		}
	}
	return nil
}

// TestRulesForAnybodyInAggressiveMode: such rules stand beside each other if each names other peers; in main mode, without a name, with the same one, or for one peer they clash.
func TestRulesForAnybodyInAggressiveMode(t *testing.T) {
	caller := netip.MustParseAddr("198.51.100.9")
	named := func(name, id string) *Rule {
		r := rule(name, Negotiate, generic("10.0.0.0/16 -> 10.1.0.0/24", 0))
		r.Filters[0].Mirrored = false
		r.Tunnel, r.Aggressive = &Tunnel{}, true
		r.Auth = []AuthMethod{{Kind: PSK, PSK: NewSecret([]byte("the key of " + name)), RemoteID: id}}
		return r
	}
	a, b, c := named("a", "a.example"), named("b", "b.example"), named("c", "c@example.com")
	b.Filters[0], c.Filters[0] = generic("10.0.0.0/16 -> 10.2.0.0/24", 0), generic("10.0.0.0/16 -> 10.3.0.0/24", 0)
	compiled := compile(t, a, b, c)
	if f := compiled.FindMainMode(me4, caller); f == nil || len(f.Others) != 2 {
		t.Fatalf("%+v", f)
	}
	meanings := map[string]bool{}
	for _, q := range compiled.Outbound {
		f := compiled.FindMainModeBy(me4, caller, func(f *MainModeFilter) bool { return f.Meaning == q.MainMode })
		if f == nil || f.Rule != q.Rule {
			t.Errorf("the main-mode filter of %s is %+v", q.Rule.Name, f)
		}
		meanings[q.MainMode] = true
	}
	if len(meanings) != 3 || compiled.FindMainModeBy(me4, caller, func(*MainModeFilter) bool { return false }) != nil {
		t.Errorf("%v", meanings)
	}
	for name, spoil := range map[string]func(r *Rule){
		"main mode": func(r *Rule) { r.Aggressive = false }, "no name": func(r *Rule) { r.Auth[0].RemoteID = "" },
		"the same name": func(r *Rule) { r.Auth[0].RemoteID = "A.Example" },
	} {
		d := named("d", "d.example")
		d.Filters[0] = generic("10.0.0.0/16 -> 10.4.0.0/24", 0)
		spoil(d)
		t.Log(name)
		refused(t, "differ in their authentication", a, b, d)
		refused(t, "differ in their authentication", d, a)
	}
}
