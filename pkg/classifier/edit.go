package classifier

import (
	"math/bits"
	"slices"
	"unsafe"
)

// Changes of a tree copy the nodes between its root and the leaf that they reach, and that leaf; all else is shared between the old tree and the new.
//
// A leaf that grows is parted like one of a new tree. Trees that grow at one place only would become deep: where a leaf lies far deeper than
// any when the tree was built, the largest subtree above it that has changed by half is grown anew. Those changes pay for it.

const (
	fullLeaf = 2 * leafRules // rules at which a leaf is parted
	slack    = 24            // depth that a tree may gain
)

// editor changes one tree. A change either adds a rule or removes one.
type editor[R comparable, P rule[R]] struct {
	r     R
	limit int     // depth that no leaf should pass
	found *limits // what was removed
	deep  bool    // a leaf passed it
	top   int     // depth of the uppermost node that has changed by half, or -1
}

// insert returns the tree below root with one rule more. depth is that of the tree when it was built.
func insert[R comparable, P rule[R]](root kid, r R, depth int) kid {
	e := editor[R, P]{r: r, limit: depth + slack, top: -1}
	if root.n == 0 && root.to != nil {
		n := root.node()
		e.limit = max(e.limit, 2*bits.Len32(n.size+n.changes)+slack)
	}
	return e.add(root, everywhere(), 0)
}

// remove returns the tree below root without the rule of the same filter and rank as r, and what the rule stood for; nil if there is none.
func remove[R comparable, P rule[R]](root kid, r R) (kid, *limits) {
	e := editor[R, P]{r: r}
	if rest, ok := e.cut(root); ok {
		return rest, e.found
	}
	return root, nil
}

// side is where a plane puts a rule, and what it leaves of a region there.
func side[R any, P rule[R]](n *node, r *R, in region) (int, region) {
	from, to := P(r).interval(int(n.dim))
	switch {
	case to < n.at:
		in[n.dim][1] = n.at - 1
		return left, in
	case from >= n.at:
		in[n.dim][0] = n.at
		return right, in
	}
	return across, in
}

// add returns k with the rule.
func (e *editor[R, P]) add(k kid, in region, depth int) kid {
	if k.to == nil || k.n > 0 {
		return e.addToLeaf(k, &in, depth)
	}
	n := *k.node()
	n.changes++
	if e.top < 0 && n.changes > n.size/2 {
		e.top = depth
	}
	at, below := side[R, P](&n, &e.r, in)
	n.kids[at] = e.add(n.kids[at], below, depth+1)
	if e.deep && e.top == depth {
		return regrow[R, P](gather(&n, make([]R, 0, n.size+n.changes)), &in)
	}
	k.refer(&n)
	widen[R, P](&k, &e.r)
	return k
}

// addToLeaf parts a leaf that becomes full. One that could not be parted is tried again when it has grown by a quarter.
func (e *editor[R, P]) addToLeaf(k kid, in *region, depth int) kid {
	rules := with[R, P](rulesOf[R](&k), e.r)
	n := len(rules)
	if n >= fullLeaf && n%max(fullLeaf/2, n/4) == 0 || n > maxLeaf {
		e.deep = depth > e.limit
		return regrow[R, P](rules, in)
	}
	if k.n == 0 {
		return leafOf[R, P](rules, in)
	}
	k.to, k.n = unsafe.Pointer(&rules[0]), uint16(n)
	k.best = uint32(P(&rules[0]).upper().rank >> 32)
	widen[R, P](&k, &e.r)
	return k
}

// with returns rules in ascending rank with another one.
func with[R any, P rule[R]](rules []R, r R) []R {
	at := 0
	for at < len(rules) && P(&rules[at]).upper().rank < P(&r).upper().rank {
		at++
	}
	more := make([]R, len(rules)+1)
	copy(more, rules[:at])
	more[at] = r
	copy(more[at+1:], rules[at:])
	return more
}

func regrow[R comparable, P rule[R]](rules []R, in *region) kid {
	g := newGrower[R, P](len(rules))
	return g.subtree(rules, *in, 0)
}

// gather appends all rules below n.
func gather[R any](n *node, rules []R) []R {
	for i := range n.kids {
		switch k := &n.kids[i]; {
		case k.n > 0:
			rules = append(rules, rulesOf[R](k)...)
		case k.to != nil:
			rules = gather(k.node(), rules)
		}
	}
	return rules
}

// cut returns k without the rule.
func (e *editor[R, P]) cut(k kid) (kid, bool) {
	if k.to == nil || k.n > 0 {
		return e.cutFromLeaf(k)
	}
	n := *k.node()
	at, _ := side[R, P](&n, &e.r, region{})
	kept, ok := e.cut(n.kids[at])
	if !ok && at != across {
		at = across // equal filters lie there
		kept, ok = e.cut(n.kids[at])
	}
	if !ok {
		return k, false
	}
	n.kids[at] = kept
	n.changes++
	if n.kids[left].to == nil && n.kids[right].to == nil && n.kids[across].to == nil {
		return kid{best: none}, true
	}
	k.refer(&n)
	return k, true
}

func (e *editor[R, P]) cutFromLeaf(k kid) (kid, bool) {
	rules, found := without[R, P](rulesOf[R](&k), e.r)
	if found == nil {
		return k, false
	}
	e.found = found
	if len(rules) == 0 {
		return kid{best: none}, true
	}
	k.to, k.n = unsafe.Pointer(&rules[0]), uint16(len(rules))
	k.best = uint32(P(&rules[0]).upper().rank >> 32)
	return k, true
}

// without returns rules less the one of the same filter and rank as r, and what it stood for: nil if it is not among them.
func without[R comparable, P rule[R]](rules []R, r R) ([]R, *limits) {
	rank, bare := P(&r).upper().rank, P(&r).bare()
	for i := range rules {
		if l := P(&rules[i]).upper(); l.rank == rank && P(&rules[i]).bare() == bare {
			return slices.Concat(rules[:i], rules[i+1:]), l
		}
	}
	return rules, nil
}
