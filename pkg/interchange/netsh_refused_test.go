package interchange

import (
	"strings"
	"testing"
)

// A command that Windows would refuse has no effect: a filter without its mistyped protocol would be one for all protocols, a rule without its mistyped connection type one for all
// connections.
func TestNetshRefusedCommandsHaveNoEffect(t *testing.T) {
	const permit = prelude + "netsh ipsec static add filteraction Pass action=permit\nnetsh ipsec static add rule Base P L B\n"
	for _, c := range []struct{ script, not string }{
		{"add filter filterlist=Ok srcaddr=any dstaddr=me protocl=ICMP\nnetsh ipsec static add rule Open P Ok Pass", "any <-> me"},
		{"add filter filterlist=Ok srcaddr=any dstaddr=me srcp=1 d=5\nnetsh ipsec static add rule Open P Ok Pass", "any <-> me"},
		{"add filter Ok any me d tcp no 0 0 25 26 27\nnetsh ipsec static add rule Open P Ok Pass", "any -> me"},
		{"add rule name=Open policy=P filterlist=L filteraction=Pass conntype=landline", "Open"},
		{"add rule name=Open policy=P filterlist=L filteraction=Pass contype=lan", "Open"},
		{"add rule name=Open policy=P filterlist=L filteraction=Pass activate=off", "Open"},
		{"add rule name=Open policy=P filterlist=L filteraction=Pass aktivate=no", "Open"},
		{"set rule name=Base policy=P filteraction=Pass conntype=landline", "permit"},
		{"set rule name=Base policy=P filteraction=Pass activate=maybe", "permit"},
		{"set rule name=Base policy=P filteraction=Pass filterlist=Missing", "permit"},
		{"set filteraction name=B action=permit soft=maybe", "permit"},
		{"set filteraction name=B action=permit pmqfs=yes", "permit"},
	} {
		got, r := imported(t, permit+"netsh ipsec static "+c.script+"\n")
		lost := lostOf(r)
		if strings.Contains(got, c.not) || len(lost) == 0 || lost[0].Line != 7 || !strings.Contains(got, "name: Base\n    filters:\n      - me <-> 192.0.2.9\n    action: block\n") {
			t.Errorf("%s:\n%s%v", c.script, got, r.Notes)
		}
	}
}
