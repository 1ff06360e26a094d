package dataplane

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestDynamicFiltersDecideWhereNoOtherDoes: a filter of the policy, though lighter, goes first; elsewhere the dynamic one protects; without it the packet passes.
func TestDynamicFiltersDecideWhereNoOtherDoes(t *testing.T) {
	w := newWorld(t)
	a, b := w.a.addr[0], w.b.addr[0]
	web := classifier.Filter{Src: classifier.AnyV4, Dst: classifier.AnyV4, Proto: 17, DstPorts: classifier.Port(80)}
	explicit := []*policy.QuickModeFilter{{ID: "web", Filter: web, Action: policy.Permit, Rule: &policy.Rule{}}}
	f := w.defaultFilter(setup{mode: suite.Transport})
	narrow := f
	narrow.Proto, narrow.DstPorts = 17, classifier.Port(4242)
	dynamic := []*policy.QuickModeFilter{{ID: "f", Filter: f, Action: policy.Negotiate, Rule: &policy.Rule{}, Dynamic: true},
		{ID: "narrow", Filter: narrow, Action: policy.Negotiate, Rule: &policy.Rule{}, Dynamic: true}} // in no order
	apply := func(dynamic ...*policy.QuickModeFilter) {
		w.a.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: explicit}, dynamic...)
	}
	c := &w.a.plane.count
	send := func(port uint16) { w.a.send(udpPorts(a.String(), b.String(), 4000, port, 1)) }
	apply(dynamic...)
	send(80)
	send(443)
	send(4242)
	if c.Permitted.Load() != 1 || c.Held.Load() != 2 {
		t.Fatalf("%d permitted, %d held", c.Permitted.Load(), c.Held.Load())
	}
	asked := map[string]int{}
	for len(w.a.events) > 0 {
		asked[(<-w.a.events).Filter.ID]++
	}
	if asked["f"] != 1 || asked["narrow"] != 1 {
		t.Errorf("negotiations asked for: %v", asked)
	}
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: &policy.Rule{}})
	w.key(setup{mode: suite.Transport, esp: true}, f)
	if c.Sealed.Load() != 1 {
		t.Errorf("%d sealed: what was held should have left", c.Sealed.Load())
	}
	apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: &policy.Rule{}, Dynamic: true}) // the other one goes
	send(443)
	send(4242)
	if c.Sealed.Load() != 3 || c.Count(NoSA) != 1 {
		t.Errorf("%d sealed, %d held packets dropped", c.Sealed.Load(), c.Count(NoSA))
	}
	apply()
	send(443)
	if c.Permitted.Load() != 2 {
		t.Error("without the filter the packet is not sent in clear")
	}
	w.a.conserve()
}
