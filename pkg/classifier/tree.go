package classifier

// Filters that are not address pairs lie in a tree of planes. A node cuts one dimension at a value: filters wholly below it go left, those wholly
// at or above it go right, and those that span it go across. Each filter is in one leaf only, so that the tree is as large as its
// filters, whatever their shape. A look-up goes left or right, and across; it skips every subtree whose best position is
// no better than what it has found. Filters that are "any" in one dimension all go across the planes of that dimension and are parted
// by another: the tree sorts filters by shape, which tuple tables do by their masks, and ranges cost no more than prefixes.

// node is a plane. Children are node numbers, or leaves if negative (see leafRef); best is the lowest position in each child.
type node struct {
	at                       uint64
	left, right, across      int32
	bestLeft, bestRight, top uint32 // top: of across
	dim                      uint8
}

// tree holds the filters of one family. Rules of a leaf lie side by side, lowest position first.
type tree struct {
	nodes  []node
	leaves []leaf
	rules4 []rule4
	rules6 []rule6
	root   int32
	best   uint32
	six    bool
}

// leaf is a run of rules.
type leaf struct{ from, to uint32 }

// leafRef is how a child names a leaf.
func leafRef(i int) int32 { return -1 - int32(i) }

// limits are the protocol and port part of a filter: a value passes if value - from <= span.
type limits struct {
	srcPort, srcSpan, dstPort, dstSpan uint32
	proto, protoSpan                   uint32
	pos                                uint32
}

// rule4 and rule6 are filters in the form in which they are compared, with the position of their entry.
type rule4 struct {
	src, srcSpan, dst, dstSpan uint32
	limits
}

type rule6 struct {
	srcFrom, srcTo, dstFrom, dstTo [2]uint64
	limits
}

// limitsOf converts what a filter says beside addresses. Any takes the number that stands for unreadable, too.
func limitsOf(f *Filter, pos uint32) limits {
	l := limits{srcSpan: noPort, dstSpan: noPort, protoSpan: noProto, pos: pos}
	if f.Proto != 0 {
		l.proto, l.protoSpan = uint32(f.Proto), 0
	}
	if f.SrcPorts.Given {
		l.srcPort, l.srcSpan = uint32(f.SrcPorts.From), uint32(f.SrcPorts.To-f.SrcPorts.From)
	}
	if f.DstPorts.Given {
		l.dstPort, l.dstSpan = uint32(f.DstPorts.From), uint32(f.DstPorts.To-f.DstPorts.From)
	}
	return l
}

func (l *limits) match(p *point) bool {
	return uint32(p[dimDstPort])-l.dstPort <= l.dstSpan && uint32(p[dimSrcPort])-l.srcPort <= l.srcSpan && uint32(p[dimProto])-l.proto <= l.protoSpan
}

func (r *rule4) match(p *point) bool {
	return uint32(p[dimSrcLo])-r.src <= r.srcSpan && uint32(p[dimDstLo])-r.dst <= r.dstSpan && r.limits.match(p)
}

func (r *rule6) match(p *point) bool {
	return within(p[dimSrcHi], p[dimSrcLo], &r.srcFrom, &r.srcTo) && within(p[dimDstHi], p[dimDstLo], &r.dstFrom, &r.dstTo) && r.limits.match(p)
}

// within compares numbers of 128 bits.
func within(hi, lo uint64, from, to *[2]uint64) bool {
	if hi < from[0] || hi == from[0] && lo < from[1] {
		return false
	}
	return hi < to[0] || hi == to[0] && lo <= to[1]
}

// find returns the lowest position under ref that matches, if it is lower than best, and else best.
func (t *tree) find(p *point, ref int32, best uint32) uint32 {
	for ref >= 0 {
		n := &t.nodes[ref]
		side, sideBest := n.left, n.bestLeft
		if p[n.dim] >= n.at {
			side, sideBest = n.right, n.bestRight
		}
		other, otherBest := n.across, n.top
		if otherBest < sideBest {
			// The better promise first: what it finds may spare the other.
			side, sideBest, other, otherBest = other, otherBest, side, sideBest
		}
		if sideBest >= best {
			return best
		}
		if otherBest >= best {
			ref = side
			continue
		}
		if best = t.find(p, side, best); otherBest >= best {
			return best
		}
		ref = other
	}
	return t.scan(t.leaves[-1-ref], p, best)
}

// scan looks through one leaf.
func (t *tree) scan(l leaf, p *point, best uint32) uint32 {
	if t.six {
		return scan6(t.rules6[l.from:l.to], p, best)
	}
	return scan4(t.rules4[l.from:l.to], p, best)
}

func scan4(rules []rule4, p *point, best uint32) uint32 {
	for i := range rules {
		if rules[i].pos >= best {
			break
		}
		if rules[i].match(p) {
			return rules[i].pos
		}
	}
	return best
}

func scan6(rules []rule6, p *point, best uint32) uint32 {
	for i := range rules {
		if rules[i].pos >= best {
			break
		}
		if rules[i].match(p) {
			return rules[i].pos
		}
	}
	return best
}
