package classifier

import (
	"cmp"
	"math/bits"
	"slices"
)

// The upper planes of a large tree would do little but look for the neighbourhood of a packet, and again across each of them. So filters whose
// destination lies in one prefix of 16 bits (IPv6: 48) are dealt out by a hash of that prefix, to a tree each. Others whose
// source lies in one are dealt out by that. Only what is wide on both sides lies in one tree.
//
// Prefixes with the same hash share a tree, which parts them as it parts all else.

const (
	cellShift = 16 // bits of the upper word of an address that are not of its prefix: 32 - 16, and 64 - 48
	cellBits  = 16 // of the hash, at most
	cellRules = 8  // rules a cell, about, if they are spread evenly
)

// cells are the roots of trees: one, or a power of two. None has no cells, and nothing is put there.
type cells struct {
	roots vector[kid]
	shift uint8 // of the hash
}

func newCells(rules int) (c cells, n int) {
	bits := min(bits.Len(uint(rules/cellRules)), cellBits)
	return cells{shift: uint8(64 - bits)}, 1 << bits
}

// prefixOf is the prefix of a packet, on a side as in rule.cell.
func prefixOf(p *point, side int, six bool) uint64 {
	dim := dimDstHi - side*(dimDstHi-dimSrcHi)
	if !six {
		dim++ // the low word
	}
	return p[dim&7] >> cellShift
}

// number is the cell of a prefix.
func (c *cells) number(prefix uint64) uint32 {
	return uint32(mix(prefix, 0x2545f4914f6cdd1d) >> c.shift)
}

// root is the tree of a prefix.
func (c *cells) root(prefix uint64) *kid {
	if c.roots.n == 0 {
		return &empty
	}
	return c.roots.at(c.number(prefix))
}

// empty is the tree of nothing.
var empty = kid{best: none}

// buildCells grows the trees of those rules, sorted to the front, that lie in one prefix on a side, and keeps them. It returns the others.
func buildCells[R comparable, P rule[R]](g *grower[R, P], rules []R, side int) (cells, []R) {
	n := 0
	for i := range rules {
		if _, ok := P(&rules[i]).cell(side); ok {
			rules[i], rules[n] = rules[n], rules[i]
			n++
		}
	}
	if n == 0 {
		return cells{}, rules
	}
	c, count := newCells(n)
	near, others := rules[:n:n], rules[n:]
	number := func(r *R) uint32 {
		prefix, _ := P(r).cell(side)
		return c.number(prefix)
	}
	slices.SortFunc(near, func(a, b R) int { return cmp.Compare(number(&a), number(&b)) })
	roots := make([]kid, count)
	for i := range roots {
		n := 0
		for n < len(near) && number(&near[n]) == uint32(i) {
			n++
		}
		roots[i] = g.subtree(near[:n:n], everywhere(), 0)
		near = near[n:]
	}
	collapse(roots)
	c.roots = vectorOf(roots)
	return c, others
}

// bytes is the memory of the roots and the trees.
func (c *cells) bytes(t *tree) int {
	n := c.roots.bytes()
	for i := range c.roots.n {
		n += t.bytes(c.roots.at(uint32(i)))
	}
	return n
}
