package ikev1

import (
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// filterTable finds the filters of a policy that are negotiated. It does not change.
type filterTable struct {
	list []*policy.QuickModeFilter // heaviest first
	byID map[string]*policy.QuickModeFilter
	// first is the first of the filters that allow no selector but their own, and next, for each filter of the list, the next that equals it; none: -1.
	// A gateway of many peers has little else, and would have to look through all of them for each child.
	first map[isakmp.Selector]int32
	next  []int32
	wide  []int32 // the others, in order
}

const none = -1

func tabulate(list []*policy.QuickModeFilter) filterTable {
	t := filterTable{list: list, byID: make(map[string]*policy.QuickModeFilter, len(list)), first: map[isakmp.Selector]int32{}, next: make([]int32, len(list))}
	for i := len(list) - 1; i >= 0; i-- {
		f := list[i]
		t.next[i] = none
		if f.Action != policy.Negotiate {
			continue
		}
		t.byID[f.ID] = f
		if !narrow(f) {
			continue
		}
		if same, ok := t.first[f.Filter]; ok {
			t.next[i] = same
		}
		t.first[f.Filter] = int32(i)
	}
	for i, f := range list {
		if f.Action == policy.Negotiate && !narrow(f) {
			t.wide = append(t.wide, int32(i))
		}
	}
	return t
}

// narrow reports whether a filter allows no selector but its own: that of a tunnel to one peer, or between two hosts.
func narrow(f *policy.QuickModeFilter) bool {
	if t := f.Rule.Tunnel; t != nil {
		return t.Remote.IsValid()
	}
	return f.Filter.Src.IsHost() && f.Filter.Dst.IsHost()
}

// find returns the heaviest filter that ok accepts, of those that may allow sel; nil if there is none.
func (t *filterTable) find(sel isakmp.Selector, ok func(*policy.QuickModeFilter) bool) *policy.QuickModeFilter {
	own, found := t.first[sel]
	if !found {
		own = none
	}
	for wide := t.wide; own != none || len(wide) > 0; {
		var i int32
		if own != none && (len(wide) == 0 || own < wide[0]) {
			i, own = own, t.next[own]
		} else {
			i, wide = wide[0], wide[1:]
		}
		if f := t.list[i]; ok(f) {
			return f
		}
	}
	return nil
}
