package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// compared compiles two lists of rules and shows what changes, one line a change.
func compared(t *testing.T, before, after *Policy) (*Difference, string) {
	t.Helper()
	a, err := Compile(before, locals)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Compile(after, locals)
	if err != nil {
		t.Fatal(err)
	}
	d := Diff(a, b)
	var lines []string
	for _, c := range d.Filters {
		f, sign := c.After, "~"
		switch {
		case c.Before == nil:
			sign = "+"
		case c.After == nil:
			f, sign = c.Before, "-"
		}
		where := map[[2]bool]string{{true, true}: "both", {true, false}: "out", {false, true}: "in"}[[2]bool{c.Outbound, c.Inbound}]
		lines = append(lines, strings.TrimSpace(sign+" "+where+" "+f.Filter.String()+" "+strings.Join(c.What, "; ")))
	}
	return d, strings.Join(lines, "\n")
}

func TestDiffOfFilters(t *testing.T) {
	before := policyOf(rule("a", Block, generic("me <-> 10.0.0.1", 0)), rule("b", Permit, generic("me <-> 10.0.0.2", 0), generic("me -> 10.0.0.3", 0)), rule("c", Negotiate, generic("me <-> 10.0.0.4", 0)))
	after := policyOf(rule("z", Block, generic("me <-> 10.0.0.1", 0)), rule("b", Block, generic("me <-> 10.0.0.2", 0), generic("10.0.0.3 -> me", 0)), rule("d", Permit, generic("me <-> 10.0.0.5", 0)))
	d, got := compared(t, before, after)
	want := `- both 192.0.2.1 -> 10.0.0.4
~ both 192.0.2.1 -> 10.0.0.2 action: permit -> block
- out 192.0.2.1 -> 10.0.0.3
+ both 192.0.2.1 -> 10.0.0.5
+ in 10.0.0.3 -> 192.0.2.1`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if d.Unchanged != 2 || len(d.Dropped) != 1 || d.Dropped[0].Rule.Name != "c" || len(d.DroppedPeers) != 1 || d.Same() {
		t.Errorf("%d unchanged, dropped %v and %v", d.Unchanged, d.Dropped, d.DroppedPeers)
	}
	// The names and the order of rules mean nothing.
	same := policyOf(rule("y", Negotiate, generic("me <-> 10.0.0.4", 0)), rule("x", Permit, generic("me -> 10.0.0.3", 0), generic("me <-> 10.0.0.2", 0)), rule("w", Block, generic("me <-> 10.0.0.1", 0)))
	if d, got := compared(t, before, same); !d.Same() || d.Unchanged != 7 {
		t.Errorf("%d unchanged\n%s", d.Unchanged, got)
	}
}

func TestDiffOfMeanings(t *testing.T) {
	base := func() *Rule { return rule("r", Negotiate, generic("me <-> 10.0.0.4", 0)) }
	for name, c := range map[string]struct {
		change      func(*Rule)
		want        string
		keepsPeer   bool
		keepsFilter bool
	}{
		"a key":        {func(r *Rule) { r.Auth[0].PSK = NewSecret([]byte("another secret of the tests")) }, "auth: the key or the certificates are others", false, false},
		"an identity":  {func(r *Rule) { r.Auth[0].RemoteID = "gw.example" }, "auth: psk -> psk with gw.example", false, false},
		"methods":      {func(r *Rule) { r.Action.Methods = r.Action.Methods[:1] }, "methods: ", true, false},
		"a lifetime":   {func(r *Rule) { r.Action.Methods[0].Lifetime.Seconds = 60 }, "lifetimes: 3600 s/", true, false},
		"pfs":          {func(r *Rule) { r.Action.PFS = suite.Curve25519 }, "pfs: none -> curve25519", true, false},
		"a port":       {func(r *Rule) { r.Peer.Port = 4500 }, "the options for the peer", false, false},
		"a window":     {func(r *Rule) { r.Peer.ReplayWindow = 64 }, "the options for the peer", true, false},
		"a fall-back":  {func(r *Rule) { r.Action.Fallback = &Fallback{} }, "fall-back to clear: no -> after 3s for 5m0s", true, false},
		"passthrough":  {func(r *Rule) { r.Action.InboundPassthrough = true }, "inbound passthrough: false -> true", true, false},
		"manual keys":  {func(r *Rule) { r.Manual, r.Auth = &ManualKeys{SPIIn: 256, SPIOut: 257}, nil }, "keys: negotiated -> manual", false, false},
		"another name": {func(r *Rule) { r.Name = "q" }, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := base()
			c.change(r)
			d, got := compared(t, policyOf(base()), policyOf(r))
			if !strings.Contains(got, c.want) || strings.Contains(got, "another secret") {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if (len(d.DroppedPeers) == 0) != c.keepsPeer || (len(d.Dropped) == 0) != c.keepsFilter || d.Same() != c.keepsFilter {
				t.Errorf("ends: %d quick-mode, %d main-mode filters", len(d.Dropped), len(d.DroppedPeers))
			}
		})
	}
	moved := base()
	moved.Tunnel = &Tunnel{Remote: netip.MustParseAddr("198.51.100.1")}
	moved.Filters[0].Mirrored = false
	if _, got := compared(t, policyOf(base()), policyOf(moved)); !strings.Contains(got, "tunnel: none -> by route..198.51.100.1") {
		t.Error(got)
	}
}

func TestDiffOfWhatIsNotARules(t *testing.T) {
	before, after := policyOf(rule("r", Negotiate, generic("me <-> 10.0.0.4", 0))), policyOf(rule("r", Negotiate, generic("me <-> 10.0.0.4", 0)))
	after.KeyExchange.Lifetime = 4 * time.Hour
	after.KeyExchange.QuickModes = 1
	after.DefaultResponse = rule(DefaultResponseName, Negotiate)
	after.Exemptions = ExemptMulticast
	d, _ := compared(t, before, after)
	text := strings.Join(d.Policy, "\n")
	for _, want := range []string{"main-mode lifetime: 8h0m0s -> 4h0m0s", "quick modes per main mode: 0 -> 1", "the default response rule is activated", "exemptions: level 3 -> "} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nwant %s", text, want)
		}
	}
	if len(d.Filters) != 0 || len(d.Dropped) != 0 || len(d.DroppedPeers) != 1 {
		t.Errorf("%d filters changed, %d and %d dropped", len(d.Filters), len(d.Dropped), len(d.DroppedPeers))
	}
}
