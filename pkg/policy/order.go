package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// settle orders the filters of one direction, heaviest first, and deals with those that are equal: those of one meaning become
// one, those that differ are a fault. The order does not depend on the order of rules: weight, then block before negotiate
// before permit, then the filters' own bytes.
func (x *expansion) settle(list []*QuickModeFilter) []*QuickModeFilter {
	entries := make([]classifier.Entry[*QuickModeFilter], len(list))
	for i, f := range list {
		entries[i] = classifier.Entry[*QuickModeFilter]{Filter: f.Filter, Value: f}
	}
	classifier.Sort(entries, func(a, b **QuickModeFilter) int { return compareBytes(&(*a).Filter, &(*b).Filter) })
	for i := range entries {
		list[i] = entries[i].Value
	}
	kept := list[:0]
	for _, f := range list {
		if n := len(kept); n > 0 && kept[n-1].Filter == f.Filter {
			kept[n-1] = x.equal(kept[n-1], f)
			continue
		}
		kept = append(kept, f)
	}
	clear(list[len(kept):])
	for from := 0; from < len(kept); {
		to := from + 1
		for to < len(kept) && kept[from].Filter.Compare(&kept[to].Filter) == 0 {
			to++
		}
		slices.SortStableFunc(kept[from:to], precedence)
		from = to
	}
	return kept
}

// precedence orders filters of equal weight: those of rules with a connection type first, for they are for a part of the traffic; then block before negotiate
// before permit.
func precedence(a, b *QuickModeFilter) int {
	return cmp.Or(typed(b.Rule)-typed(a.Rule), cmp.Compare(a.Action, b.Action))
}

func typed(r *Rule) int {
	if r.Connection == AllConnections {
		return 0
	}
	return 1
}

// equal deals with a filter that is already there, and returns the one of the two that stays.
func (x *expansion) equal(keep, drop *QuickModeFilter) *QuickModeFilter {
	switch {
	case interchangeable(keep, drop):
		adopt(keep, drop)
		if keep.source != drop.source && keep.Rule.Connection == drop.Rule.Connection {
			x.warnSame(keep, drop)
		}
		return keep
	case !momentary(keep, drop):
		x.faultSame(keep, drop)
		return keep
	}
	// What the host has at the moment makes them equal: that must not leave it without a policy.
	stays, goes := keep, drop
	if cmp.Or(precedence(drop, keep), strings.Compare(drop.Rule.Name, keep.Rule.Name)) < 0 {
		stays, goes = drop, keep
	}
	if goes.Twin != nil && goes.Twin.Twin == goes {
		goes.Twin.Twin = nil
	}
	if !x.offline && typed(keep.Rule) == typed(drop.Rule) && x.first(keep, drop) {
		x.warn(goes.Source(), "rule %q and rule %q (%v) are for the same filter %s now, and do different things: that of rule %q is done", goes.Rule.Name, stays.Rule.Name,
			stays.Source(), x.show(&goes.Filter), stays.Rule.Name)
	}
	return stays
}

// momentary reports whether two equal filters may be different ones at another moment: when live keywords stand for others, or addresses are on interfaces of other types.
func momentary(a, b *QuickModeFilter) bool {
	return a.Rule.Connection != b.Rule.Connection || a.source.live() || b.source.live()
}

// live reports whether a side of g is a live keyword.
func (g *GenericFilter) live() bool { return g.Src.Kind.Live() || g.Dst.Kind.Live() }

// interchangeable reports whether two equal filters do the same with their traffic.
func interchangeable(a, b *QuickModeFilter) bool {
	return a.Action == b.Action && (a.Action != Negotiate || a.Rule == b.Rule || a.Rule.Meaning() == b.Rule.Meaning())
}

// adopt gives the twin of drop to keep, which takes its place.
func adopt(keep, drop *QuickModeFilter) {
	if keep.Twin == nil {
		keep.Twin = drop.Twin
	}
	if drop.Twin != nil && drop.Twin.Twin == drop {
		drop.Twin.Twin = keep
	}
}

// sourcePair names two generic filters, so that what expands into hundreds of pairs is complained of once.
type sourcePair struct{ a, b *GenericFilter }

func (x *expansion) first(a, b *QuickModeFilter) bool {
	p := sourcePair{a.source, b.source}
	if x.said[p] || x.said[sourcePair{p.b, p.a}] {
		return false
	}
	x.said[p] = true
	return true
}

func (x *expansion) warnSame(a, b *QuickModeFilter) {
	if x.first(a, b) {
		x.warn(b.Source(), "rule %q: the filter %s stands in rule %q already (%v): one of them can go", b.Rule.Name, b.source, a.Rule.Name, a.Source())
	}
}

func (x *expansion) faultSame(a, b *QuickModeFilter) {
	if !x.first(a, b) {
		return
	}
	const hint = "of equal filters none is heavier: delete one, or make one narrower"
	if a.Action == b.Action {
		x.faults.add(b.Source(), hint, "rule %q and rule %q (%v) negotiate differently for the same filter %s", b.Rule.Name, a.Rule.Name, a.Source(), x.show(&b.Filter))
		return
	}
	x.faults.add(b.Source(), hint, "rule %q does %v and rule %q (%v) does %v for the same filter %s",
		b.Rule.Name, b.Action, a.Rule.Name, a.Source(), a.Action, x.show(&b.Filter))
}

// show is a specific filter for people. Where addresses that no network has stand for me they are shown as what they are.
func (x *expansion) show(f *classifier.Filter) string {
	s := f.String()
	placeholders := x.open
	if x.offline {
		placeholders = x.me
	}
	for _, a := range placeholders {
		s = strings.ReplaceAll(s, a.String()+" ", "me ")
		s = strings.TrimSuffix(s, " "+a.String()) + map[bool]string{true: " me"}[strings.HasSuffix(s, " "+a.String())]
	}
	return s
}

// compareBytes is a total order of filters that means nothing but never changes.
func compareBytes(a, b *classifier.Filter) int {
	return cmp.Or(
		a.Src.From.Compare(b.Src.From), a.Src.To.Compare(b.Src.To),
		a.Dst.From.Compare(b.Dst.From), a.Dst.To.Compare(b.Dst.To),
		cmp.Compare(a.Proto, b.Proto), comparePorts(a.SrcPorts, b.SrcPorts), comparePorts(a.DstPorts, b.DstPorts))
}

func comparePorts(a, b classifier.Ports) int {
	given := func(p classifier.Ports) int {
		if p.Given {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(given(a), given(b)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}
