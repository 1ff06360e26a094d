package classifier

import (
	"cmp"
	"math"
	"slices"
	"unsafe"
)

const (
	leafRules  = 12      // rules that are as quickly compared as parted
	sampleSize = 128     // rules that a plane is judged by
	cuts       = 8       // planes that are tried in each dimension
	slab       = 1 << 14 // nodes that are allocated at once, at most: a huge page of them
)

// grower builds trees out of rules, which it sorts in place: the leaves are parts of the slice that it was given.
type grower[R comparable, P rule[R]] struct {
	nodes []node   // room for more
	slabs [][]node // all room
	depth int      // of the deepest leaf
	whole int      // rules in all
}

// newGrower returns a grower for that many rules.
func newGrower[R comparable, P rule[R]](rules int) *grower[R, P] { return &grower[R, P]{whole: rules} }

// subtree builds the tree of rules, which it keeps and reorders. in is what the planes above leave, depth their number.
func (g *grower[R, P]) subtree(rules []R, in region, depth int) (k kid) {
	g.depth = max(g.depth, depth)
	if len(rules) <= leafRules {
		return g.leaf(rules, &in)
	}
	dim, plane, nl, nr, ok := cut[R, P](rules, sampleSize)
	if !ok {
		dim, plane, nl, nr, ok = cut[R, P](rules, len(rules)) // the sample may have misled
	}
	if !ok {
		return g.stack(rules, &in)
	}
	n := g.node()
	n.at, n.dim, n.size = plane, uint8(dim), uint32(len(rules))
	below, above := in, in
	below[dim][1], above[dim][0] = plane-1, plane
	sieve[R, P](&k, rules, &in)
	n.kids[left] = g.subtree(rules[:nl], below, depth+1)
	n.kids[right] = g.subtree(rules[nl:nl+nr], above, depth+1)
	n.kids[across] = g.subtree(rules[nl+nr:], in, depth+1)
	k.refer(n)
	return k
}

// refer makes k lead to a node.
func (k *kid) refer(n *node) {
	k.to, k.n = unsafe.Pointer(n), 0
	k.best = min(n.kids[left].best, n.kids[right].best, n.kids[across].best)
}

// node returns a new node. Those of a large tree are allocated many at once.
func (g *grower[R, P]) node() *node {
	if len(g.nodes) == 0 {
		g.nodes = make([]node, min(slab, g.whole/leafRules/4+1))
		g.slabs = append(g.slabs, g.nodes)
	}
	n := &g.nodes[0]
	g.nodes = g.nodes[1:]
	return n
}

// collapse has all nodes in huge pages, if there are many.
func (g *grower[R, P]) collapse() {
	for _, s := range g.slabs {
		collapse(s)
	}
}

// leaf sorts rules and refers to them.
func (g *grower[R, P]) leaf(rules []R, in *region) kid {
	byRank[R, P](rules)
	return leafOf[R, P](rules, in)
}

func byRank[R any, P rule[R]](rules []R) {
	slices.SortFunc(rules, func(a, b R) int { return cmp.Compare(P(&a).upper().rank, P(&b).upper().rank) })
}

// leafOf refers to sorted rules, at most maxLeaf.
func leafOf[R any, P rule[R]](rules []R, in *region) (k kid) {
	if len(rules) == 0 {
		return kid{best: none}
	}
	sieve[R, P](&k, rules, in)
	k.to, k.n, k.best = unsafe.Pointer(&rules[0]), uint16(len(rules)), uint32(P(&rules[0]).upper().rank>>32)
	return k
}

// stack puts rules that no plane parts into leaves. Of equal filters only the first can ever match: the others lie across a node of their own,
// where no look-up that found the first, or was held back by a sieve, comes.
func (g *grower[R, P]) stack(rules []R, in *region) kid {
	byRank[R, P](rules)
	seen := make(map[R]bool, len(rules))
	var others []R
	firsts := rules[:0]
	for _, r := range rules {
		if b := P(&r).bare(); seen[b] {
			others = append(others, r)
		} else {
			seen[b] = true
			firsts = append(firsts, r)
		}
	}
	copy(rules[len(firsts):], others)
	k := g.atop(g.pile(firsts, in), g.pile(rules[len(firsts):], in))
	if k.n == 0 && k.to != nil {
		k.node().size = uint32(len(rules))
	}
	return k
}

// pile chains leaves of sorted rules, each as full as can be.
func (g *grower[R, P]) pile(rules []R, in *region) kid {
	k := kid{best: none}
	for len(rules) > 0 {
		from := (len(rules) - 1) / maxLeaf * maxLeaf
		k = g.atop(leafOf[R, P](rules[from:], in), k)
		rules = rules[:from]
	}
	return k
}

// atop makes a look-up go to top and, if that is of no avail, below.
func (g *grower[R, P]) atop(top, below kid) (k kid) {
	if below.to == nil {
		return top
	}
	n := g.node()
	n.kids[left].best = none
	n.kids[right], n.kids[across] = top, below // nothing is below plane 0
	k.refer(n)
	k.open()
	return k
}

// cut parts rules, as part does, by the plane that a sample of them promises the cheapest look-ups of, if there is a useful one.
func cut[R any, P rule[R]](rules []R, sample int) (dim int, plane uint64, nl, nr int, ok bool) {
	if dim, plane, ok = choose[R, P](rules, sample); !ok {
		return 0, 0, 0, 0, false
	}
	nl, nr = part[R, P](rules, dim, plane)
	return dim, plane, nl, nr, useful(nl, nr, len(rules)-nl-nr)
}

// part reorders rules: those below the plane, at or above it, across; and says how many the first two are.
func part[R any, P rule[R]](rules []R, dim int, plane uint64) (nl, nr int) {
	end := len(rules)
	for i := 0; i < end; {
		from, to := P(&rules[i]).interval(dim)
		switch {
		case to < plane:
			rules[i], rules[nl] = rules[nl], rules[i]
			nl++
			i++
		case from >= plane:
			i++
		default:
			end--
			rules[i], rules[end] = rules[end], rules[i]
		}
	}
	return nl, end - nl
}

// choose finds the plane that promises the cheapest look-ups, judged by a sample.
func choose[R any, P rule[R]](rules []R, sample int) (dim int, plane uint64, ok bool) {
	n := min(len(rules), sample)
	var few [4 * sampleSize]uint64
	room := few[:]
	if 4*n > len(room) {
		room = make([]uint64, 4*n)
	}
	from, to, edges := room[:n], room[n:2*n], room[2*n:]
	lowest := math.Inf(1)
	for d := range dims {
		es := edges[:0]
		for i := range n {
			from[i], to[i] = P(&rules[i*len(rules)/n]).interval(d)
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
			if c := judge(from, to, e); c < lowest {
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
