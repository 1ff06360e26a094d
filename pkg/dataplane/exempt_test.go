package dataplane

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// TestExemptTrafficIsSentInClear: with everything blocked, Kerberos leaves unchanged where it is exempt, and nothing else does.
func TestExemptTrafficIsSentInClear(t *testing.T) {
	for level := range 4 {
		w := newWorld(t)
		exempt, _ := policy.ExemptionLevel(level)
		block := &policy.QuickModeFilter{ID: "all", Filter: classifier.Filter{Src: classifier.AnyV4, Dst: classifier.AnyV4}, Action: policy.Block, Rule: &policy.Rule{}}
		w.a.plane.Apply(&policy.Compiled{Policy: &policy.Policy{Exemptions: exempt}, Outbound: []*policy.QuickModeFilter{block}})
		src, dst := w.a.addr[0].String(), w.b.addr[0].String()
		w.a.send(udpPorts(src, dst, 4000, 88, 10), udpPorts(src, dst, 88, 4000, 10), udpPorts(src, dst, 4000, 4001, 10))
		want := uint64(0)
		if level == 0 || level == 2 {
			want = 2
		}
		c := &w.a.plane.count
		if c.Permitted.Load() != want || c.Count(Blocked) != 3-want {
			t.Errorf("level %d: %d permitted, %d blocked", level, c.Permitted.Load(), c.Count(Blocked))
		}
		w.a.conserve()
	}
}
