package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// reviewed compiles rules, gives each filter a line, and lists codes and lines of the findings.
func reviewed(t testing.TB, rules ...*Rule) []Finding {
	t.Helper()
	line := 1
	for _, r := range rules {
		r.Source = Position{"p.yaml", line, 3}
		for i := range r.Filters {
			line++
			r.Filters[i].Source = Position{"p.yaml", line, 5}
		}
		line++
	}
	c, err := Compile(policyOf(rules...), locals)
	if err != nil {
		t.Fatal(err)
	}
	return Review(c)
}

func codes(list []Finding) string {
	var parts []string
	for _, f := range list {
		parts = append(parts, fmt.Sprintf("%d %s", f.Position.Line, f.Code))
	}
	return strings.Join(parts, ", ")
}

func ports(g GenericFilter, proto uint8, from, to uint16) GenericFilter {
	g.Proto, g.DstPorts = proto, classifier.Ports{From: from, To: to, Given: true}
	return g
}

func TestReviewFindsFiltersThatCanNeverMatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []*Rule
		want  string
	}{
		{"two halves", []*Rule{rule("all", Block, generic("me <-> 10.0.0.0/8", 0)), rule("halves", Permit, generic("me <-> 10.0.0.0/9", 0), generic("me <-> 10.128.0.0/9", 0))}, "2 never-matches"},
		{"one half", []*Rule{rule("all", Block, generic("me <-> 10.0.0.0/8", 0)), rule("half", Permit, generic("me <-> 10.0.0.0/9", 0))}, ""},
		{"halves of one protocol", []*Rule{rule("all", Block, generic("me <-> 10.0.0.0/8", 0)), rule("halves", Permit, generic("me <-> 10.0.0.0/9", 25), generic("me <-> 10.128.0.0/9", 25))}, ""},
		{"ports of two rules", []*Rule{rule("r", Block, ports(generic("any -> me", 0), 6, 20, 23)), rule("a", Permit, ports(generic("any -> me", 0), 6, 20, 21)),
			rule("b", Permit, ports(generic("any -> me", 0), 6, 22, 23))}, "2 never-matches"},
		{"given ports leave out fragments", []*Rule{rule("r", Block, GenericFilter{Src: side("any"), Dst: side("me"), Proto: 6}), rule("a", Permit, ports(generic("any <-> me", 0), 6, 0, 65535))}, ""},
		{"any but one address", []*Rule{rule("r", Block, generic("10.0.0.0/30 -> 10.1.0.0/30", 0)), rule("a", Permit, generic("10.0.0.0/31 <-> 10.1.0.0/30", 0), generic("10.0.0.2 <-> 10.1.0.0/30", 0))}, ""},
		{"in one direction only", []*Rule{rule("all", Block, generic("me <-> 10.0.0.0/8", 0)), rule("halves", Block, generic("me -> 10.0.0.0/9", 0), generic("me -> 10.128.0.0/9", 0))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := reviewed(t, c.rules...)
			if codes(found) != c.want {
				t.Errorf("%s, want %s\n%v", codes(found), c.want, found)
			}
			for _, f := range found {
				if f.Instead == "" || !strings.Contains(f.Message, `rule "`) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	found := reviewed(t, rule("all", Block, generic("me <-> 10.0.0.0/8", 0)), rule("halves", Permit, generic("me <-> 10.0.0.0/9", 0), generic("me <-> 10.128.0.0/9", 0)))
	if want := `p.yaml:2:5: rule "all": the filter me <-> 10.0.0.0/8 can never match: heavier ones take all of its packets (rule "halves" on line 4, rule "halves" on line 5): delete it, or make those narrower`; found[0].String() != want {
		t.Errorf("%s\nwant %s", found[0], want)
	}
}

func TestReviewOfOtherThings(t *testing.T) {
	tunnel := func(name, local, psk string) *Rule {
		r := rule(name, Negotiate, generic("192.168.1.0/24 -> 192.168."+name+".0/24", 0))
		r.Tunnel = &Tunnel{Remote: netip.MustParseAddr("198.51.100.1")}
		if local != "" {
			r.Tunnel.Local = netip.MustParseAddr(local)
		}
		r.Auth[0].PSK = NewSecret([]byte(psk))
		return r
	}
	lan := rule("lan", Negotiate, generic("me <-> any", 0))
	lan.Connection = LAN
	soft := rule("soft", Negotiate, generic("any <-> me", 0))
	soft.Action.Fallback = &Fallback{}
	for name, c := range map[string]struct {
		rules []*Rule
		want  string
	}{
		"a permit without its way back":   {[]*Rule{rule("web", Permit, generic("any -> me", 80)), rule("all", Block, generic("any <-> any", 0))}, "2 answers-stopped"},
		"the other direction":             {[]*Rule{rule("web", Permit, generic("me -> any", 80)), rule("all", Block, generic("any <-> any", 0))}, "2 answers-stopped"},
		"a permit with its way back":      {[]*Rule{rule("web", Permit, generic("any <-> me", 80)), rule("all", Block, generic("any <-> any", 0))}, ""},
		"two rules, one a direction":      {[]*Rule{rule("web", Permit, generic("any -> me", 0)), rule("back", Permit, generic("me -> any", 0)), rule("all", Block, generic("any <-> any", 0))}, ""},
		"a way back that nobody stops":    {[]*Rule{rule("web", Permit, generic("any -> me", 80))}, ""},
		"ICMP is answered by other types": {[]*Rule{rule("echo", Permit, ports(generic("me -> any", 0), 1, 0, 0)), rule("all", Block, generic("any <-> any", 0))}, ""},
		"negotiation with everybody":      {[]*Rule{rule("ipsec", Negotiate, generic("me <-> any", 0))}, "2 negotiates-with-all"},
		"from everybody":                  {[]*Rule{rule("ipsec", Negotiate, generic("any <-> me", 0))}, "2 negotiates-with-all"},
		"of one port":                     {[]*Rule{rule("ipsec", Negotiate, generic("me <-> any", 80))}, ""},
		"on the LAN":                      {[]*Rule{lan}, ""},
		"that falls back":                 {[]*Rule{soft}, ""},
		"one gateway, keys that overlap":  {[]*Rule{tunnel("7", "192.0.2.1", "a"), tunnel("8", "", "b")}, "3 gateway-key-unclear"},
		"one gateway, one key":            {[]*Rule{tunnel("7", "192.0.2.1", "a"), tunnel("8", "", "a")}, ""},
		"one gateway, two local ends":     {[]*Rule{tunnel("7", "192.0.2.1", "a"), tunnel("8", "192.0.2.2", "b")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if found := reviewed(t, c.rules...); codes(found) != c.want {
				t.Errorf("%s, want %s\n%v", codes(found), c.want, found)
			}
		})
	}
}

// A name that nobody has resolved is no fault where that is said.
func TestNamesMayBeUnknown(t *testing.T) {
	p := policyOf(rule("r", Permit, generic("me <-> time.example", 0), generic("me <-> 10.0.0.1", 0)))
	if _, err := CompileOn(p, LocalHost{Addresses: locals}); err == nil {
		t.Error("a name without an address is no fault")
	}
	c, err := CompileOn(p, LocalHost{Addresses: locals, LookOnly: true})
	if err != nil || len(c.Outbound) != 1 || len(c.Warnings) != 0 {
		t.Errorf("%v, %v", err, c)
	}
}

// Covered says the same as trying every packet of a small world does.
func TestCoveredAgainstEveryPacket(t *testing.T) {
	addr := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
	rapid.Check(t, func(t *rapid.T) {
		span := func(name string) classifier.Range {
			a, b := rapid.ByteRange(0, 3).Draw(t, name), rapid.ByteRange(0, 3).Draw(t, name)
			return classifier.Range{From: addr(min(a, b)), To: addr(max(a, b))}
		}
		port := func(name string) classifier.Ports {
			if rapid.Bool().Draw(t, name) {
				return classifier.Ports{}
			}
			a, b := rapid.Uint16Range(0, 2).Draw(t, name), rapid.Uint16Range(0, 2).Draw(t, name)
			return classifier.Ports{From: min(a, b), To: max(a, b), Given: true}
		}
		draw := func() *QuickModeFilter {
			f := classifier.Filter{Src: span("src"), Dst: span("dst")}
			if rapid.Bool().Draw(t, "proto") {
				f.Proto, f.SrcPorts, f.DstPorts = 6, port("sport"), port("dport")
			}
			return &QuickModeFilter{Filter: f, Rule: &Rule{}, source: &GenericFilter{}}
		}
		f := draw()
		var heavier []*QuickModeFilter
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			heavier = append(heavier, draw())
		}
		left := false
		for src := byte(0); src < 4; src++ {
			for dst := byte(0); dst < 4; dst++ {
				for _, flags := range []packet.KeyFlags{0, packet.ProtoKnown, packet.ProtoKnown | packet.PortsKnown} {
					for _, proto := range []uint8{6, 17} {
						for n := range uint16(16) {
							k := packet.Key{Src: addr(src), Dst: addr(dst), Proto: proto, Flags: flags, SrcPort: n / 4, DstPort: n % 4}
							taken := false
							for _, h := range heavier {
								taken = taken || h.Filter.Match(&k)
							}
							left = left || f.Filter.Match(&k) && !taken
						}
					}
				}
			}
		}
		if by := covered(f, heavier); (by != nil) == left {
			t.Fatalf("%v: covered by %d of %d, and a packet is left: %t", f.Filter, len(by), len(heavier), left)
		}
	})
}

// A review of many filters takes a time that does not run away: a million with GOIPSEC_MILLION (see TestManyFilters of pkg/config), here a hundred thousand.
func BenchmarkReview(b *testing.B) {
	for _, form := range []string{"hosts", "subnets"} {
		b.Run(form, func(b *testing.B) {
			all := rule("all", Block, generic("any <-> any", 0))
			many := rule("many", Permit)
			for i := range 100_000 {
				a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
				g := GenericFilter{Src: AddrSpec{Kind: Me}, Dst: AddrSpec{Kind: Host, Range: classifier.HostRange(a)}, Mirrored: true}
				if form == "subnets" {
					a = netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 0})
					g.Dst = AddrSpec{Kind: Subnet, Range: classifier.RangeOf(netip.PrefixFrom(a, 24))}
				}
				many.Filters = append(many.Filters, g)
			}
			c, err := Compile(policyOf(all, many), locals)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				Review(c)
			}
		})
	}
}

