package classifier

// maxGroup is how many filters of one address pair are walked rather than put into the tree.
const maxGroup = 16

// pairMap is what both families' maps can do, for the time of building.
type pairMap interface {
	put(at *point, pos uint32)
	find(at *point) uint32
}

// group gathers filters between two hosts that name a protocol or ports: those of one pair become one leaf of t, lowest position first, which m refers to by
// number. It returns the positions that are left for the tree of planes, because a pair has too many filters to walk. at is in ascending order.
func group(at []uint32, filter func(pos uint32) *Filter, empty func(n int) pairMap, t *tree) (m pairMap, rest []uint32) {
	t.best = none
	all := empty(len(at))
	numbers := make([]uint32, len(at)) // which pair a filter belongs to
	var counts []uint32
	for i, pos := range at {
		p := filter(pos).hosts()
		n := all.find(&p)
		if n == none {
			n = uint32(len(counts))
			all.put(&p, n)
			counts = append(counts, 0)
		}
		numbers[i] = n
		counts[n]++
	}
	small, rules := 0, 0
	for _, n := range counts {
		if n <= maxGroup {
			small++
			rules += int(n)
		}
	}
	m = empty(small)
	t.reserve(small, rules)
	ordered, starts := ranked(at, numbers, counts)
	for n, count := range counts {
		run := ordered[starts[n] : starts[n]+count]
		if count > maxGroup {
			rest = append(rest, run...)
			continue
		}
		p := filter(run[0]).hosts()
		m.put(&p, uint32(len(t.leaves)))
		t.addLeaf(run, filter)
		t.best = min(t.best, run[0])
	}
	return m, rest
}

// reserve makes room for leaves and rules.
func (t *tree) reserve(leaves, rules int) {
	t.leaves = make([]leaf, 0, leaves)
	if t.six {
		t.rules6 = make([]rule6, 0, rules)
	} else {
		t.rules4 = make([]rule4, 0, rules)
	}
}

// ranked orders positions by their pair's number, each pair's in their old order, and says where each pair's begin.
func ranked(at, numbers, counts []uint32) (ordered, starts []uint32) {
	starts = make([]uint32, len(counts)+1)
	for n, count := range counts {
		starts[n+1] = starts[n] + count
	}
	ordered = make([]uint32, len(at))
	next := append([]uint32(nil), starts...)
	for i, pos := range at {
		n := numbers[i]
		ordered[next[n]] = pos
		next[n]++
	}
	return ordered, starts
}
