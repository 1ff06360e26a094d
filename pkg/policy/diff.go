package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Difference is what changes on a host when one policy takes the place of another, in terms of specific filters and of what they mean. It holds no secret.
type Difference struct {
	// Policy says what changes for all rules: key exchange, default response rule, exemptions. For people.
	Policy []string
	// Filters are the quick-mode filters that are added, removed or changed, those of before first, heaviest first.
	Filters []FilterChange
	// Unchanged counts the quick-mode filters that are the same in both.
	Unchanged int
	// Dropped are the outbound filters whose quick-mode SAs, if there are any, end with the change; DroppedPeers the main-mode filters whose main-mode SAs do.
	Dropped      []*QuickModeFilter
	DroppedPeers []*MainModeFilter
}

// Same reports whether nothing changes.
func (d *Difference) Same() bool {
	return len(d.Policy)+len(d.Filters)+len(d.Dropped)+len(d.DroppedPeers) == 0
}

// FilterChange is one specific filter that is not the same in both policies.
type FilterChange struct {
	Before, After *QuickModeFilter // nil: added, removed
	// Outbound and Inbound tell the direction. Both are set if the filter's counterpart for the way back changes alike; then Before and After are the outbound ones.
	Outbound, Inbound bool
	// What says what changes, one aspect each. For people.
	What []string
}

// Diff compares two policies that were compiled for the same host, in the same run of the program.
func Diff(before, after *Compiled) *Difference {
	d := &differ{said: map[rulePair][]string{}}
	d.policies(before.Policy, after.Policy)
	out := d.directions(before.Outbound, after.Outbound)
	in := d.directions(before.Inbound, after.Inbound)
	d.join(out, in)
	d.dropped(before, after)
	return &d.Difference
}

// differ collects a Difference.
type differ struct {
	Difference
	said map[rulePair][]string // aspects by pairs of rules: many filters have the same
}

// policies compares what is not a rule's.
func (d *differ) policies(a, b *Policy) {
	d.Policy = append(d.Policy, keyExchangeAspects(&a.KeyExchange, &b.KeyExchange)...)
	switch ra, rb := a.DefaultResponse, b.DefaultResponse; {
	case ra == nil && rb != nil:
		d.Policy = append(d.Policy, "the default response rule is activated")
	case ra != nil && rb == nil:
		d.Policy = append(d.Policy, "the default response rule is not activated any more")
	case ra != nil && ra.Meaning() != rb.Meaning():
		d.Policy = append(d.Policy, "the default response rule: "+strings.Join(ruleAspects(ra, rb), "; "))
	}
	if a.Exemptions != b.Exemptions {
		d.Policy = append(d.Policy, fmt.Sprintf("exemptions: level %d -> %d", a.Exemptions.Level(), b.Exemptions.Level()))
	}
}

func keyExchangeAspects(a, b *KeyExchange) (list []string) {
	if am, bm := methodNames(a.Methods), methodNames(b.Methods); am != bm {
		list = append(list, "main-mode methods: "+am+" -> "+bm)
	}
	if a.Lifetime != b.Lifetime {
		list = append(list, fmt.Sprintf("main-mode lifetime: %v -> %v", cmp.Or(a.Lifetime, DefaultMainModeLifetime), cmp.Or(b.Lifetime, DefaultMainModeLifetime)))
	}
	if a.QuickModes != b.QuickModes {
		list = append(list, fmt.Sprintf("quick modes per main mode: %d -> %d", a.QuickModes, b.QuickModes))
	}
	return list
}

// methodNames joins what names itself.
func methodNames[M fmt.Stringer](methods []M) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.String()
	}
	return strings.Join(names, ", ")
}

// directions compares the filters of one direction.
func (d *differ) directions(before, after []*QuickModeFilter) []FilterChange {
	then := make(map[classifier.Filter]*QuickModeFilter, len(before))
	for _, f := range before {
		then[f.Filter] = f
	}
	var changes, added []FilterChange
	changed := map[*QuickModeFilter]FilterChange{}
	kept := map[*QuickModeFilter]bool{}
	for _, f := range after {
		old := then[f.Filter]
		switch {
		case old == nil:
			added = append(added, FilterChange{After: f})
		case old.ID == f.ID:
			kept[old] = true
			d.Unchanged++
		default:
			changed[old] = FilterChange{Before: old, After: f, What: d.aspects(old.Rule, f.Rule)}
		}
	}
	for _, f := range before {
		if c, ok := changed[f]; ok {
			changes = append(changes, c)
		} else if !kept[f] {
			changes = append(changes, FilterChange{Before: f})
		}
	}
	return append(changes, added...)
}

// join makes one of the changes of a filter and of its counterpart.
func (d *differ) join(out, in []FilterChange) {
	type sides struct{ before, after *QuickModeFilter }
	back := map[sides]int{}
	for i, c := range in {
		back[sides{c.Before, c.After}] = i
	}
	twin := func(f *QuickModeFilter) *QuickModeFilter {
		if f == nil {
			return nil
		}
		return f.Twin
	}
	joined := map[int]bool{}
	for _, c := range out {
		c.Outbound = true
		s := sides{twin(c.Before), twin(c.After)}
		if i, ok := back[s]; ok && (s.before == nil) == (c.Before == nil) && (s.after == nil) == (c.After == nil) {
			c.Inbound, joined[i] = true, true
		}
		d.Filters = append(d.Filters, c)
	}
	for i, c := range in {
		if c.Inbound = true; !joined[i] {
			d.Filters = append(d.Filters, c)
		}
	}
}