// The two rules of a tunnel, looked at on a host that is neither end, are a warning; up refuses them there, and a rule without its opposite always.
func TestTunnelRulesAwayFromTheirHost(t *testing.T) {
	one := func(name, filter, endpoint string) *Rule {
		r := rule(name, Negotiate, generic(filter, 0))
		r.Tunnel = &Tunnel{Endpoint: netip.MustParseAddr(endpoint)}
		return r
	}
	leaving, arriving := one("leaving", "10.1.0.0/16 -> 10.2.0.0/16", "198.51.100.1"), one("arriving", "10.2.0.0/16 -> 10.1.0.0/16", "203.0.113.1")
	look := LocalHost{Addresses: locals, LookOnly: true}
	c, err := CompileOn(policyOf(leaving, arriving), look)
	if err != nil || len(c.Outbound) != 0 || len(c.Warnings) != 2 || !strings.Contains(c.Warnings[0], "neither of its ends") {
		t.Errorf("%v, %v", err, c)
	}
	for name, h := range map[string]LocalHost{"up": {Addresses: locals}, "a look": look} {
		if _, err := CompileOn(policyOf(leaving), h); err == nil || !strings.Contains(err.Error(), "no rule is for what arrives") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CompileOn(policyOf(leaving, arriving), LocalHost{Addresses: locals}); err == nil {
		t.Error("up takes a tunnel that has nothing to do with the host")
	}
}
