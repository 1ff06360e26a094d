package classifier

import (
	"math"
	"slices"
)

const (
	leafRules  = 8   // rules that are as quickly compared as split
	sampleSize = 128 // rules that a split is judged by
	cuts       = 8   // planes that are tried in each dimension
)

// interval is what a filter takes of one dimension. The low word of an address counts only where the high words are equal: else it is any.
func (f *Filter) interval(dim int) (from, to uint64) {
	switch dim {
	case dimSrcHi, dimSrcLo:
		return f.Src.interval(dim - dimSrcHi)
	case dimDstHi, dimDstLo:
		return f.Dst.interval(dim - dimDstHi)
	case dimSrcPort:
		return f.SrcPorts.interval()
	case dimDstPort:
		return f.DstPorts.interval()
	}
	if f.Proto != 0 {
		return uint64(f.Proto), uint64(f.Proto)
	}
	return 0, noProto
}

func (p Ports) interval() (from, to uint64) {
	if p.Given {
		return uint64(p.From), uint64(p.To)
	}
	return 0, noPort
}

func (r Range) interval(word int) (from, to uint64) {
	fromHi, fromLo := words(r.From)
	toHi, toLo := words(r.To)
	switch {
	case word == 0:
		return fromHi, toHi
	case fromHi == toHi:
		return fromLo, toLo
	}
	return 0, math.MaxUint64
}

// grower builds one tree. It moves positions only, so that building takes little more memory than the tree.
type grower struct {
	t      tree
	filter func(pos uint32) *Filter
}

// grow builds the tree of the filters at some positions, which it reorders.
func grow(at []uint32, six bool, filter func(pos uint32) *Filter) tree {
	g := grower{filter: filter}
	g.t.six = six
	g.t.reserve(0, len(at))
	g.t.root, g.t.best = g.subtree(at, make([]uint32, len(at)))
	g.t.nodes, g.t.leaves = slices.Clip(slices.Clone(g.t.nodes)), slices.Clip(slices.Clone(g.t.leaves))
	return g.t
}

// subtree builds the tree of the filters at some positions and returns its reference and best position. spare is as long as at.
func (g *grower) subtree(at, spare []uint32) (ref int32, best uint32) {
	if len(at) <= leafRules {
		return g.leaf(at)
	}
	dim, plane, ok := g.choose(at)
	if !ok {
		return g.leaf(at)
	}
	nl, nr := g.part(at, spare, dim, plane)
	if !useful(nl, nr, len(at)-nl-nr) {
		return g.leaf(at) // the sample misled
	}
	i := len(g.t.nodes)
	g.t.nodes = append(g.t.nodes, node{})
	n := node{at: plane, dim: uint8(dim)}
	n.left, n.bestLeft = g.subtree(at[:nl], spare[:nl])
	n.right, n.bestRight = g.subtree(at[nl:nl+nr], spare[nl:nl+nr])
	n.across, n.top = g.subtree(at[nl+nr:], spare[nl+nr:])
	g.t.nodes[i] = n
	return int32(i), min(n.bestLeft, n.bestRight, n.top)
}

// part reorders positions: of filters below the plane, at or above it, across; and says how many the first two are.
func (g *grower) part(at, spare []uint32, dim int, plane uint64) (nl, nr int) {
	across := 0
	for _, pos := range at {
		from, to := g.filter(pos).interval(dim)
		switch {
		case to < plane:
			at[nl] = pos // never ahead of the reading
			nl++
		case from >= plane:
			spare[nr] = pos
			nr++
		default:
			across++
			spare[len(spare)-across] = pos
		}
	}
	copy(at[nl:], spare[:nr])
	copy(at[nl+nr:], spare[len(spare)-across:])
	return nl, nr
}

