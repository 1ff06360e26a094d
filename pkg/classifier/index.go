package classifier

import (
	"github.com/goipsec/goipsec/pkg/packet"
)

// Entry is one filter and what it stands for.
type Entry[V any] struct {
	Filter Filter
	Value  V
}

// Index is an immutable snapshot that answers "which is the first of these entries that matches" without walking them.
// It is safe for any number of concurrent readers and a look-up does not allocate. The zero Index is empty.
//
// Insert and Delete return another Index, which shares nearly all memory with the old one. The old one stays as it was.
type Index[V any] struct {
	values  vector[V]
	free    *stack // positions that are not used
	entries int
	four    family4
	six     family6
}

// Rank says which of several entries that match wins: the one with the lowest.
type Rank uint64

// RankOf is the rank that Build gives to the entry at a position. There is room for 2^32 - 1 ranks between two of these, and before the first.
func RankOf(pos int) Rank { return Rank(rankOf(uint32(pos))) }

// Build compiles entries, heaviest first: on several matches the lowest position wins. It keeps copies of the values and takes time in proportion to n log n,
// and fewer than 2^31 entries. Filters that are not valid match nothing.
func Build[V any](entries []Entry[V]) *Index[V] {
	values := make([]V, len(entries))
	for i := range entries {
		values[i] = entries[i].Value
	}
	x := &Index[V]{values: vectorOf(values), entries: len(entries)}
	filter := func(pos uint32) *Filter { return &entries[pos].Filter }
	pairs4, pairs6, rest4, rest6 := kinds(uint32(len(entries)), filter)
	x.six.tree.six = true
	x.four.build(pairs4, rest4, filter, hash4)
	x.six.build(pairs6, rest6, filter, hash6)
	collapse(values)
	return x
}

// kinds says where each filter goes, in ascending order. A pair's reference is its position plus one.
func kinds(n uint32, filter func(pos uint32) *Filter) (pairs4 []slot[pair4], pairs6 []slot[pair6], rest4, rest6 []uint32) {
	for pos := range n {
		f := filter(pos)
		if !f.IsValid() {
			continue
		}
		four, pair := f.Src.From.Is4(), f.isPair()
		switch {
		case four && pair:
			p := f.hosts()
			pairs4 = append(pairs4, slot[pair4]{pair4Of(&p), pos + 1})
		case pair:
			p := f.hosts()
			pairs6 = append(pairs6, slot[pair6]{pair6Of(&p), pos + 1})
		case four:
			rest4 = append(rest4, pos)
		default:
			rest6 = append(rest6, pos)
		}
	}
	return pairs4, pairs6, rest4, rest6
}

// isPair reports whether f, which is valid, is between two hosts.
func (f *Filter) isPair() bool { return f.Src.From == f.Src.To && f.Dst.From == f.Dst.To }

// Insert returns an index that has the entry as well. Of several entries that match a packet the one of the lowest rank wins; of equal ranks, it is not
// said which. A filter that is not valid changes nothing. The time does not depend on how many entries there are, but for
// a logarithm; that holds for the mean of many changes.
func (x *Index[V]) Insert(e Entry[V], rank Rank) *Index[V] {
	f := &e.Filter
	if !f.IsValid() {
		return x
	}
	next := *x
	next.six.tree.six = true // the zero Index has it not
	next.entries++
	var pos uint32
	pos, next.free = x.free.take(x.values.n)
	next.values = x.values.with(pos, e.Value)
	p := f.hosts()
	switch four, pair := f.Src.From.Is4(), f.isPair(); {
	case four && pair:
		next.four = x.four.insertPair(pair4Of(&p), ruleOf[rule4](f, pos, uint64(rank)), hash4)
	case four:
		next.four = x.four.insert(ruleOf[rule4](f, pos, uint64(rank)))
	case pair:
		next.six = next.six.insertPair(pair6Of(&p), ruleOf[rule6](f, pos, uint64(rank)), hash6)
	default:
		next.six = next.six.insert(ruleOf[rule6](f, pos, uint64(rank)))
	}
	return &next
}

// Delete returns an index without the entry of a filter and rank, or x itself and false if there is none. It takes as long as Insert.
func (x *Index[V]) Delete(f Filter, rank Rank) (*Index[V], bool) {
	if !f.IsValid() {
		return x, false
	}
	next := *x
	var pos uint32
	var ok bool
	p := f.hosts()
	switch four, pair := f.Src.From.Is4(), f.isPair(); {
	case four && pair:
		next.four, pos, ok = x.four.removePair(pair4Of(&p), ruleOf[rule4](&f, 0, uint64(rank)), hash4)
	case four:
		next.four, pos, ok = x.four.remove(ruleOf[rule4](&f, 0, uint64(rank)))
	case pair:
		next.six, pos, ok = x.six.removePair(pair6Of(&p), ruleOf[rule6](&f, 0, uint64(rank)), hash6)
	default:
		next.six, pos, ok = x.six.remove(ruleOf[rule6](&f, 0, uint64(rank)))
	}
	if !ok {
		return x, false
	}
	var nothing V
	next.values = x.values.with(pos, nothing)
	next.free = &stack{pos, x.free}
	next.entries--
	return &next, true
}

// Lookup returns the value of the first entry that matches k.
func (x *Index[V]) Lookup(k *packet.Key) (v V, ok bool) {
	if h := x.find(k); h.pos != none {
		return *x.values.at(h.pos), true
	}
	return v, false
}

// Find returns the position, in what Build was given, of the first entry that matches k. Entries that were inserted have any positions that were free.
func (x *Index[V]) Find(k *packet.Key) (pos int, ok bool) {
	h := x.find(k)
	return int(h.pos), h.pos != none
}

func (x *Index[V]) find(k *packet.Key) hit {
	p := pointOf(k)
	h := miss
	switch {
	case k.Src.Is4() && k.Dst.Is4():
		pair := pair4Of(&p)
		x.four.find(&p, hash4(pair), pair, &h)
	case k.Src.Is6() && k.Dst.Is6():
		pair := pair6Of(&p)
		x.six.find(&p, hash6(pair), pair, &h)
	}
	return h
}

// Len is the number of entries.
func (x *Index[V]) Len() int { return x.entries }

// Bytes is the memory that the index holds, without what values point to. Indexes that came from each other share most of theirs.
func (x *Index[V]) Bytes() int { return x.values.bytes() + x.four.bytes() + x.six.bytes() }
