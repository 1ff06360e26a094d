package inspect

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// SchemaVersion is that of every JSON form of this package.
const SchemaVersion = 1

// PolicyView is a policy as its administrator wrote it, without its secrets.
type PolicyView struct {
	SchemaVersion int          `json:"schema_version"`
	Name          string       `json:"name"`
	Description   string       `json:"description,omitempty"`
	MainMode      []MethodView `json:"main_mode_methods"`
	MainModeLife  uint64       `json:"main_mode_seconds"`
	QuickModes    uint32       `json:"quick_modes_per_main_mode"` // 0: no limit
	Rules         []RuleView   `json:"rules"`
	Certificates  string       `json:"certificates,omitempty"` // what is asked of certificates, where a rule has some
	Exemptions    int          `json:"exemptions"`             // the level, 0 to 3
	Exempt        string       `json:"exempt"`                 // what it lets pass
	Hole          string       `json:"hole,omitempty"`         // what of that an attacker can use
	Response      *RuleView    `json:"default_response"`       // the default response rule; null: not activated
}

// RuleView is one rule.
type RuleView struct {
	Name    string       `json:"name"`
	Place   string       `json:"place"` // file:line:column
	Action  string       `json:"action"`
	Mode    string       `json:"mode,omitempty"`   // "transport" or "tunnel", for rules that negotiate
	Tunnel  string       `json:"tunnel,omitempty"` // both ends
	Inner   string       `json:"inner,omitempty"`  // this host's address inside
	Filters []string     `json:"filters"`
	Methods []MethodView `json:"methods,omitempty"`
	PFS     string       `json:"pfs,omitempty"`
	Auth    []string     `json:"auth,omitempty"`
	Manual  bool         `json:"manual,omitempty"`
	// Connection is "lan" or "remote_access" where the rule is for such interfaces only.
	Connection string `json:"connection,omitempty"`
	// Passthrough accepts clear packets that arrive; FallbackAfter and FallbackFor (seconds) are set if the rule falls back to clear.
	Passthrough   bool   `json:"inbound_passthrough,omitempty"`
	FallbackAfter uint64 `json:"fallback_after_seconds,omitempty"`
	FallbackFor   uint64 `json:"fallback_for_seconds,omitempty"`
}

// MethodView is one security method, or one main-mode method (then without lifetime).
type MethodView struct {
	Name      string   `json:"name"`
	Seconds   uint32   `json:"seconds,omitempty"`
	Kilobytes uint32   `json:"kilobytes,omitempty"`
	Weak      []string `json:"weak,omitempty"`
}

// ViewPolicy makes the view of a policy.
func ViewPolicy(p *policy.Policy) PolicyView {
	k := p.KeyExchange
	life := k.Lifetime
	if life == 0 {
		life = policy.DefaultMainModeLifetime
	}
	v := PolicyView{SchemaVersion: SchemaVersion, Name: p.Name, Description: p.Description, MainModeLife: uint64(life.Seconds()), QuickModes: k.QuickModes}
	for _, m := range k.Methods {
		v.MainMode = append(v.MainMode, MethodView{Name: m.String(), Weak: m.Weak()})
	}
	for _, r := range p.Rules {
		v.Rules = append(v.Rules, viewRule(r))
	}
	v.Exemptions, v.Exempt, v.Hole = p.Exemptions.Level(), p.Exemptions.String(), p.Exemptions.Hole()
	v.Certificates = certificateRules(p)
	if p.DefaultResponse != nil {
		r := viewRule(p.DefaultResponse)
		r.Filters = []string{"<dynamic>: between this host and each peer that asks, where no other filter decides"}
		v.Response = &r
	}
	return v
}

func viewRule(r *policy.Rule) RuleView {
	v := RuleView{Name: r.Name, Place: r.Source.String(), Action: r.Action.Kind.String(), Manual: r.Manual != nil}
	if r.Connection != policy.AllConnections {
		v.Connection = r.Connection.String()
	}
	for i := range r.Filters {
		v.Filters = append(v.Filters, genericText(&r.Filters[i]))
	}
	if r.Action.Kind != policy.Negotiate {
		return v
	}
	v.Mode = "transport"
	if t := r.Tunnel; t != nil {
		v.Mode, v.Tunnel = "tunnel", tunnelText(t)
	}
	for _, m := range r.Action.Methods {
		l := m.EffectiveLifetime()
		v.Methods = append(v.Methods, MethodView{Name: m.String(), Seconds: l.Seconds, Kilobytes: l.Kilobytes, Weak: m.Weak()})
	}
	v.Passthrough = r.Action.InboundPassthrough
	if b := r.Action.Fallback; b != nil {
		v.FallbackAfter, v.FallbackFor = uint64(b.Wait().Seconds()), uint64(b.Live().Seconds())
	}
	if r.Action.PFS != suite.GroupNone {
		v.PFS = r.Action.PFS.String()
	}
	for _, a := range r.Auth {
		v.Auth = append(v.Auth, authText(&a))
	}
	return v
}