// leaf appends the rules of the filters at some positions, lowest position first. Of equal filters only the first can ever match.
func (g *grower) leaf(at []uint32) (ref int32, best uint32) {
	best = none
	slices.Sort(at)
	kept := at
	if len(at) > leafRules {
		seen := make(map[Filter]bool, len(at))
		kept = at[:0]
		for _, pos := range at {
			if f := g.filter(pos); !seen[*f] {
				seen[*f] = true
				kept = append(kept, pos)
			}
		}
	}
	if len(kept) > 0 {
		best = kept[0]
	}
	g.t.addLeaf(kept, g.filter)
	return leafRef(len(g.t.leaves) - 1), best
}

// addLeaf appends a leaf with the rules of the filters at some positions, lowest first.
func (t *tree) addLeaf(at []uint32, filter func(pos uint32) *Filter) {
	from := len(t.rules4) + len(t.rules6)
	for _, pos := range at {
		t.addRule(filter(pos), pos)
	}
	t.leaves = append(t.leaves, leaf{uint32(from), uint32(from + len(at))})
}

// addRule appends one filter in the form of its family.
func (t *tree) addRule(f *Filter, pos uint32) {
	l := limitsOf(f, pos)
	if t.six {
		r := rule6{limits: l}
		r.srcFrom[0], r.srcFrom[1] = words(f.Src.From)
		r.srcTo[0], r.srcTo[1] = words(f.Src.To)
		r.dstFrom[0], r.dstFrom[1] = words(f.Dst.From)
		r.dstTo[0], r.dstTo[1] = words(f.Dst.To)
		t.rules6 = append(t.rules6, r)
		return
	}
	_, srcSpan := f.Src.span()
	_, dstSpan := f.Dst.span()
	p := f.hosts()
	t.rules4 = append(t.rules4, rule4{uint32(p[dimSrcLo]), uint32(srcSpan), uint32(p[dimDstLo]), uint32(dstSpan), l})
}

// choose finds the plane that promises the cheapest look-ups, judged by a sample.
func (g *grower) choose(at []uint32) (dim int, plane uint64, ok bool) {
	n := min(len(at), sampleSize)
	var from, to [sampleSize]uint64
	var edges [2 * sampleSize]uint64
	lowest := math.Inf(1)
	for d := range dims {
		es := edges[:0]
		for i := range n {
			from[i], to[i] = g.filter(at[i*len(at)/n]).interval(d)
			if from[i] > 0 {
				es = append(es, from[i])
			}
			if to[i] < math.MaxUint64 {
				es = append(es, to[i]+1)
			}
		}
		slices.Sort(es)
		es = slices.Compact(es)
		tries := min(cuts, len(es))
		for i := range tries {
			e := es[(2*i+1)*len(es)/(2*tries)]
			if c := judge(from[:n], to[:n], e); c < lowest {
				dim, plane, lowest, ok = d, e, c, true
			}
		}
	}
	return dim, plane, ok
}

// judge is the cost of a plane, or infinite.
func judge(from, to []uint64, plane uint64) float64 {
	nl, nr := 0, 0
	for i := range from {
		if to[i] < plane {
			nl++
		} else if from[i] >= plane {
			nr++
		}
	}
	if across := len(from) - nl - nr; useful(nl, nr, across) {
		return cost(nl, nr, across)
	}
	return math.Inf(1)
}

// useful reports whether a plane leaves at most 31 of 32 filters in one part. Less progress would make the tree deep, and then
// the filters overlap each other so much that walking them by position is no worse.
func useful(nl, nr, across int) bool {
	n := nl + nr + across
	return max(nl, nr, across) < n-n/32
}

// cost is what a look-up may take behind a useful plane. A subtree of n rules is reckoned at the square root of n, between the logarithm of the best and
// the n of the worst; of the sides the look-up sees one, more often the larger; what lies across it always sees.
func cost(nl, nr, across int) float64 {
	l, r, c := float64(nl), float64(nr), float64(across)
	return (l*math.Sqrt(l)+r*math.Sqrt(r))/(l+r) + math.Sqrt(c)
}
