package inspect

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

// TestWhatGivesProtectionAwayIsShown: the policy's listing and the explanation of a packet both say so.
func TestWhatGivesProtectionAwayIsShown(t *testing.T) {
	p := office()
	for _, r := range p.Rules {
		if r.Name == "web" {
			r.Action.InboundPassthrough, r.Action.Fallback = true, &policy.Fallback{}
		}
	}
	p.Exemptions = policy.ExemptKerberos
	p.DefaultResponse = &policy.Rule{Name: policy.DefaultResponseName, Action: policy.FilterAction{Kind: policy.Negotiate, Methods: policy.DefaultMethods()},
		Auth: []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("s3cr3t"))}}}
	c, err := policy.Compile(p, []netip.Addr{me})
	if err != nil {
		t.Fatal(err)
	}
	var listing strings.Builder
	if err := ViewPolicy(p).WriteText(&listing); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"exemptions: 2 (RSVP, Kerberos, IKE)", "beware: anything from source port 88", "inbound passthrough: clear packets that arrive are accepted",
		"falls back to clear for 300 s where there is no reply for 3 s", `rule "default-response": negotiate, transport mode`, "<dynamic>"} {
		if !strings.Contains(listing.String(), s) {
			t.Errorf("no %q in:\n%s", s, listing.String())
		}
	}
	if strings.Contains(listing.String(), "s3cr3t") {
		t.Error("the key is shown")
	}
	for question, says := range map[string]string{
		"192.0.2.1 198.51.100.9 tcp 443":       "if the peer gives no reply at all within 3s, it is sent in clear for 5m0s",
		"198.51.100.9 192.0.2.1 tcp 443 50000": "in clear it is accepted too (inbound passthrough)",
		"198.51.100.9 192.0.2.1 udp 88 445":    "it is exempt from every filter and passes in clear (exemptions: 2 lets RSVP, Kerberos, IKE pass)",
	} {
		k, err := ParseQuestion(strings.Fields(question))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := Explain(c, k, []netip.Addr{me}).WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), says) {
			t.Errorf("%s: no %q in:\n%s", question, says, b.String())
		}
	}
}

// TestDynamicFilterOfARunningInstance: no file has it, so the running instance's answer counts.
func TestDynamicFilterOfARunningInstance(t *testing.T) {
	p := office()
	p.Rules = p.Rules[:1]
	c, err := policy.Compile(p, []netip.Addr{me})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := ParseQuestion([]string{"192.0.2.1", "8.8.8.8", "udp", "53"})
	x := Explain(c, k, []netip.Addr{me})
	x.Compare(Running{Policy: "office", Direction: "outbound", Filter: "192.0.2.1 -> 8.8.8.8", Rule: policy.DefaultResponseName, Action: "negotiate", Dynamic: true, Carriers: []string{"SA 7"}})
	var b strings.Builder
	if err := x.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"the dynamic filter 192.0.2.1 -> 8.8.8.8 of its default response rule", "SA 7"} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("no %q in:\n%s", s, b.String())
		}
	}
}
