package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/suite"
)

func responding(rules ...*Rule) *Policy {
	p := policyOf(rules...)
	p.DefaultResponse = rule(DefaultResponseName, Negotiate)
	p.DefaultResponse.Auth[0].PSK = NewSecret([]byte("the key of the default response"))
	return p
}

func between(local, remote string, proto uint8, localPort uint16) classifier.Filter {
	f := classifier.Filter{Src: classifier.HostRange(netip.MustParseAddr(local)), Dst: classifier.HostRange(netip.MustParseAddr(remote)), Proto: proto}
	if localPort != 0 {
		f.SrcPorts = classifier.Port(localPort)
	}
	return f
}

// TestDefaultResponseAnswersWhereNoRuleDoes: its main-mode filter is the lightest there can be, and without it nobody else is answered.
func TestDefaultResponseAnswersWhereNoRuleDoes(t *testing.T) {
	peer, stranger := netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("203.0.113.9")
	own := rule("own", Negotiate, generic("me <-> 198.51.100.2", 25))
	p := responding(own)
	c, err := Compile(p, locals)
	if err != nil {
		t.Fatal(err)
	}
	if m := c.FindMainMode(me4, peer); m == nil || m.Rule != own {
		t.Errorf("for the peer of a rule: %+v", m)
	}
	for _, a := range []struct{ local, remote netip.Addr }{{me4, stranger}, {me6, netip.MustParseAddr("2001:db8::99")}} {
		if m := c.FindMainMode(a.local, a.remote); m == nil || m.Rule != p.DefaultResponse {
			t.Errorf("for a stranger: %+v", m)
		}
	}
	p.DefaultResponse = nil
	if c, err = Compile(p, locals); err != nil || c.FindMainMode(me4, stranger) != nil {
		t.Errorf("without the default response rule a stranger is answered (%v)", err)
	}
	for _, all := range []string{"any <-> any", "me <-> any"} {
		everybody := rule("everybody", Negotiate, generic(all, 0))
		c, err := Compile(responding(everybody), locals)
		if err != nil || c.FindMainMode(me4, stranger).Rule != everybody {
			t.Errorf("%s: the rule does not go before the default response (%v)", all, err)
		}
		if all == "any <-> any" && !strings.Contains(strings.Join(c.Warnings, "\n"), "never used") {
			t.Errorf("no warning: %q", c.Warnings)
		}
	}
}

// TestDynamicFiltersAreNeverWiderAndNeverGoFirst: a dynamic filter is for two hosts, and is not made where a filter of the policy, however light, decides.
func TestDynamicFiltersAreNeverWiderAndNeverGoFirst(t *testing.T) {
	const remote = "203.0.113.9"
	none := responding()
	for _, c := range []struct {
		name   string
		policy *Policy
		sel    classifier.Filter
		made   bool
	}{
		{"all traffic of two hosts", none, between("192.0.2.1", remote, 0, 0), true},
		{"one port", none, between("192.0.2.1", remote, 6, 443), true},
		{"IPv6", none, between("2001:db8::1", "2001:db8::9", 0, 0), true},
		{"a network of the peer", none, classifier.Filter{Src: classifier.HostRange(me4), Dst: classifier.RangeOf(netip.MustParsePrefix("203.0.113.0/24"))}, false},
		{"everything here", none, classifier.Filter{Src: classifier.AnyV4, Dst: classifier.HostRange(netip.MustParseAddr(remote))}, false},
		{"itself", none, between("192.0.2.1", "192.0.2.1", 0, 0), false},
		{"not activated", policyOf(), between("192.0.2.1", remote, 0, 0), false},
		{"everything is blocked", responding(rule("all", Block, generic("any <-> any", 0))), between("192.0.2.1", remote, 0, 0), false},
		{"everything is permitted", responding(rule("all", Permit, generic("any <-> any", 0))), between("192.0.2.1", remote, 6, 443), false},
		{"only what arrives is blocked", responding(rule("in", Block, generic("any -> me", 0))), between("192.0.2.1", remote, 6, 443), false},
		{"a part is blocked", responding(rule("web", Block, generic("any -> me", 80))), between("192.0.2.1", remote, 0, 0), true},
		{"the part that is blocked", responding(rule("web", Block, generic("any <-> me", 80))), between("192.0.2.1", remote, 6, 80), false},
		{"a peer with a rule of its own", responding(rule("peer", Negotiate, generic("me <-> 203.0.113.9", 25))), between("192.0.2.1", remote, 0, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			compiled, err := Compile(c.policy, locals)
			if err != nil {
				t.Fatal(err)
			}
			f := compiled.Dynamic(c.sel)
			if (f != nil) != c.made {
				t.Fatalf("made: %v, want %v", f != nil, c.made)
			}
			if f == nil {
				return
			}
			if f.Filter != c.sel || f.Twin.Filter != c.sel.Mirror() || !f.Dynamic || f.Rule != c.policy.DefaultResponse || f.ID == f.Twin.ID {
				t.Errorf("%+v", f)
			}
			again, err := Compile(responding(c.policy.Rules...), locals)
			if err != nil || again.Dynamic(c.sel).ID != f.ID {
				t.Error("after a reload that changes nothing the filter has another ID", err)
			}
			other := responding(c.policy.Rules...)
			other.DefaultResponse.Action.PFS = suite.ECP256
			changed, err := Compile(other, locals)
			if err != nil || changed.Dynamic(c.sel).ID == f.ID {
				t.Error("after the default response rule has changed the filter has the same ID", err)
			}
		})
	}
}

// TestSoftOptionsArePartOfTheMeaning: a rule that gives protection away is another rule.
func TestSoftOptionsArePartOfTheMeaning(t *testing.T) {
	plain := rule("r", Negotiate)
	seen := map[string]bool{plain.Meaning(): true}
	for _, a := range []FilterAction{{InboundPassthrough: true}, {Fallback: &Fallback{}}, {Fallback: &Fallback{Timeout: 4e9}}, {Fallback: &Fallback{Lifetime: 60e9}}} {
		r := rule("r", Negotiate)
		r.Action.InboundPassthrough, r.Action.Fallback = a.InboundPassthrough, a.Fallback
		if seen[r.Meaning()] {
			t.Errorf("%+v means what another means", a)
		}
		seen[r.Meaning()] = true
	}
	given := rule("r", Negotiate)
	given.Action.Fallback = &Fallback{Timeout: DefaultFallbackTimeout, Lifetime: DefaultFallbackLifetime}
	if !seen[given.Meaning()] {
		t.Error("the defaults, written out, mean something else")
	}
}
