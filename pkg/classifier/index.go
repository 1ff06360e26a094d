package classifier

import (
	"unsafe"

	"github.com/goipsec/goipsec/pkg/packet"
)

// Entry is one filter and what it stands for.
type Entry[V any] struct {
	Filter Filter
	Value  V
}

// Index is an immutable snapshot that answers "which is the first of these entries that matches" without walking them.
// It is safe for any number of concurrent readers and a look-up does not allocate. The zero Index is empty.
type Index[V any] struct {
	values []V
	four   family[pairs4]
	six    family[pairs6]
}

// family is the index of one address family; P is its pair map.
type family[P any] struct {
	pairs   P    // host pairs, no protocol or port: position
	groupAt P    // host pairs with one: leaf of groups
	groups  tree // leaves only
	rest    tree
}

// Build compiles entries, heaviest first: on several matches the lowest position wins. It keeps copies of the values and takes time in proportion to n log n,
// and at most 2^31 entries. Filters that are not valid match nothing.
func Build[V any](entries []Entry[V]) *Index[V] {
	x := &Index[V]{values: make([]V, len(entries))}
	for i := range entries {
		x.values[i] = entries[i].Value
	}
	filter := func(pos uint32) *Filter { return &entries[pos].Filter }
	four, six := kinds(uint32(len(entries)), filter)
	x.four.pairs = *index(four, filter, newPairs4, &x.four.groupAt, &x.four.groups, &x.four.rest)
	x.six.groups.six, x.six.rest.six = true, true
	x.six.pairs = *index(six, filter, newPairs6, &x.six.groupAt, &x.six.groups, &x.six.rest)
	return x
}

// sorted holds the positions of one family's filters by where they go, in ascending order.
type sorted struct{ pairs, groups, rest []uint32 }

// kinds says where each filter goes.
func kinds(n uint32, filter func(pos uint32) *Filter) (four, six sorted) {
	for pos := range n {
		f := filter(pos)
		if !f.IsValid() {
			continue
		}
		s := &six
		if f.Src.From.Is4() {
			s = &four
		}
		switch {
		case f.IsHostPair():
			s.pairs = append(s.pairs, pos)
		case f.Src.IsHost() && f.Dst.IsHost():
			s.groups = append(s.groups, pos)
		default:
			s.rest = append(s.rest, pos)
		}
	}
	return four, six
}

// index builds one family and returns its pair map.
func index[P any, M interface {
	*P
	pairMap
}](s sorted, filter func(pos uint32) *Filter, empty func(n int) P, groupAt *P, groups, rest *tree) M {
	one := func(n int) pairMap {
		m := empty(n)
		return M(&m)
	}
	pairs := one(len(s.pairs))
	for _, pos := range s.pairs {
		p := filter(pos).hosts()
		pairs.put(&p, pos)
	}
	m, left := group(s.groups, filter, one, groups)
	*groupAt = *m.(M)
	*rest = grow(append(left, s.rest...), rest.six, filter)
	return pairs.(M)
}

// Lookup returns the value of the first entry that matches k.
func (x *Index[V]) Lookup(k *packet.Key) (v V, ok bool) {
	if pos, ok := x.Find(k); ok {
		return x.values[pos], true
	}
	return v, false
}

// Find returns the position, in what Build was given, of the first entry that matches k.
func (x *Index[V]) Find(k *packet.Key) (pos int, ok bool) {
	p := pointOf(k)
	best := none
	switch {
	case k.Src.Is4() && k.Dst.Is4():
		best = x.four.pairs.find(&p)
		if x.four.groups.promises(best) {
			best = x.four.groups.leafOf(x.four.groupAt.find(&p), &p, best)
		}
		best = x.four.rest.first(&p, best)
	case k.Src.Is6() && k.Dst.Is6():
		best = x.six.pairs.find(&p)
		if x.six.groups.promises(best) {
			best = x.six.groups.leafOf(x.six.groupAt.find(&p), &p, best)
		}
		best = x.six.rest.first(&p, best)
	}
	return int(best), best != none
}

// promises reports whether something better than best may be in t. A hash hit does not end the search: the same pair with a protocol or a port is heavier.
func (t *tree) promises(best uint32) bool { return t.best < best && len(t.leaves) > 0 }

// leafOf looks through the leaf of that number, if there is one.
func (t *tree) leafOf(number uint32, p *point, best uint32) uint32 {
	if number == none {
		return best
	}
	return t.scan(t.leaves[number], p, best)
}

// first is find from the root.
func (t *tree) first(p *point, best uint32) uint32 {
	if !t.promises(best) {
		return best
	}
	return t.find(p, t.root, best)
}

// Len is the number of entries that Build was given.
func (x *Index[V]) Len() int { return len(x.values) }

// Bytes is the memory that the index holds, without what values point to.
func (x *Index[V]) Bytes() int {
	var v V
	return len(x.values)*int(unsafe.Sizeof(v)) + x.four.pairs.bytes() + x.four.groupAt.bytes() + x.four.groups.bytes() + x.four.rest.bytes() +
		x.six.pairs.bytes() + x.six.groupAt.bytes() + x.six.groups.bytes() + x.six.rest.bytes()
}

func (p *pairs4) bytes() int { return len(p.slots) * int(unsafe.Sizeof(slot4{})) }

func (p *pairs6) bytes() int {
	return len(p.slots)*int(unsafe.Sizeof(slot6{})) + cap(p.keys)*int(unsafe.Sizeof(key6{}))
}

func (t *tree) bytes() int {
	return cap(t.nodes)*int(unsafe.Sizeof(node{})) + cap(t.leaves)*int(unsafe.Sizeof(leaf{})) +
		cap(t.rules4)*int(unsafe.Sizeof(rule4{})) + cap(t.rules6)*int(unsafe.Sizeof(rule6{}))
}
