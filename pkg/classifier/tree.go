package classifier

import "unsafe"

// Filters that are not address pairs lie in a tree of planes. A node cuts one dimension at a value: filters wholly below it go left, those wholly
// at or above it go right, and those that span it go across. Each filter is in one leaf only, so that the tree is as large as its
// filters, whatever their shape. A look-up goes left or right, and across; it skips every subtree whose best rank is
// no better than what it has found. Filters that are "any" in one dimension all go across the planes of that dimension and are parted
// by another: the tree sorts filters by shape, which tuple tables do by their masks, and ranges cost no more than prefixes.
//
// In a large tree most of the time goes into waiting for the memory of leaves in which nothing matches. Two sieves (see sieve.go), which lie
// beside the reference to a leaf, spare most of these visits.
//
// Nodes and rules that a tree has once held never change: a change copies the nodes on its way (see edit.go).

// node is a plane.
type node struct {
	kids          [3]kid
	at            uint64
	size, changes uint32 // filters when it grew, and changes since
	dim           uint8
	_             [8]byte // to two cache lines of 64 bytes; what is allocated in this size lies at the beginning of one
}

// The kids of a node.
const (
	left = iota
	right
	across
)

// kid refers to a node or, if n is not 0, to a leaf of n rules in ascending rank. The zero kid holds nothing: its sieves let nothing through.
type kid struct {
	to     unsafe.Pointer // *node, or the first rule of a leaf: *rule4, *rule6
	sieves [2]uint64
	best   uint32 // the upper half of the lowest rank below
	n      uint16
	by     [2]uint8 // what each sieve looks at
}

// maxLeaf is the most that n can count. More rules than that, which nothing parts, are chained by nodes that part by rank.
const maxLeaf = 1<<16 - 1

// tree holds the filters of one family.
type tree struct {
	root  kid
	depth int // when it grew
	six   bool
}

func (k *kid) node() *node { return (*node)(k.to) }

// rulesOf are the rules of a leaf.
func rulesOf[R any](k *kid) []R { return unsafe.Slice((*R)(k.to), k.n) }

// promises reports whether something better than h may be below k.
func (k *kid) promises(h *hit) bool { return k.best <= uint32(h.rank>>32) }

// find looks below k for what is better than h.
func (t *tree) find(p *point, k *kid, h *hit) {
	for k.n == 0 {
		n := k.node()
		if n == nil {
			return
		}
		side, other := &n.kids[left], &n.kids[across]
		if p[n.dim&7] >= n.at {
			side = &n.kids[right]
		}
		if other.best < side.best {
			// The better promise first: what it finds may spare the other.
			side, other = other, side
		}
		if !side.promises(h) {
			return
		}
		if !other.promises(h) || !other.passes(p) {
			if !side.passes(p) {
				return
			}
			k = side
			continue
		}
		if side.passes(p) {
			t.find(p, side, h)
			if !other.promises(h) {
				return
			}
		}
		k = other
	}
	t.scan(p, k, h)
}

// scan looks through one leaf.
func (t *tree) scan(p *point, k *kid, h *hit) {
	if t.six {
		scan6(rulesOf[rule6](k), p, h)
	} else {
		scan4(rulesOf[rule4](k), p, h)
	}
}

// first looks through a whole tree.
func (t *tree) first(p *point, root *kid, h *hit) {
	if root.promises(h) && root.passes(p) {
		t.find(p, root, h)
	}
}

// bytes is the memory of what lies below k.
func (t *tree) bytes(k *kid) int {
	if k.n > 0 {
		return int(k.n) * t.ruleSize()
	}
	n := k.node()
	if n == nil {
		return 0
	}
	return int(unsafe.Sizeof(*n)) + t.bytes(&n.kids[left]) + t.bytes(&n.kids[right]) + t.bytes(&n.kids[across])
}

func (t *tree) ruleSize() int {
	if t.six {
		return int(unsafe.Sizeof(rule6{}))
	}
	return int(unsafe.Sizeof(rule4{}))
}
