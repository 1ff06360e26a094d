package classifier

import (
	"unsafe"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/prefetch"
)

// Look-ups of a batch take turns. In a large index each waits for memory time and again: for a page of the hash table, a slot, the roots of its cells, one node
// after the other, leaves, its value. Here each asks for what it needs next and is left alone until all the others have done so too; by then most
// of what was asked for is there.

const (
	together = 32 // look-ups that take turns
	few      = 4  // fewer keys than that are looked up one by one: there is too little to wait for meanwhile
	deferred = 16 // kids that a look-up may put off
)

// walk is one look-up under way.
type walk struct {
	p    point
	h    hit
	hash uint64 // of the address pair
	tree *tree  // that of the family; nil if there is none
	n    int
	todo [deferred]*kid // of which the last is the next: worth a visit when they were put here, and asked for
}

// LookupBatch looks up several keys, any number: values and found, which are as long, get what Lookup says of each. It is faster than as many calls of Lookup if
// the index is large, and does not allocate.
func (x *Index[V]) LookupBatch(keys []packet.Key, values []V, found []bool) {
	values, found = values[:len(keys)], found[:len(keys)]
	if len(keys) < few {
		for i := range keys {
			values[i], found[i] = x.Lookup(&keys[i])
		}
		return
	}
	var room [together]walk
	for len(keys) > 0 {
		n := min(len(keys), together)
		walks := room[:n]
		x.begin(walks, keys)
		finish(walks)
		x.read(walks, values, found)
		keys, values, found = keys[n:], values[n:], found[n:]
	}
}

// begin takes walks as far as the roots of the trees.
func (x *Index[V]) begin(walks []walk, keys []packet.Key) {
	four, six := &x.four.tree, &x.six.tree
	for i := range walks {
		w, k := &walks[i], &keys[i]
		w.p, w.h, w.tree, w.n = pointOf(k), miss, nil, 0
		switch {
		case k.Src.Is4() && k.Dst.Is4():
			w.tree = four
			x.four.approach(w, hash4(pair4Of(&w.p)))
		case k.Src.Is6() && k.Dst.Is6():
			w.tree = six
			x.six.approach(w, hash6(pair6Of(&w.p)))
		}
	}
	for i := range walks {
		switch w := &walks[i]; w.tree {
		case four:
			x.four.hosts.ask(w.hash)
		case six:
			x.six.hosts.ask(w.hash)
		}
	}
	for i := range walks {
		switch w := &walks[i]; w.tree {
		case four:
			x.four.enter(w, pair4Of(&w.p))
		case six:
			x.six.enter(w, pair6Of(&w.p))
		}
	}
}

// finish goes round the walks until none has anything to do.
func finish(walks []walk) {
	var list [together]uint8
	going := len(walks)
	for i := range walks {
		list[i] = uint8(i)
	}
	for going > 0 {
		before := list[:going]
		going = 0
		for _, i := range before {
			list[going] = i
			going += walks[i].step()
		}
	}
}

// read takes the values of what was found.
func (x *Index[V]) read(walks []walk, values []V, found []bool) {
	for i := range walks {
		if h := &walks[i].h; h.pos != none {
			prefetch.Line(unsafe.Pointer(x.values.at(h.pos)))
		}
	}
	for i := range walks {
		var v V
		h := &walks[i].h
		if found[i] = h.pos != none; found[i] {
			v = *x.values.at(h.pos)
		}
		values[i] = v
	}
}

// approach asks for the page of the hash table and for the roots of the trees.
func (f *family[K, R, P]) approach(w *walk, h uint64) {
	w.hash = h
	if f.hosts.used > 0 {
		a, b := f.hosts.page(h)
		prefetch.Line(unsafe.Pointer(&f.hosts.top[a][b]))
	}
	near := f.cells[0].root(prefixOf(&w.p, 0, f.tree.six))
	far := f.cells[1].root(prefixOf(&w.p, 1, f.tree.six))
	w.todo[0], w.todo[1], w.todo[2] = &f.tree.root, far, near
	prefetch.Line(unsafe.Pointer(far))
	prefetch.Line(unsafe.Pointer(near))
}

// ask asks for the slot of a pair.
func (t *hosts[K]) ask(h uint64) {
	if t.used == 0 {
		return
	}
	a, b := t.page(h)
	if page := t.top[a][b]; len(page) > 0 {
		prefetch.Line(unsafe.Pointer(&page[home(h, len(page))]))
	}
}

// enter looks the address pair up, and asks for what lies below the roots that are worth a visit.
func (f *family[K, R, P]) enter(w *walk, k K) {
	f.pair(w.hash, k, &w.p, &w.h)
	roots := [3]*kid(w.todo[:3])
	for _, k := range roots {
		w.todo[w.n] = k
		w.n += w.worth(k)
	}
	for _, k := range w.todo[:w.n] {
		prefetch.Lines(k.to)
	}
}

// worth is 1 if something better than what was found may be below k, else 0. That is a number because it differs from packet to packet, and a branch would be
// taken wrongly as often as not.
func (w *walk) worth(k *kid) int {
	return int(k.sieves[0]>>w.p.bin(k.by[0])&(k.sieves[1]>>w.p.bin(k.by[1]))) & bit(k.promises(&w.h))
}

// bit is 1 for true. The compiler makes no branch of it.
func bit(b bool) (n int) {
	if b {
		n = 1
	}
	return n
}

// step does what needs no memory that was not asked for before: leaves, and one node, whose kids it asks for. It follows the order of tree.find, and returns 0
// when all is done, else 1.
func (w *walk) step() int {
	for w.n > 0 {
		w.n--
		k := w.todo[w.n]
		if !k.promises(&w.h) {
			continue
		}
		if k.n > 0 {
			w.tree.scan(&w.p, k, &w.h)
			continue
		}
		if w.n > deferred-2 {
			w.tree.find(&w.p, k, &w.h) // there is no room to put two more off
			continue
		}
		n := k.node()
		side, other := &n.kids[bit(w.p[n.dim&7] >= n.at)], &n.kids[across]
		if other.best < side.best {
			side, other = other, side // the better promise first, as in find
		}
		at := w.n
		w.todo[at] = other
		at += w.worth(other)
		w.todo[at] = side
		at += w.worth(side)
		if at > w.n {
			prefetch.Both(w.todo[w.n].to, w.todo[at-1].to)
			w.n = at
			return 1
		}
	}
	return 0
}
