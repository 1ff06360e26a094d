package config

import (
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// fallback reads fallback_to_clear: true or false, or a mapping with its times.
func (r *reader) fallback(n *node) *policy.Fallback {
	if isScalar(n) {
		if r.boolean(n, "fallback_to_clear") {
			return &policy.Fallback{}
		}
		return nil
	}
	f := &policy.Fallback{}
	r.each(n, "fallback_to_clear", fallbackKeys, func(key string, _, v *node) {
		if key == "timeout" {
			f.Timeout, _ = r.duration(v, key, time.Second, policy.MaxFallbackTimeout)
		} else {
			f.Lifetime, _ = r.duration(v, key, policy.MinFallbackLifetime, policy.MaxFallbackLifetime)
		}
	})
	return f
}

// checkSoft checks the options of a rule's action that give protection away, and says what they give away. They may come from a named action that rules of
// other kinds use too.
func (r *reader) checkSoft(n *node, rule *policy.Rule) {
	a := &rule.Action
	switch {
	case a.Fallback == nil:
	case rule.Tunnel != nil:
		r.fail(n, "leave fallback_to_clear out of the action of a tunnel rule", "rule %q: fall back to clear is for transport mode: "+
			"in clear the packets of a tunnel would go somewhere else, or nowhere", rule.Name)
	default:
		r.warn(n, "rule %q falls back to clear: whoever can drop the UDP packets of port 500 can switch its protection off; use it only while peers without IPsec are moved over", rule.Name)
	}
	switch {
	case !a.InboundPassthrough:
	case rule.Tunnel != nil:
		r.warn(n, "rule %q: inbound_passthrough has no effect in a tunnel rule: what belongs in the tunnel is never accepted in clear", rule.Name)
	default:
		r.warn(n, "rule %q accepts clear packets that match it (inbound_passthrough): never use it on a host that faces the Internet", rule.Name)
	}
}

// exemptions reads the level of the default exemptions.
func (r *reader) exemptions(n *node) policy.Exemptions {
	if n == nil {
		return 0
	}
	level, _ := r.number(n, "exemptions", 0, policy.StrictestLevel)
	x, _ := policy.ExemptionLevel(int(level))
	if hole := x.Hole(); hole != "" {
		r.warn(n, "exemptions: %d lets %v pass: %s; write 3, or 1 if multicast and broadcast must pass", level, x, hole)
	}
	return x
}

// defaultResponse reads the default response rule of a policy.
func (r *reader) defaultResponse(n *node) *policy.Rule {
	rule := &policy.Rule{Name: policy.DefaultResponseName, Source: r.position(n)}
	at := map[string]*node{}
	ok := r.each(n, "default_response", responseKeys, func(key string, _, v *node) {
		at[key] = v
		if key == "auth" {
			rule.Auth = r.auth(v)
		}
	})
	if !ok {
		return nil
	}
	rule.Action = r.securityOf(n, at)
	r.warnWeakMethods(n, rule.Action)
	if at["auth"] == nil {
		r.fail(n, "add auth: [{psk_file: NAME}]", "default_response names no authentication")
		return nil
	}
	if slices.ContainsFunc(rule.Auth, func(a policy.AuthMethod) bool { return a.XAuth != nil }) {
		r.fail(at["auth"], "leave xauth out, or write a rule with tunnel: {remote: any}", "default_response has no extended authentication (xauth): it answers peers in transport mode, "+
			"and xauth is for the tunnels of remote access")
		return nil
	}
	for _, a := range rule.Auth {
		if a.Kind == policy.PSK {
			r.warn(at["auth"], "the default response rule answers everybody who has its pre-shared key: each of them can pose as any other, and as this host; give peers rules and keys of their own")
			break
		}
	}
	return rule
}
