package ikev1

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// The table finds what a look at every filter in order finds, whatever the filters are.
func TestFilterTableIsTheListInOrder(t *testing.T) {
	addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	host := func(r *rapid.T, label string) classifier.Range {
		return classifier.HostRange(addr(rapid.IntRange(1, 3).Draw(r, label)))
	}
	side := func(r *rapid.T, label string) classifier.Range {
		if rapid.Bool().Draw(r, label+" is a host") {
			return host(r, label)
		}
		return classifier.RangeOf(netip.PrefixFrom(addr(0), rapid.SampledFrom([]int{24, 30, 31}).Draw(r, label+" bits")))
	}
	traffic := func(r *rapid.T, side func(*rapid.T, string) classifier.Range) isakmp.Selector {
		sel := isakmp.Selector{Src: side(r, "src"), Dst: side(r, "dst"), Proto: rapid.SampledFrom([]uint8{0, 6}).Draw(r, "protocol")}
		if sel.Proto == 6 && rapid.Bool().Draw(r, "port") {
			sel.DstPorts = classifier.Port(443)
		}
		return sel
	}
	rapid.Check(t, func(r *rapid.T) {
		list := make([]*policy.QuickModeFilter, rapid.IntRange(0, 12).Draw(r, "filters"))
		for i := range list {
			rule := &policy.Rule{Name: fmt.Sprint(i)}
			switch rapid.IntRange(0, 4).Draw(r, "tunnel") {
			case 0, 1:
				rule.Tunnel = &policy.Tunnel{Local: addr(1), Remote: addr(rapid.IntRange(2, 3).Draw(r, "end"))}
			case 2:
				rule.Tunnel = &policy.Tunnel{Local: addr(1)} // for peers that call from anywhere
			}
			action := rapid.SampledFrom([]policy.ActionKind{policy.Negotiate, policy.Negotiate, policy.Negotiate, policy.Permit, policy.Block}).Draw(r, "action")
			list[i] = &policy.QuickModeFilter{ID: fmt.Sprint(i), Filter: traffic(r, side), Action: action, Rule: rule}
		}
		m := &Machine{filters: tabulate(list)}
		s := &mainMode{m: m, exchange: isakmp.MainMode, local: netip.AddrPortFrom(addr(1), 500), remote: netip.AddrPortFrom(addr(2), 500), rule: &policy.Rule{}}
		for range 8 {
			mode := rapid.SampledFrom([]suite.Mode{suite.Tunnel, suite.Transport}).Draw(r, "mode")
			sel := traffic(r, side)
			if mode == suite.Transport {
				sel = traffic(r, host)
			}
			var want *policy.QuickModeFilter
			for _, f := range list {
				if s.allows(f, &sel, mode) {
					want = f
					break
				}
			}
			if got := m.findFilter(s, sel, mode); got != want {
				r.Fatalf("for %v %v the table has %+v, the list %+v", mode, sel, got, want)
			}
		}
		for _, f := range list {
			if got := m.filters.byID[f.ID]; (got == f) != (f.Action == policy.Negotiate) {
				r.Fatalf("by its ID %s there is %+v", f.ID, got)
			}
		}
	})
}
