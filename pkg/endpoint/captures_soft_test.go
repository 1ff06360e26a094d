package endpoint

import (
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/guard"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// expanded is a policy for the host 192.0.2.1, with me left open and without.
func expanded(t *testing.T, rules string) (open, c *policy.Compiled) {
	t.Helper()
	f, err := config.Parse("p.yaml", []byte("rules:\n"+rules), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	host := policy.LocalHost{Addresses: []netip.Addr{outerA}}
	if c, err = policy.CompileOn(f.Assigned, host); err != nil {
		t.Fatal(err)
	}
	if open, err = policy.CompileOpen(f.Assigned, host); err != nil {
		t.Fatal(err)
	}
	return open, c
}

// guarded is what the first rule that matches says of a TCP datagram from a host to this one; one that names the stand-in for me is for this host.
func guarded(rules []guard.Rule, from string, port uint16) guard.Verdict {
	k := packet.Key{Src: netip.MustParseAddr(from), Dst: outerA, Proto: 6, SrcPort: 40000, DstPort: port, Flags: packet.ProtoKnown | packet.PortsKnown}
	for _, r := range rules {
		if r.Filter.Dst == classifier.HostRange(policy.Me4) {
			r.Filter.Dst = classifier.HostRange(outerA)
		}
		if r.Filter.Match(&k) {
			return r.Verdict
		}
	}
	return guard.Accept
}

const testAuth = `auth: [{psk: "a throw-away key for tests only, 0123456789"}]`

// TestGuardUnderSoftSAs: clear packets of the pair and filter of a soft SA pass, those of no other host, and those that a heavier filter blocks or wants protected do not.
func TestGuardUnderSoftSAs(t *testing.T) {
	open, c := expanded(t, `
  - {name: lan, filters: [me <-> 192.0.2.0/24], negotiate: {fallback_to_clear: true}, `+testAuth+`}
  - {name: ssh, filters: [192.0.2.0/24 -> me tcp 22], action: block}
  - {name: web, filters: [me <-> 192.0.2.9 tcp 443 any], negotiate: {}, `+testAuth+`}
`)
	soft := map[string][]dataplane.Pair{}
	for _, f := range c.Outbound {
		if f.Rule.Name == "lan" {
			soft[f.ID] = []dataplane.Pair{{Local: outerA, Remote: netip.MustParseAddr("192.0.2.9")}}
		}
	}
	if len(soft) != 1 {
		t.Fatalf("%d filters", len(soft))
	}
	for _, x := range []struct {
		from             string
		port             uint16
		before, underway guard.Verdict
	}{
		{"192.0.2.9", 80, guard.Drop, guard.Accept},
		{"192.0.2.10", 80, guard.Drop, guard.Drop},
		{"192.0.2.9", 22, guard.Drop, guard.Drop},
		{"203.0.113.9", 80, guard.Accept, guard.Accept}, // no filter is about it
	} {
		if got := guarded(inboundRules(open.Inbound, c.Inbound, nil), x.from, x.port); got != x.before {
			t.Errorf("without soft SAs, %s to port %d: %v", x.from, x.port, got)
		}
		if got := guarded(inboundRules(open.Inbound, c.Inbound, soft), x.from, x.port); got != x.underway {
			t.Errorf("under a soft SA, %s to port %d: %v", x.from, x.port, got)
		}
	}
}

// TestGuardWithInboundPassthrough: clear packets that match the filter pass, those of a heavier one do not; what leaves in clear is refused as ever, and so is a tunnel's.
func TestGuardWithInboundPassthrough(t *testing.T) {
	open, c := expanded(t, `
  - {name: all, filters: [me <-> any], negotiate: {inbound_passthrough: true}, `+testAuth+`}
  - {name: ssh, filters: [any -> me tcp 22], action: block}
  - {name: branch, filters: [192.168.1.0/24 -> 192.168.2.0/24], tunnel: {remote: 198.51.100.1}, negotiate: {inbound_passthrough: true}, `+testAuth+`}
`)
	rules := inboundRules(open.Inbound, c.Inbound, nil)
	if guarded(rules, "203.0.113.9", 80) != guard.Accept || guarded(rules, "203.0.113.9", 22) != guard.Drop {
		t.Error("what passes is not what the filters say")
	}
	for _, r := range guardRules(open.Outbound) {
		if r.Filter.Dst.IsAny() && r.Verdict != guard.Drop {
			t.Errorf("clear packets may leave by %v", r.Filter)
		}
	}
	for i, f := range open.Inbound {
		if f.Rule.Tunnel != nil && rules[i].Verdict != guard.Drop {
			t.Errorf("a tunnel's packets pass in clear: %v", f.Filter)
		}
	}
}
