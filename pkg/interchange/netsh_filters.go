package interchange

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// listShape says of a filter list what some rules cannot take as it stands, and how much room it takes on paper.
type listShape struct {
	mirrored, groupCast bool
	size                int // in filters; long descriptions count as several
}

// shape looks at a list, once for all rules.
func (d *netshDraft) shape(l *netshList) listShape {
	s, ok := d.shapes[l]
	if !ok {
		s.size = len(l.description) / 100
		for i := range l.filters {
			f := &l.filters[i]
			s.mirrored = s.mirrored || f.Mirrored
			s.groupCast = s.groupCast || isGroupCast(&f.GenericFilter)
			s.size += 1 + len(f.description)/100
		}
		d.shapes[l] = s
	}
	return s
}

// filters fills in the rule's filters: by the name of their list, where several rules share it as it stands, or one by one.
func (d *netshDraft) filters(r *netshRule, x *ruleDraft) bool {
	s := d.shape(r.list)
	changed := x.Action.Kind == policy.Negotiate && s.groupCast || x.Tunnel != nil && s.mirrored
	shared := !changed && d.uses[r.list] > 1 && r.active
	if shared && d.lists[r.list] != nil {
		x.list = d.lists[r.list]
		return true
	}
	if !d.room(s.size) {
		return false
	}
	own := d.ownFilters(r, x)
	switch {
	case len(own) == 0:
		d.lost(r.line, "the rule %s is left out: its filter list %s has no filter", quote(r.name), quote(r.list.name))
		return false
	case !shared:
		x.filters = own
		if r.list.description != "" {
			x.comment = append(x.comment, r.list.description)
		}
		return true
	}
	l := &listDraft{name: d.listNames.take(label(r.list.name, "filters")), filters: own}
	if r.list.description != "" {
		l.comment = []string{r.list.description}
	}
	d.lists[r.list], x.list = l, l
	d.draft.lists = append(d.draft.lists, l)
	return true
}

// ownFilters makes the filters of a rule of those of its list.
func (d *netshDraft) ownFilters(r *netshRule, x *ruleDraft) []filterDraft {
	var own []filterDraft
	for _, f := range r.list.filters {
		g := filterDraft{GenericFilter: f.GenericFilter, comment: f.description}
		if x.Action.Kind == policy.Negotiate && isGroupCast(&g.GenericFilter) {
			d.lost(f.line, "the rule %s protects multicast or broadcast, for which there is no one peer: the filter is left out", quote(r.name))
			continue
		}
		if x.Tunnel != nil && g.Mirrored {
			d.lost(f.line, "the rule %s is a tunnel, whose filters are for one direction: mirrored=yes is left out", quote(r.name))
			g.Mirrored = false
		}
		own = append(own, g)
	}
	return own
}

// isGroupCast reports whether a side of a filter is multicast or broadcast alone.
func isGroupCast(f *policy.GenericFilter) bool {
	for _, a := range []classifier.Range{f.Src.Range, f.Dst.Range} {
		if a.IsValid() && (a.From.IsMulticast() && a.To.IsMulticast() || a == classifier.HostRange(netip.AddrFrom4([4]byte{255, 255, 255, 255}))) {
			return true
		}
	}
	return false
}
