package dataplane

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// rebuilt are compiled forms of one policy for a host whose addresses come and go: 192.0.2.1 always, and up to n others.
func rebuilt(t *testing.T, forms, n int) []*policy.Compiled {
	t.Helper()
	me := policy.AddrSpec{Kind: policy.Me}
	to := func(s string) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix(s))}
	}
	rule := func(name string, kind policy.ActionKind, filters ...policy.GenericFilter) *policy.Rule {
		return &policy.Rule{Name: name, Action: policy.FilterAction{Kind: kind}, Filters: filters}
	}
	protected := rule("protected", policy.Negotiate, policy.GenericFilter{Src: to("10.1.0.0/24"), Dst: to("10.2.0.0/24")})
	protected.Tunnel = &policy.Tunnel{Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.2")}
	protected.Action.Methods = policy.DefaultMethods()
	blocked, permitted := rule("blocked", policy.Block), rule("permitted", policy.Permit)
	for i := range 10 {
		blocked.Filters = append(blocked.Filters, policy.GenericFilter{Src: me, Dst: to(fmt.Sprintf("203.0.%d.0/24", 113+i)), Mirrored: true})
		permitted.Filters = append(permitted.Filters, policy.GenericFilter{Src: me, Dst: to(fmt.Sprintf("198.51.%d.0/24", 100+i)), Mirrored: true})
	}
	p := &policy.Policy{Name: "rebuilt", Rules: []*policy.Rule{protected, blocked, permitted}, KeyExchange: policy.DefaultKeyExchange()}
	list := make([]*policy.Compiled, forms)
	for i := range list {
		own := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		for k := i; k < n; k += forms {
			own = append(own, netip.AddrFrom4([4]byte{172, 16, byte(k >> 8), byte(k)}))
		}
		var err error
		if list[i], err = policy.Compile(p, own); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestRebuildsUnderTraffic puts the policy in force a thousand times anew, as a host does whose addresses come and go, while packets go through: every protected one is
// protected, every blocked one dropped, every permitted one sent. There is no moment without a whole policy.
func TestRebuildsUnderTraffic(t *testing.T) {
	w := newWorld(t)
	forms := rebuilt(t, 4, 100)
	w.a.plane.Apply(forms[0])
	id := ""
	for _, f := range forms[0].Outbound {
		if f.Rule.Name == "protected" {
			id = f.ID
		}
	}
	w.b.apply()
	f := w.defaultFilter(setup{mode: suite.Tunnel})
	w.pair(w.a, w.b, setup{mode: suite.Tunnel, esp: true, id: id}, f, 0x1000)
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		for n := range 1000 {
			w.a.plane.Apply(forms[n%len(forms)])
		}
	}()
	protected, blocked, permitted := udp("10.1.0.5", "10.2.0.5", 40), udp("192.0.2.1", "203.0.115.5", 40), udp("192.0.2.1", "198.51.103.5", 40)
	batches, arrived := uint64(0), uint64(0)
	for ; !done.Load() || batches < 100; batches++ {
		w.a.send(protected, blocked, permitted, protected)
		arrived += uint64(len(w.b.receive()))
	}
	c := &w.a.plane.count
	t.Logf("%d batches during 1000 rebuilds of %d filters", batches, len(forms[0].Outbound))
	for what, pair := range map[string][2]uint64{
		"protected":           {c.Sealed.Load(), 2 * batches},
		"protected, arrived":  {arrived, 2 * batches},
		"blocked":             {c.Count(Blocked), batches},
		"permitted, in clear": {c.Permitted.Load(), batches},
		"held":                {c.Held.Load(), 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d packets, want %d; drops %v", what, pair[0], pair[1], c.Drops())
		}
	}
	w.a.conserve()
}