func tunnelText(t *policy.Tunnel) string {
	end := func(valid bool, addr, otherwise string) string {
		if valid {
			return addr
		}
		return otherwise
	}
	if t.Endpoint.IsValid() {
		return "endpoint " + t.Endpoint.String()
	}
	text := end(t.Local.IsValid(), t.Local.String(), "the address that the route uses") + " .. " + end(t.Remote.IsValid(), t.Remote.String(), "any peer")
	switch {
	case t.AskAddress:
		text += ", inner address from the peer"
	case t.Pool.IsValid():
		text += ", inner addresses of peers from " + t.Pool.String()
	}
	return text
}

func authText(a *policy.AuthMethod) string {
	s := a.Kind.String()
	if a.Cert != nil {
		s += certificateText(a.Cert)
	}
	switch x := a.XAuth; {
	case x == nil:
	case x.Server():
		s += fmt.Sprintf(" and XAUTH of %d users", len(x.Users))
	default:
		s += " and XAUTH of " + x.User
	}
	if a.LocalID != "" {
		s += " as " + a.LocalID
	}
	if a.RemoteID != "" {
		s += " with " + a.RemoteID
	}
	return s
}

// WriteText writes the view for a person.
func (v PolicyView) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("policy %q", v.Name)
	if v.Description != "" {
		p.line("  %s", v.Description)
	}
	limit := "no limit"
	if v.QuickModes != 0 {
		limit = fmt.Sprint(v.QuickModes)
	}
	p.line("  main mode: %d s, quick modes per main mode: %s", v.MainModeLife, limit)
	for i, m := range v.MainMode {
		p.line("    %d. %s%s", i+1, m.Name, weakMark(m.Weak))
	}
	if v.Certificates != "" {
		p.line("  certificates: %s", v.Certificates)
	}
	p.line("  exemptions: %d (%s)", v.Exemptions, v.Exempt)
	if v.Hole != "" {
		p.line("    beware: %s", v.Hole)
	}
	rules := v.Rules
	if v.Response != nil {
		rules = append(slices.Clone(rules), *v.Response)
	}
	for _, r := range rules {
		p.line("")
		r.write(p)
	}
	return p.err
}

func (r RuleView) write(p *printer) {
	kind := r.Action
	if r.Mode != "" {
		kind += ", " + r.Mode + " mode"
	}
	if r.Manual {
		kind += ", manual keys"
	}
	p.line("rule %q: %s  (%s)", r.Name, kind, r.Place)
	if r.Connection != "" {
		p.line("  only    %s connections", r.Connection)
	}
	for _, f := range r.Filters {
		p.line("  filter  %s", f)
	}
	if r.Tunnel != "" {
		p.line("  tunnel  %s", r.Tunnel)
	}
	for i, m := range r.Methods {
		p.line("  method  %d. %s, %s%s", i+1, m.Name, lifetimeText(m.Seconds, m.Kilobytes), weakMark(m.Weak))
	}
	if r.PFS != "" {
		p.line("  pfs     %s", r.PFS)
	}
	if r.Passthrough {
		p.line("  inbound passthrough: clear packets that arrive are accepted")
	}
	if r.FallbackAfter > 0 {
		p.line("  falls back to clear for %d s where there is no reply for %d s", r.FallbackFor, r.FallbackAfter)
	}
	if len(r.Auth) > 0 {
		p.line("  auth    %s", strings.Join(r.Auth, ", then "))
	}
}

func lifetimeText(seconds, kilobytes uint32) string {
	s := fmt.Sprintf("%d s", seconds)
	if kilobytes != 0 && kilobytes != policy.MaxKilobytes {
		s += fmt.Sprintf(" or %d KB", kilobytes)
	}
	return s
}

func weakMark(weak []string) string {
	if len(weak) == 0 {
		return ""
	}
	return "  (weak: " + strings.Join(weak, "; ") + ")"
}
