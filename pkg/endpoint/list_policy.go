package endpoint

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// RuleEntry is one rule of the active policy.
type RuleEntry struct {
	Name    string   `json:"name"`
	Place   string   `json:"place"`   // file:line:column
	Filters int      `json:"filters"` // generic ones
	Action  string   `json:"action"`
	Policy  string   `json:"policy,omitempty"` // the negotiation policy's name
	Mode    string   `json:"mode,omitempty"`   // "transport" or "tunnel", of rules that negotiate
	Tunnel  string   `json:"tunnel,omitempty"` // both ends
	Auth    []string `json:"auth,omitempty"`   // in order of preference
	Manual  bool     `json:"manual,omitempty"`
	// Options are what the rule does differently from others, in words.
	Options []string `json:"options,omitempty"`
}

// FilterEntry is one filter. A generic one has the words of the policy file, a specific one the addresses that they stand for, and a weight.
type FilterEntry struct {
	Rule            string   `json:"rule"`
	Source          string   `json:"source"`
	Destination     string   `json:"destination"`
	Protocol        string   `json:"protocol"` // "any", or a number
	SourcePort      string   `json:"source_port"`
	DestinationPort string   `json:"destination_port"`
	Direction       string   `json:"direction"`        // "outbound", "inbound"; of a generic one "both" or "one way"
	Weight          string   `json:"weight,omitempty"` // sorts as text, heavier is more specific
	Action          string   `json:"action"`
	Policy          string   `json:"policy,omitempty"` // of key exchange, or of negotiation
	Tunnel          string   `json:"tunnel,omitempty"`
	Auth            []string `json:"auth,omitempty"` // main mode
	Place           string   `json:"place"`
}

// MethodEntry is one method of a policy of key exchange or of negotiation.
type MethodEntry struct {
	Policy     string   `json:"policy"`
	Rules      int      `json:"rules"`                 // that use the policy
	Order      int      `json:"order"`                 // of preference, from 1
	Name       string   `json:"name"`                  // what is offered and accepted
	PFS        string   `json:"pfs,omitempty"`         // group of the session keys' own Diffie-Hellman exchange
	QuickModes uint32   `json:"quick_modes,omitempty"` // under one main mode; 0: no limit. 1 is master-key PFS
	Seconds    uint32   `json:"seconds"`
	Kilobytes  uint32   `json:"kilobytes,omitempty"` // of 1024 bytes; 0: no such limit
	Weak       []string `json:"weak,omitempty"`
}

// listPolicy makes the lists that follow from the policy alone.
func listPolicy(c *policy.Compiled, name ListName, to *cut) error {
	switch name {
	case ListRules:
		for r := range c.Policy.EveryRule {
			x := ruleEntry(r)
			if to.take(func() string { return fmt.Sprint(x) }) {
				to.page.Rules = append(to.page.Rules, x)
			}
		}
	case ListMainModeGeneric, ListQuickModeGeneric:
		listGeneric(c.Policy, name == ListMainModeGeneric, to)
	case ListMainModeSpecific:
		for _, m := range c.MainMode {
			if to.take(func() string { return m.Filter().String() + " " + m.Rule.Name }) {
				to.page.Filters = append(to.page.Filters, mainModeEntry(c.Policy, m))
			}
		}
	case ListQuickModeSpecific:
		listSpecific(c, to)
	case ListMainModePolicies:
		listMethods(keyExchangeEntries(c.Policy), to)
	case ListQuickModePolicies:
		listMethods(negotiationEntries(c.Policy), to)
	default:
		return fmt.Errorf("%w: %.50q", ErrQuery, string(name))
	}
	return nil
}

func ruleEntry(r *policy.Rule) RuleEntry {
	x := RuleEntry{Name: r.Name, Place: r.Source.String(), Filters: len(r.Filters), Action: r.Action.Kind.String(), Manual: r.Manual != nil, Auth: authNames(r),
		Options: ruleOptions(r)}
	if r.Action.Kind != policy.Negotiate {
		return x
	}
	x.Policy, x.Mode = negotiationName(r), "transport"
	if r.Tunnel != nil {
		x.Mode, x.Tunnel = "tunnel", tunnelEnds(r.Tunnel)
	}
	return x
}

// ruleOptions says in words what a rule does differently from others.
func ruleOptions(r *policy.Rule) []string {
	var list []string
	for _, o := range []struct {
		set  bool
		text string
	}{{r.Action.InboundPassthrough, "inbound passthrough"}, {r.Action.Fallback != nil, "falls back to clear"}, {r.Aggressive, "aggressive mode"},
		{r.Connection == policy.LAN, "LAN connections only"}, {r.Connection == policy.RemoteAccess, "remote access connections only"}, {r.Peer.ForceUDP, "always in UDP"}} {
		if o.set {
			list = append(list, o.text)
		}
	}
	return list
}

func listGeneric(p *policy.Policy, mainMode bool, to *cut) {
	for _, r := range p.Rules {
		if mainMode && (r.Action.Kind != policy.Negotiate || r.Manual != nil) {
			continue
		}
		for i := range r.Filters {
			g := &r.Filters[i]
			if to.take(func() string { return g.String() + " " + r.Name + " " + r.Action.Kind.String() }) {
				to.page.Filters = append(to.page.Filters, genericEntry(p, r, g, mainMode))
			}
		}
	}
}