// dropped finds what ends: as the endpoint does, which keeps an SA if its filter has the same ID, and a main-mode SA if what its addresses find has the same meaning.
func (d *differ) dropped(before, after *Compiled) {
	stays := make(map[string]bool, len(after.Outbound))
	for _, f := range after.Outbound {
		stays[f.ID] = true
	}
	for _, f := range before.Outbound {
		if f.Action == Negotiate && !stays[f.ID] {
			d.Dropped = append(d.Dropped, f)
		}
	}
	for _, m := range before.MainMode {
		if n := after.FindMainMode(m.Local.From, m.Remote.From); n == nil || n.Meaning != m.Meaning {
			d.DroppedPeers = append(d.DroppedPeers, m)
		}
	}
}

func (d *differ) aspects(a, b *Rule) []string {
	p := rulePair{a, b}
	if _, known := d.said[p]; !known {
		d.said[p] = ruleAspects(a, b)
	}
	return d.said[p]
}

// ruleAspects says what two rules do differently with the same traffic.
func ruleAspects(a, b *Rule) []string {
	var list []string
	note := func(what string, before, after any) {
		if x, y := fmt.Sprint(before), fmt.Sprint(after); x != y {
			list = append(list, fmt.Sprintf("%s: %s -> %s", what, x, y))
		}
	}
	note("action", a.Action.Kind, b.Action.Kind)
	if a.Action.Kind == Negotiate && b.Action.Kind == Negotiate {
		note("methods", methodNames(a.Action.Methods), methodNames(b.Action.Methods))
		note("lifetimes", lifetimes(a.Action.Methods), lifetimes(b.Action.Methods))
		note("pfs", a.Action.PFS, b.Action.PFS)
		note("tunnel", a.Tunnel.ends(), b.Tunnel.ends())
		note("fall-back to clear", a.Action.Fallback.times(), b.Action.Fallback.times())
		list = append(list, authAspects(a.Auth, b.Auth)...)
		list = append(list, manualAspects(a.Manual, b.Manual)...)
	}
	note("inbound passthrough", a.Action.InboundPassthrough, b.Action.InboundPassthrough)
	if a.Peer != b.Peer {
		list = append(list, "the options for the peer (encapsulation, port, DPD, idle time, window, fragments or DF) are others")
	}
	if len(list) == 0 {
		list = append(list, "settings are others")
	}
	return list
}

func lifetimes(methods []Method) string {
	parts := make([]string, len(methods))
	for i, m := range methods {
		l := m.EffectiveLifetime()
		parts[i] = fmt.Sprintf("%d s/%d KB", l.Seconds, l.Kilobytes)
	}
	return strings.Join(parts, ", ")
}

// ends says what a tunnel leads to.
func (t *Tunnel) ends() string {
	if t == nil {
		return "none"
	}
	word := func(valid bool, s, otherwise string) string {
		if valid {
			return s
		}
		return otherwise
	}
	s := word(t.Local.IsValid(), t.Local.String(), "by route") + ".." + word(t.Remote.IsValid(), t.Remote.String(), "any")
	if t.Inner.IsValid() {
		s += " inside " + t.Inner.String()
	}
	return s
}

func (f *Fallback) times() string {
	if f == nil {
		return "no"
	}
	return fmt.Sprintf("after %v for %v", f.Wait(), f.Live())
}

// authAspects compares authentication: the kinds and identities are shown, of keys only that they differ.
func authAspects(a, b []AuthMethod) []string {
	if x, y := authNames(a), authNames(b); x != y {
		return []string{"auth: " + x + " -> " + y}
	}
	if slices.EqualFunc(a, b, func(x, y AuthMethod) bool { return x.PSK.Equal(y.PSK) && x.sameCertificate(&y) }) {
		return nil
	}
	return []string{"auth: the key or the certificates are others"}
}

func (a *AuthMethod) sameCertificate(b *AuthMethod) bool {
	if (a.Cert == nil) != (b.Cert == nil) {
		return false
	}
	one := func(x *AuthMethod) string { return (&Rule{Auth: []AuthMethod{*x}}).Meaning() }
	return one(a) == one(b)
}

func authNames(list []AuthMethod) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Kind.String()
		if a.LocalID != "" {
			names[i] += " as " + a.LocalID
		}
		if a.RemoteID != "" {
			names[i] += " with " + a.RemoteID
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", then ")
}

func manualAspects(a, b *ManualKeys) []string {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil:
		return []string{"keys: negotiated -> manual"}
	case b == nil:
		return []string{"keys: manual -> negotiated"}
	}
	if (&Rule{Manual: a}).Meaning() != (&Rule{Manual: b}).Meaning() {
		return []string{"the manual keys or SPIs are others"}
	}
	return nil
}
