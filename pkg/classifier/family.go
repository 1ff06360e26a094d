package classifier

import (
	"slices"
	"unsafe"
)

// family is the index of one address family: K is its address pair, R its rule.
//
// A pair of hosts leads to the filters between them. Nearly always it is one with no protocol or port, whose position says all there is to know. Else
// they are a group: a leaf, of at most maxGroup rules. What is more than that lies in the tree.
type family[K comparable, R comparable, P rule[R]] struct {
	hosts  hosts[K]
	groups vector[group[R]]
	free   *stack   // groups that are not used
	cells  [2]cells // of filters whose destination is narrow, and of others whose source is
	tree   tree     // of what is left: wide on both sides
}

type (
	family4 = family[pair4, rule4, *rule4]
	family6 = family[pair6, rule6, *rule6]
)

// group is a run of rules in ascending rank.
type group[R any] struct {
	first *R
	n     uint16
}

func groupOf[R any](rules []R) (g group[R]) {
	if len(rules) > 0 {
		g = group[R]{&rules[0], uint16(len(rules))}
	}
	return g
}

// leaf is the group as a leaf. Its sieves are not set.
func (g *group[R]) leaf() kid { return kid{to: unsafe.Pointer(g.first), n: g.n} }

// maxGroup is how many filters of one address pair are walked rather than put into the tree.
const maxGroup = 16

// A reference of hosts is either the position of a filter plus one, or the number of a group, doubled; the lowest bit tells which.
func alone(pos uint32) uint32 { return (pos + 1) << 1 }

func grouped(n uint32) uint32 { return n<<1 | 1 }

// rankOf is the rank that Build gives a position. The lower half is for filters that are inserted between two of these.
func rankOf(pos uint32) uint64 { return uint64(pos+1) << 32 }

// find looks through all filters of the family. The memory that the three tables wait for is asked for at once.
func (f *family[K, R, P]) find(p *point, h uint64, k K, best *hit) {
	near := f.cells[0].root(prefixOf(p, 0, f.tree.six))
	far := f.cells[1].root(prefixOf(p, 1, f.tree.six))
	f.pair(h, k, p, best)
	f.tree.first(p, near, best)
	f.tree.first(p, far, best)
	f.tree.first(p, &f.tree.root, best)
}

// pair looks through the filters between two hosts.
func (f *family[K, R, P]) pair(h uint64, k K, p *point, best *hit) {
	ref := f.hosts.find(h, k)
	if ref&1 == 1 {
		leaf := f.groups.at(ref >> 1).leaf()
		f.tree.scan(p, &leaf, best)
	} else if ref != 0 {
		best.pos = ref>>1 - 1
		best.rank = rankOf(best.pos)
	}
}

// build makes the family of filters: between two hosts, in ascending order, and others.
func (f *family[K, R, P]) build(pairs []slot[K], rest []uint32, filter func(pos uint32) *Filter, hash func(K) uint64) {
	b := familyBuilder[K, R, P]{filter: filter, hash: hash}
	b.pairs(f, pairs)
	rules := make([]R, 0, len(rest)+len(b.rest))
	for _, list := range [][]uint32{rest, b.rest} {
		for _, pos := range list {
			rules = append(rules, ruleOf[R, P](filter(pos), pos, rankOf(pos)))
		}
	}
	all := rules
	g := newGrower[R, P](len(rules))
	for side := range f.cells {
		f.cells[side], rules = buildCells(g, rules, side)
	}
	f.tree.root = g.subtree(rules, everywhere(), 0)
	f.tree.depth = g.depth
	g.collapse()
	collapse(all)
}

// change gives the tree that a rule belongs to another root.
func (f family[K, R, P]) change(r *R, to func(root kid) kid) family[K, R, P] {
	for side := range f.cells {
		c := &f.cells[side]
		if prefix, ok := P(r).cell(side); ok && c.roots.n > 0 {
			n := c.number(prefix)
			c.roots = c.roots.with(n, to(*c.roots.at(n)))
			return f
		}
	}
	f.tree.root = to(f.tree.root)
	return f
}

// insert adds a filter to the trees.
func (f family[K, R, P]) insert(r R) family[K, R, P] {
	return f.change(&r, func(root kid) kid { return insert[R, P](root, r, f.tree.depth) })
}

// remove takes a filter out of the trees, and says which position it had.
func (f family[K, R, P]) remove(r R) (next family[K, R, P], pos uint32, ok bool) {
	next = f.change(&r, func(root kid) kid {
		root, found := remove[R, P](root, r)
		if found != nil {
			pos, ok = found.pos, true
		}
		return root
	})
	return next, pos, ok
}

// familyBuilder is what building needs for a while.
type familyBuilder[K comparable, R comparable, P rule[R]] struct {
	filter func(pos uint32) *Filter
	hash   func(K) uint64
	next   map[uint32]uint32 // from a filter to the one before it of the same pair
	groups []group[R]
	slab   []R      // room for rules of groups
	rest   []uint32 // filters of pairs that have too many
}

