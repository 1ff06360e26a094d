package classifier

import (
	"cmp"
	"math"
	"slices"
)

const (
	leafRules  = 8   // rules that are as quickly compared as split
	sampleSize = 128 // rules that a split is judged by
	cuts       = 8   // planes that are tried in each dimension
)

// box is a filter as intervals of every dimension, for the time of building. The low word of an address is cut only where
// the high words are equal: else it is taken for any.
type box struct {
	from, to [dims]uint64
	pos      uint32
}

// boxOf converts a filter.
func boxOf(f *Filter, pos uint32) (b box) {
	b.pos = pos
	b.address(dimSrcHi, f.Src)
	b.address(dimDstHi, f.Dst)
	l := limitsOf(f, pos)
	for i, d := range [3][2]uint32{{l.proto, l.protoSpan}, {l.srcPort, l.srcSpan}, {l.dstPort, l.dstSpan}} {
		b.from[dimProto+i], b.to[dimProto+i] = uint64(d[0]), uint64(d[0])+uint64(d[1])
	}
	return b
}

func (b *box) address(dim int, r Range) {
	b.from[dim], b.from[dim+1] = words(r.From)
	b.to[dim], b.to[dim+1] = words(r.To)
	if b.from[dim] != b.to[dim] {
		b.from[dim+1], b.to[dim+1] = 0, math.MaxUint64
	}
}

// grower builds one tree.
type grower struct {
	t       tree
	boxes   []box
	entries func(pos uint32) *Filter
	spare   []box
}

// grow builds the tree of some boxes, which it reorders. filter gives the filter at a position.
func grow(boxes []box, six bool, filter func(pos uint32) *Filter) tree {
	g := grower{boxes: boxes, entries: filter, spare: make([]box, len(boxes))}
	g.t.six = six
	g.t.root, g.t.best = g.subtree(boxes, g.spare)
	return g.t
}

// subtree builds the tree of boxes and returns its reference and best position. spare is as long as boxes.
func (g *grower) subtree(boxes, spare []box) (ref int32, best uint32) {
	if len(boxes) <= leafRules {
		return g.leaf(boxes)
	}
	dim, at, ok := choose(boxes)
	if !ok {
		return g.leaf(boxes)
	}
	nl, nr := part(boxes, spare, dim, at)
	// A plane that leaves nearly all on one side would only make the tree deep; the sample may have misled.
	if max(nl, nr, len(boxes)-nl-nr) > len(boxes)-len(boxes)/32-1 {
		return g.leaf(boxes)
	}
	i := len(g.t.nodes)
	g.t.nodes = append(g.t.nodes, node{at: at, dim: uint8(dim)})
	n := node{at: at, dim: uint8(dim)}
	n.left, n.bestLeft = g.subtree(boxes[:nl], spare[:nl])
	n.right, n.bestRight = g.subtree(boxes[nl:nl+nr], spare[nl:nl+nr])
	n.across, n.top = g.subtree(boxes[nl+nr:], spare[nl+nr:])
	g.t.nodes[i] = n
	return int32(i), min(n.bestLeft, n.bestRight, n.top)
}

// part reorders boxes: below the plane, at or above it, across; and says how many the first two are.
func part(boxes, spare []box, dim int, at uint64) (nl, nr int) {
	for i := range boxes {
		if boxes[i].to[dim] < at {
			nl++
		} else if boxes[i].from[dim] >= at {
			nr++
		}
	}
	l, r, c := 0, nl, nl+nr
	for i := range boxes {
		switch b := &boxes[i]; {
		case b.to[dim] < at:
			spare[l] = *b
			l++
		case b.from[dim] >= at:
			spare[r] = *b
			r++
		default:
			spare[c] = *b
			c++
		}
	}
	copy(boxes, spare)
	return nl, nr
}

// leaf appends the rules of boxes, lowest position first.
func (g *grower) leaf(boxes []box) (ref int32, best uint32) {
	if len(boxes) == 0 {
		best = none
	} else {
		slices.SortFunc(boxes, func(a, b box) int { return cmp.Compare(a.pos, b.pos) })
		best = boxes[0].pos
	}
	from := len(g.t.rules4) + len(g.t.rules6)
	for i := range boxes {
		g.rule(g.entries(boxes[i].pos), boxes[i].pos)
	}
	g.t.leaves = append(g.t.leaves, leaf{uint32(from), uint32(from + len(boxes))})
	return leafRef(len(g.t.leaves) - 1), best
}

// rule appends one filter in the form of its family.
func (g *grower) rule(f *Filter, pos uint32) {
	l := limitsOf(f, pos)
	if !g.t.six {
		_, src := words(f.Src.From)
		_, srcTo := words(f.Src.To)
		_, dst := words(f.Dst.From)
		_, dstTo := words(f.Dst.To)
		g.t.rules4 = append(g.t.rules4, rule4{uint32(src), uint32(srcTo - src), uint32(dst), uint32(dstTo - dst), l})
		return
	}
	r := rule6{limits: l}
	r.srcFrom[0], r.srcFrom[1] = words(f.Src.From)
	r.srcTo[0], r.srcTo[1] = words(f.Src.To)
	r.dstFrom[0], r.dstFrom[1] = words(f.Dst.From)
	r.dstTo[0], r.dstTo[1] = words(f.Dst.To)
	g.t.rules6 = append(g.t.rules6, r)
}

// choose finds the plane that promises the cheapest look-ups, judged by a sample.
func choose(boxes []box) (dim int, at uint64, ok bool) {
	var sample [sampleSize]*box
	n := min(len(boxes), sampleSize)
	for i := range n {
		sample[i] = &boxes[i*len(boxes)/n]
	}
	lowest := cost(0, 0, n)
	var edges [2 * sampleSize]uint64
	for d := range dims {
		es := edges[:0]
		for _, b := range sample[:n] {
			if b.from[d] > 0 {
				es = append(es, b.from[d])
			}
			if b.to[d] < math.MaxUint64 {
				es = append(es, b.to[d]+1)
			}
		}
		slices.Sort(es)
		es = slices.Compact(es)
		for i := range min(cuts, len(es)) {
			e := es[(2*i+1)*len(es)/(2*min(cuts, len(es)))]
			if c := judge(sample[:n], d, e); c < lowest {
				dim, at, lowest, ok = d, e, c, true
			}
		}
	}
	return dim, at, ok
}

// judge is the cost of a plane.
func judge(sample []*box, dim int, at uint64) float64 {
	nl, nr := 0, 0
	for _, b := range sample {
		if b.to[dim] < at {
			nl++
		} else if b.from[dim] >= at {
			nr++
		}
	}
	return cost(nl, nr, len(sample)-nl-nr)
}

// cost is what a look-up may take behind a plane. A subtree of n rules is reckoned at the square root of n, between the logarithm of the best and
// the n of the worst; of the sides the look-up sees one, more often the larger; what lies across it always sees.
func cost(nl, nr, across int) float64 {
	l, r, c := float64(nl), float64(nr), float64(across)
	sides := l + r
	if sides == 0 {
		return math.Sqrt(c)
	}
	return (l*math.Sqrt(l)+r*math.Sqrt(r))/sides + math.Sqrt(c)
}
