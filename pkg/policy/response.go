package policy

import (
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// addDefaultResponse notes that main mode answers everybody by the default response rule where no other rule does: the lightest filter that there can be.
func (x *expansion) addDefaultResponse(r *Rule) {
	meaning := mainModeMeaning(x.policy, r)
	for _, all := range anyRanges {
		p := addressPair{local: all, remote: all}
		if x.pairs[p] != nil {
			x.warn(r.Source, "the default response rule is never used for %v: rule %q negotiates with everybody already", all, x.pairs[p].Rule.Name)
			continue
		}
		m := &MainModeFilter{Local: all, Remote: all, Rule: r, Meaning: meaning}
		x.pairs[p] = m
		x.mainMode = append(x.mainMode, m)
	}
}

// Dynamic returns the filter that the default response rule makes for the traffic sel, which a peer has asked to protect; nil if there may be none: no default
// response rule, a selector that is wider than an address of this host and one of another, or one whose traffic is decided already by a filter of the policy, which always goes before
// dynamic ones, or whose pair of hosts belongs to another rule. The filter is outbound: Src is this host. Equal selectors give filters with equal IDs
// as long as the rule means the same.
func (c *Compiled) Dynamic(sel classifier.Filter) *QuickModeFilter {
	r := c.Policy.DefaultResponse
	if r == nil || !sel.IsValid() || !sel.Src.IsHost() || !sel.Dst.IsHost() || !c.isLocal(sel.Src.From) || c.isLocal(sel.Dst.From) {
		return nil
	}
	if m := c.FindMainMode(sel.Src.From, sel.Dst.From); m == nil || m.Rule != r {
		return nil
	}
	if c.Decision(sel, true) != nil || c.Decision(sel.Mirror(), false) != nil {
		return nil
	}
	meaning, source := r.Meaning(), &GenericFilter{Source: r.Source}
	out := &QuickModeFilter{Filter: sel, Action: Negotiate, Rule: r, Dynamic: true, ID: filterID(meaning, false, &sel), source: source}
	back := sel.Mirror()
	in := &QuickModeFilter{Filter: back, Action: Negotiate, Rule: r, Dynamic: true, ID: filterID(meaning, true, &back), source: source}
	twins(out, in)
	return out
}

func (c *Compiled) isLocal(a netip.Addr) bool {
	return slices.ContainsFunc(c.Host.Addresses, func(own netip.Addr) bool { return own.Unmap().WithZone("") == a })
}