func genericEntry(p *policy.Policy, r *policy.Rule, g *policy.GenericFilter, mainMode bool) FilterEntry {
	x := FilterEntry{Rule: r.Name, Source: g.Src.String(), Destination: g.Dst.String(), Protocol: protocolNumber(g.Proto), SourcePort: g.SrcPorts.String(),
		DestinationPort: g.DstPorts.String(), Direction: "one way", Action: r.Action.Kind.String(), Place: g.Source.String()}
	if g.Mirrored {
		x.Direction = "both"
	}
	if r.Tunnel != nil {
		x.Tunnel = tunnelEnds(r.Tunnel)
	}
	if mainMode {
		x.Policy, x.Auth = keyExchangeName(p), authNames(r)
	} else if r.Action.Kind == policy.Negotiate {
		x.Policy = negotiationName(r)
	}
	return x
}

func mainModeEntry(p *policy.Policy, m *policy.MainModeFilter) FilterEntry {
	return FilterEntry{Rule: m.Rule.Name, Source: m.Local.String(), Destination: m.Remote.String(), Protocol: "any", SourcePort: "any", DestinationPort: "any",
		Direction: "both", Weight: m.Weight(), Action: m.Rule.Action.Kind.String(), Policy: keyExchangeName(p), Auth: authNames(m.Rule), Place: m.Rule.Source.String()}
}

func listSpecific(c *policy.Compiled, to *cut) {
	for _, list := range []struct {
		direction string
		filters   []*policy.QuickModeFilter
	}{{"outbound", c.Outbound}, {"inbound", c.Inbound}} {
		for _, f := range list.filters {
			if to.take(func() string {
				return f.Filter.String() + " " + f.Rule.Name + " " + f.Action.String() + " " + list.direction
			}) {
				to.page.Filters = append(to.page.Filters, specificEntry(f, list.direction))
			}
		}
	}
}

func specificEntry(f *policy.QuickModeFilter, direction string) FilterEntry {
	x := FilterEntry{Rule: f.Rule.Name, Source: f.Filter.Src.String(), Destination: f.Filter.Dst.String(), Protocol: protocolNumber(f.Filter.Proto),
		SourcePort: f.Filter.SrcPorts.String(), DestinationPort: f.Filter.DstPorts.String(), Direction: direction, Weight: f.Weight(),
		Action: f.Action.String(), Place: f.Source().String()}
	if f.Action == policy.Negotiate {
		x.Policy = negotiationName(f.Rule)
	}
	if f.Rule.Tunnel != nil {
		x.Tunnel = tunnelEnds(f.Rule.Tunnel)
	}
	return x
}

func keyExchangeName(p *policy.Policy) string {
	return "key exchange of " + cmp.Or(p.Name, "the policy")
}

// negotiationName is the name of a rule's filter action, or, where that has none, says whose it is.
func negotiationName(r *policy.Rule) string { return cmp.Or(r.Action.Name, "of rule "+r.Name) }

func listMethods(list []MethodEntry, to *cut) {
	for _, x := range list {
		if to.take(func() string { return fmt.Sprint(x) }) {
			to.page.Methods = append(to.page.Methods, x)
		}
	}
}

func keyExchangeEntries(p *policy.Policy) []MethodEntry {
	k := p.KeyExchange
	life := uint32(cmp.Or(k.Lifetime, policy.DefaultMainModeLifetime).Seconds())
	rules := 0
	for r := range p.EveryRule {
		if r.Action.Kind == policy.Negotiate && r.Manual == nil {
			rules++
		}
	}
	var list []MethodEntry
	for i, m := range k.Methods {
		list = append(list, MethodEntry{Policy: keyExchangeName(p), Rules: rules, Order: i + 1, Name: m.String(), QuickModes: k.QuickModes, Seconds: life, Weak: m.Weak()})
	}
	return list
}

// negotiationEntries lists the methods of the filter actions that negotiate, those of one that has a name once.
func negotiationEntries(p *policy.Policy) []MethodEntry {
	users := map[string]int{}
	var first []*policy.Rule
	for r := range p.EveryRule {
		if r.Action.Kind != policy.Negotiate {
			continue
		}
		if users[negotiationName(r)]++; users[negotiationName(r)] == 1 {
			first = append(first, r)
		}
	}
	var list []MethodEntry
	for _, r := range first {
		for i, m := range r.Action.Methods {
			list = append(list, negotiationEntry(r, users[negotiationName(r)], i, m))
		}
	}
	return list
}

func negotiationEntry(r *policy.Rule, rules, i int, m policy.Method) MethodEntry {
	l := m.EffectiveLifetime()
	x := MethodEntry{Policy: negotiationName(r), Rules: rules, Order: i + 1, Name: m.String(), Seconds: l.Seconds, Kilobytes: l.Kilobytes, Weak: m.Weak()}
	if r.Action.PFS != suite.GroupNone {
		x.PFS = r.Action.PFS.String()
	}
	if l.Kilobytes == policy.MaxKilobytes {
		x.Kilobytes = 0
	}
	return x
}

func authNames(r *policy.Rule) []string {
	var list []string
	for i := range r.Auth {
		list = append(list, r.Auth[i].Kind.String())
	}
	return list
}

func tunnelEnds(t *policy.Tunnel) string {
	if t.Endpoint.IsValid() {
		return t.Endpoint.String()
	}
	local, remote := "by route", "any"
	if t.Local.IsValid() {
		local = t.Local.String()
	}
	if t.Remote.IsValid() {
		remote = t.Remote.String()
	}
	return strings.Join([]string{local, remote}, " .. ")
}

func protocolNumber(n uint8) string {
	if n == 0 {
		return "any"
	}
	return fmt.Sprint(n)
}
