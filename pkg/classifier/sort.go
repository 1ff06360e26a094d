package classifier

import (
	"cmp"
	"slices"
)

// Sort puts entries heaviest first, as Build wants them. Entries of equal weight are ordered by tie (negative: a first),
// and where that is nil or says 0 they keep their order.
func Sort[V any](entries []Entry[V], tie func(a, b *V) int) {
	type item struct {
		w  weight
		at int
	}
	items := make([]item, len(entries))
	for i := range entries {
		items[i] = item{entries[i].Filter.weigh(), i}
	}
	slices.SortFunc(items, func(a, b item) int {
		if c := b.w.compare(&a.w); c != 0 {
			return c
		}
		if tie != nil {
			if c := tie(&entries[a.at].Value, &entries[b.at].Value); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.at, b.at)
	})
	sorted := make([]Entry[V], len(entries))
	for i := range items {
		sorted[i] = entries[items[i].at]
	}
	copy(entries, sorted)
}
