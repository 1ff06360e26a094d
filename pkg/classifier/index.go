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

// family is the index of one address family.
type family[P any] struct {
	pairs P
	rest  tree
}

// Build compiles entries, heaviest first: on several matches the lowest position wins. It keeps copies of the values, takes time in proportion to n log n,
// and at most 2^31 entries. Filters that are not valid match nothing.
func Build[V any](entries []Entry[V]) *Index[V] {
	x := &Index[V]{values: make([]V, len(entries))}
	var n4, n6, rest4, rest6 int
	for i := range entries {
		x.values[i] = entries[i].Value
		f := &entries[i].Filter
		switch pair, four := f.IsHostPair(), f.Src.From.Is4(); {
		case !f.IsValid():
		case pair && four:
			n4++
		case pair:
			n6++
		case four:
			rest4++
		default:
			rest6++
		}
	}
	x.four.pairs, x.six.pairs = newPairs4(n4), newPairs6(n6)
	at4, at6 := make([]uint32, 0, rest4), make([]uint32, 0, rest6)
	for i := range entries {
		f := &entries[i].Filter
		switch {
		case !f.IsValid():
		case f.IsHostPair():
			x.putPair(f, uint32(i))
		case f.Src.From.Is4():
			at4 = append(at4, uint32(i))
		default:
			at6 = append(at6, uint32(i))
		}
	}
	filter := func(pos uint32) *Filter { return &entries[pos].Filter }
	x.four.rest = grow(at4, false, filter)
	x.six.rest = grow(at6, true, filter)
	return x
}

// putPair adds a filter between two addresses.
func (x *Index[V]) putPair(f *Filter, pos uint32) {
	k := key6{pos: pos}
	k.srcHi, k.srcLo = words(f.Src.From)
	k.dstHi, k.dstLo = words(f.Dst.From)
	if f.Src.From.Is4() {
		x.four.pairs.put(uint32(k.srcLo), uint32(k.dstLo), pos)
		return
	}
	x.six.pairs.put(k)
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
	// A hash hit does not end the search: the same pair with a protocol or a port is heavier.
	switch {
	case k.Src.Is4() && k.Dst.Is4():
		best = x.four.pairs.find(uint32(p[dimSrcLo]), uint32(p[dimDstLo]))
		best = x.four.rest.first(&p, best)
	case k.Src.Is6() && k.Dst.Is6():
		best = x.six.pairs.find(&key6{srcHi: p[dimSrcHi], srcLo: p[dimSrcLo], dstHi: p[dimDstHi], dstLo: p[dimDstLo]})
		best = x.six.rest.first(&p, best)
	}
	return int(best), best != none
}

// first is find from the root.
func (t *tree) first(p *point, best uint32) uint32 {
	if t.best >= best || len(t.leaves) == 0 {
		return best
	}
	return t.find(p, t.root, best)
}

// Len is the number of entries that Build was given.
func (x *Index[V]) Len() int { return len(x.values) }

// Bytes is the memory that the index holds, without what values point to.
func (x *Index[V]) Bytes() int {
	var v V
	return len(x.values)*int(unsafe.Sizeof(v)) + len(x.four.pairs.slots)*int(unsafe.Sizeof(slot4{})) +
		len(x.six.pairs.slots)*int(unsafe.Sizeof(slot6{})) + cap(x.six.pairs.keys)*int(unsafe.Sizeof(key6{})) +
		x.four.rest.bytes() + x.six.rest.bytes()
}

func (t *tree) bytes() int {
	return cap(t.nodes)*int(unsafe.Sizeof(node{})) + cap(t.leaves)*int(unsafe.Sizeof(leaf{})) +
		cap(t.rules4)*int(unsafe.Sizeof(rule4{})) + cap(t.rules6)*int(unsafe.Sizeof(rule6{}))
}