// pairs builds the table. Pages are filled one after the other, so that all but the reading of the list stays in the caches.
func (b *familyBuilder[K, R, P]) pairs(f *family[K, R, P], list []slot[K]) {
	var parts [][]slot[K]
	f.hosts, parts = newHosts(list, b.hash)
	b.next = map[uint32]uint32{}
	long := unsafe.Sizeof(slot[K]{}) > 16
	room := 0
	for _, part := range parts {
		room += pageSlots(len(part), long)
	}
	all := make([]slot[K], room)
	whole := all
	for i, part := range parts {
		n := pageSlots(len(part), long)
		page := all[:n:n]
		all = all[n:]
		for _, s := range part {
			at := place(page, b.hash(s.key), s.key)
			if at.ref != 0 {
				b.next[s.ref] = at.ref
			}
			*at = s
		}
		for j := range page {
			if page[j].ref != 0 {
				f.hosts.used++
				page[j].ref = b.settle(page[j].ref)
			}
		}
		f.hosts.top[i>>hostBits][i&(hostLen-1)] = page
	}
	f.groups = vectorOf(b.groups)
	collapse(whole)
}

// settle makes the filters of one pair, of which one and the rest of its chain are named by position plus one, into a reference.
func (b *familyBuilder[K, R, P]) settle(last uint32) uint32 {
	n := 1
	for at, ok := b.next[last]; ok; at, ok = b.next[at] {
		n++
	}
	if n == 1 && b.filter(last-1).upperless() {
		return alone(last - 1)
	}
	rules := b.room(n)
	for at, ok := last, true; ok; at, ok = b.next[at] {
		if n > maxGroup {
			b.rest = append(b.rest, at-1)
			continue
		}
		rules = append(rules, ruleOf[R, P](b.filter(at-1), at-1, rankOf(at-1)))
	}
	slices.Reverse(rules)
	b.groups = append(b.groups, groupOf(rules))
	return grouped(uint32(len(b.groups) - 1))
}

// room returns room for n rules, or for none where they make no group.
func (b *familyBuilder[K, R, P]) room(n int) []R {
	if n > maxGroup {
		return nil
	}
	if len(b.slab) < n {
		b.slab = make([]R, 16*maxGroup)
	}
	rules := b.slab[:0:n]
	b.slab = b.slab[n:]
	return rules
}

// upperless reports whether f names neither protocol nor ports.
func (f *Filter) upperless() bool { return f.Proto == 0 && !f.SrcPorts.Given && !f.DstPorts.Given }

// insertPair adds a filter between two hosts.
func (f family[K, R, P]) insertPair(k K, r R, hash func(K) uint64) family[K, R, P] {
	ref := f.hosts.find(hash(k), k)
	var rules []R
	switch {
	case ref&1 == 1:
		if rules = f.groupRules(ref); len(rules) >= maxGroup {
			return f.insert(r)
		}
	case ref != 0:
		pos := ref>>1 - 1
		only := P(&r).bare()
		*P(&only).upper() = limits{srcSpan: noPort - 1, dstSpan: noPort - 1, pos: pos, rank: rankOf(pos)}
		rules = []R{only}
	}
	g := groupOf(with[R, P](rules, r))
	if ref&1 == 1 {
		f.groups = f.groups.with(ref>>1, g)
		return f
	}
	var n uint32
	n, f.free = f.free.take(f.groups.n)
	f.groups = f.groups.with(n, g)
	f.hosts = f.hosts.with(slot[K]{k, grouped(n)}, hash)
	return f
}

// groupRules are the rules of a group that a reference of hosts names.
func (f *family[K, R, P]) groupRules(ref uint32) []R {
	g := f.groups.at(ref >> 1)
	return unsafe.Slice(g.first, g.n)
}

// removePair takes a filter between two hosts away and says which position it had.
func (f family[K, R, P]) removePair(k K, r R, hash func(K) uint64) (family[K, R, P], uint32, bool) {
	l := P(&r).upper()
	ref := f.hosts.find(hash(k), k)
	if ref != 0 && ref&1 == 0 {
		pos := ref>>1 - 1
		if l.rank != rankOf(pos) || l.proto != 0 || l.ported != 0 {
			return f, 0, false
		}
		f.hosts = f.hosts.with(slot[K]{key: k}, hash)
		return f, pos, true
	}
	if ref != 0 {
		if rules, found := without[R, P](f.groupRules(ref), r); found != nil {
			f.groups = f.groups.with(ref>>1, groupOf(rules))
			if len(rules) == 0 {
				f.hosts = f.hosts.with(slot[K]{key: k}, hash)
				f.free = &stack{ref >> 1, f.free}
			}
			return f, found.pos, true
		}
	}
	return f.remove(r)
}

// bytes is the memory that the family holds.
func (f *family[K, R, P]) bytes() int {
	n := f.hosts.bytes() + f.cells[0].bytes(&f.tree) + f.cells[1].bytes(&f.tree)
	n += f.groups.bytes()
	for i := range f.groups.n {
		n += int(f.groups.at(uint32(i)).n) * f.tree.ruleSize()
	}
	return n + f.tree.bytes(&f.tree.root)
}

// bytes is the memory of the pages.
func (t *hosts[K]) bytes() (n int) {
	for _, mid := range t.top {
		n += len(mid) * int(unsafe.Sizeof([]slot[K]{}))
		for _, page := range mid {
			n += len(page) * int(unsafe.Sizeof(slot[K]{}))
		}
	}
	return n
}

// bytes is the memory of the pages and of the lists that lead to them.
func (v *vector[T]) bytes() int {
	var x T
	pages := (v.n + pageLen - 1) / pageLen
	return pages*pageLen*int(unsafe.Sizeof(x)) + len(v.top)*pageLen*int(unsafe.Sizeof(&x))
}
