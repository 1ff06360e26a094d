package endpoint

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// manyAddresses are n addresses of one host.
func manyAddresses(n int) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})
	}
	return list
}

// manyFilters is a policy of n filters for me: hosts, subnets and ports, permitted, blocked and negotiated.
func manyFilters(t testing.TB, n int) *policy.Policy {
	t.Helper()
	var text strings.Builder
	text.WriteString("policy: many\nrules:\n")
	for i, action := range []string{"action: permit", "action: block", `negotiate: {}, auth: [{psk: "a throw-away key for tests only, 0123456789"}]`} {
		fmt.Fprintf(&text, "  - {name: r%d, %s, filters: [", i, action)
		for k := i; k < n; k += 3 {
			switch k % 4 {
			case 0:
				fmt.Fprintf(&text, "me <-> 10.0.%d.%d, ", k>>8, k&255)
			case 1:
				fmt.Fprintf(&text, "me <-> 10.1.%d.0/24, ", k)
			case 2:
				fmt.Fprintf(&text, "me <-> 10.2.%d.0/24 tcp 443, ", k)
			default:
				fmt.Fprintf(&text, "me <-> 10.3.%d.%d udp any 53, ", k>>8, k&255)
			}
		}
		text.WriteString("]}\n")
	}
	f, err := config.Parse("many.yaml", []byte(text.String()), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f.Assigned
}

func BenchmarkMeExpansion(b *testing.B) {
	p, own := manyFilters(b, 200), manyAddresses(500)
	for b.Loop() {
		c, err := policy.Compile(p, own)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(c.Outbound)+len(c.Inbound)), "filters")
	}
}

func BenchmarkMePlan(b *testing.B) {
	p, own := manyFilters(b, 200), manyAddresses(500)
	c, err := policy.Compile(p, own)
	if err != nil {
		b.Fatal(err)
	}
	var owned families
	owned.see(own)
	for b.Loop() {
		plan(c, nil, own, owned, func(netip.Addr) (netip.Addr, error) { return own[0], nil })
	}
}

// BenchmarkMeIndex builds the data plane's index of what 200 filters for 500 addresses expand into, and looks packets up in it.
func BenchmarkMeIndex(b *testing.B) {
	own := manyAddresses(500)
	c, err := policy.Compile(manyFilters(b, 200), own)
	if err != nil {
		b.Fatal(err)
	}
	entries := make([]classifier.Entry[*policy.QuickModeFilter], len(c.Outbound))
	for i, f := range c.Outbound {
		entries[i] = classifier.Entry[*policy.QuickModeFilter]{Filter: f.Filter, Value: f}
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			classifier.Build(entries)
		}
	})
	index := classifier.Build(entries)
	b.Run("lookup", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n++
			k := packet.Key{Src: own[n%len(own)], Dst: netip.AddrFrom4([4]byte{10, byte(n % 4), byte(n >> 8), byte(n)}), Proto: 6, SrcPort: 1000, DstPort: 443,
				Flags: packet.ProtoKnown | packet.PortsKnown}
			index.Lookup(&k)
		}
	})
}

// TestMeAtScale holds what hundreds of addresses may cost: expanding 200 filters for 500 addresses, and a look at a host that has not changed.
func TestMeAtScale(t *testing.T) {
	own := manyAddresses(500)
	p := manyFilters(t, 200)
	c, err := policy.Compile(p, own)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Outbound) != 100_000 || len(c.Inbound) != 100_000 {
		t.Fatalf("%d and %d filters", len(c.Outbound), len(c.Inbound))
	}
	// The firewall learns at the packet which addresses are the host's: its rules do not grow with them.
	open, err := policy.CompileOpen(p, c.Host)
	if err != nil || len(open.Outbound) != 200 || len(open.Inbound) != 200 {
		t.Fatalf("%v: %d and %d rules for the firewall", err, len(open.Outbound), len(open.Inbound))
	}
	// Nor do the routes, one for each destination.
	var owned families
	owned.see(own)
	if n := len(plan(c, nil, own, owned, func(netip.Addr) (netip.Addr, error) { return own[0], nil }).Captures); n > 200 {
		t.Errorf("%d routes", n)
	}
}
