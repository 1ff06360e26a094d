package config

import (
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

func TestFallbackToClear(t *testing.T) {
	for _, c := range []struct {
		text           string
		wait, lifetime time.Duration // 0: none
	}{
		{"true", 3 * time.Second, 5 * time.Minute},
		{"false", 0, 0},
		{"{}", 3 * time.Second, 5 * time.Minute},
		{"{timeout: 5s}", 5 * time.Second, 5 * time.Minute},
		{"{timeout: 1, lifetime: 1h}", time.Second, time.Hour},
	} {
		f := read(t, wrap(filter+"negotiate: {fallback_to_clear: "+c.text+"}\n"+psk))
		got := f.Assigned.Rules[0].Action.Fallback
		if (got != nil) != (c.wait != 0) || got != nil && (got.Wait() != c.wait || got.Live() != c.lifetime) {
			t.Errorf("%s: %+v", c.text, got)
		}
		if warned(f, "whoever can drop the UDP packets of port 500") != (c.wait != 0) {
			t.Errorf("%s: warnings %v", c.text, f.Warnings)
		}
	}
	named := read(t, "filter_actions: {request: {fallback_to_clear: true, inbound_passthrough: true}}\nrules: [{"+strings.TrimSpace(filter)+", action: request, "+strings.TrimSpace(psk)+"}]\n")
	if a := named.Assigned.Rules[0].Action; a.Fallback == nil || !a.InboundPassthrough || !warned(named, "whoever can drop") || !warned(named, "never use it on a host that faces the Internet") {
		t.Errorf("%+v %v", a, named.Warnings)
	}
}

func TestPassthroughInATunnelRuleHasNoEffect(t *testing.T) {
	f := read(t, wrap("filters: [10.0.0.0/8 -> 10.1.0.0/16]\n"+tun+"negotiate: {inbound_passthrough: true}\n"+psk))
	if !warned(f, "has no effect in a tunnel rule") {
		t.Error(f.Warnings)
	}
}

func TestExemptions(t *testing.T) {
	for text, want := range map[string]int{"": 3, "exemptions: 0\n": 0, "exemptions: 1\n": 1, "exemptions: 2\n": 2, "exemptions: 3\n": 3} {
		f := read(t, text+wrap(filter+block))
		if f.Exemptions.Level() != want || f.Assigned.Exemptions.Level() != want {
			t.Errorf("%q: level %d, and %d in the policy", text, f.Exemptions.Level(), f.Assigned.Exemptions.Level())
		}
		if hole := want == 0 || want == 2; warned(f, "anything from source port 88") != hole {
			t.Errorf("%q: warnings %v", text, f.Warnings)
		}
	}
	f := read(t, "exemptions: 2\nassign: b\npolicies:\n  - {name: a, rules: []}\n  - {name: b, rules: []}\n")
	for _, p := range f.Policies {
		if p.Exemptions != policy.ExemptKerberos {
			t.Errorf("policy %s is at level %d", p.Name, p.Exemptions.Level())
		}
	}
}

func TestDefaultResponse(t *testing.T) {
	f := read(t, "default_response: {methods: [esp aes-cbc-128 sha256], pfs: ecp256, lifetime: {seconds: 600}, "+strings.TrimSpace(psk)+"}\n")
	r := f.Assigned.DefaultResponse
	if r == nil || len(r.Auth) != 1 || r.Action.PFS != suite.ECP256 || len(r.Action.Methods) != 1 || r.Action.Methods[0].Lifetime.Seconds != 600 || r.Source.Line != 1 {
		t.Fatalf("%+v", r)
	}
	if !warned(f, "answers everybody who has its pre-shared key") {
		t.Error(f.Warnings)
	}
	f = read(t, "policies: [{name: a, default_response: {"+strings.TrimSpace(psk)+"}}]\n")
	if r := f.Assigned.DefaultResponse; r == nil || len(r.Action.Methods) != len(policy.DefaultMethods()) {
		t.Errorf("%+v", r)
	}
}
