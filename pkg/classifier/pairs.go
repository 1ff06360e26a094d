package classifier

import (
	"math/bits"
	"slices"
)

// The filters from one address to one address lie in a hash table: a look-up touches one or two cache lines whether there are ten
// filters or ten million. The table is cut into pages by the upper bits of the hash; within a page addressing is open, by the lower bits. A change
// copies one page and the two lists that lead to it, which are small enough to stay in the caches.

const (
	hostBits = 7
	hostLen  = 1 << hostBits // pages in a list, and pairs in a page, at most
)

// hosts maps address pairs, K, to what Index keeps of them: a number that is not zero.
type hosts[K comparable] struct {
	top  [][][]slot[K]
	bits uint8 // of the hash, that say which page
	used int
}

// slot is one pair; ref 0 is free. Every page has more slots than pairs.
type slot[K comparable] struct {
	key K
	ref uint32
}

type (
	pair4 = [2]uint32
	pair6 = [4]uint64
)

func pair4Of(p *point) pair4 { return pair4{uint32(p[dimSrcLo]), uint32(p[dimDstLo])} }

func pair6Of(p *point) pair6 { return pair6(p[:dimProto]) }

// mix hashes two words: the folded product of wyhash, with odd constants. Packets cannot lengthen a chain, for only entries
// occupy slots, and those come from the host's own policy.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1342543de82ef95)
	return hi ^ lo
}

func hash4(k pair4) uint64 {
	return mix(uint64(k[0])<<32|uint64(k[1]), 0x2545f4914f6cdd1d)
}

func hash6(k pair6) uint64 {
	return mix(mix(k[0], k[3])+bits.RotateLeft64(mix(k[1], k[2]), 32), 0x2545f4914f6cdd1d)
}

// home is where in a page of n slots a hash begins to look.
func home(h uint64, n int) int { return int(uint64(uint32(h)) * uint64(n) >> 32) }

// page says where the page of a hash is.
func (t *hosts[K]) page(h uint64) (a, b int) {
	n := h >> (64 - t.bits)
	return int(n >> hostBits), int(n & (hostLen - 1))
}

// find returns what a pair maps to, or 0.
func (t *hosts[K]) find(h uint64, k K) uint32 {
	if t.used == 0 {
		return 0
	}
	a, b := t.page(h)
	page := t.top[a][b]
	if len(page) == 0 {
		return 0
	}
	for i := home(h, len(page)); ; {
		if s := &page[i]; s.ref == 0 || s.key == k {
			return s.ref
		}
		if i++; i == len(page) {
			i = 0
		}
	}
}

// place returns the slot in a page that has the key, or a free one.
func place[K comparable](page []slot[K], h uint64, k K) *slot[K] {
	for i := home(h, len(page)); ; {
		if s := &page[i]; s.ref == 0 || s.key == k {
			return s
		}
		if i++; i == len(page) {
			i = 0
		}
	}
}

// pageSlots is how many slots a page of n pairs has. Long keys make slots dear.
func pageSlots(n int, long bool) int {
	if long {
		return n + n/2 + 1
	}
	return 2*n + n/8 + 1
}

// pagesFor is how many bits of the hash say the page, of n pairs in all: a page has 64 to 128 of them.
func pagesFor(n int) uint8 { return uint8(max(bits.Len(uint(n))-hostBits, 0)) }

// with returns a table with s, which takes the place of what has its key. Where its reference is 0 nothing does.
func (t hosts[K]) with(s slot[K], hash func(K) uint64) hosts[K] {
	if t.used >= 4*hostLen<<t.bits {
		t = t.spread(hash)
	}
	a, b := t.page(hash(s.key))
	t.top = slices.Clone(t.top)
	if len(t.top) == 0 {
		t.top = [][][]slot[K]{make([][]slot[K], 1)}
	}
	mid := slices.Clone(t.top[a])
	before := 0
	list := make([]slot[K], 0, len(mid[b])+1)
	for _, old := range mid[b] {
		if old.ref == 0 {
			continue
		}
		before++
		if old.key != s.key {
			list = append(list, old)
		}
	}
	if s.ref != 0 {
		list = append(list, s)
	}
	t.used += len(list) - before
	mid[b] = fillPage(make([]slot[K], roomy(len(mid[b]), len(list))), list, hash)
	t.top[a] = mid
	return t
}

// roomy is how many slots a page of so many gets for n pairs.
func roomy(slots, n int) int {
	if n < slots*3/4 && n > slots/8 {
		return slots
	}
	return 2*n + 2
}

func fillPage[K comparable](page, list []slot[K], hash func(K) uint64) []slot[K] {
	for _, s := range list {
		*place(page, hash(s.key), s.key) = s
	}
	return page
}

// spread returns the same table with as many pages as its pairs ask for.
func (t hosts[K]) spread(hash func(K) uint64) hosts[K] {
	list := make([]slot[K], 0, t.used)
	for _, mid := range t.top {
		for _, page := range mid {
			for _, s := range page {
				if s.ref != 0 {
					list = append(list, s)
				}
			}
		}
	}
	next, parts := newHosts(list, hash)
	for i, part := range parts {
		next.top[i>>hostBits][i&(hostLen-1)] = fillPage(make([]slot[K], 2*len(part)+1), part, hash)
	}
	next.used = len(list)
	return next
}

// newHosts returns an empty table with pages for a list of slots, and the list, parted by page.
func newHosts[K comparable](list []slot[K], hash func(K) uint64) (t hosts[K], parts [][]slot[K]) {
	t.bits = pagesFor(len(list))
	pages := 1 << t.bits
	for left := pages; left > 0; left -= hostLen {
		t.top = append(t.top, make([][]slot[K], min(left, hostLen)))
	}
	counts := make([]uint32, pages+1)
	for i := range list {
		counts[hash(list[i].key)>>(64-t.bits)+1]++
	}
	for i := range pages {
		counts[i+1] += counts[i]
	}
	sorted := make([]slot[K], len(list))
	next := slices.Clone(counts)
	for i := range list {
		n := &next[hash(list[i].key)>>(64-t.bits)]
		sorted[*n] = list[i]
		*n++
	}
	parts = make([][]slot[K], pages)
	for i := range parts {
		parts[i] = sorted[counts[i]:counts[i+1]]
	}
	return t, parts
}

// IsHostPair reports whether f is from one address to one address with no protocol or port.
func (f *Filter) IsHostPair() bool {
	return f.Proto == 0 && !f.SrcPorts.Given && !f.DstPorts.Given && f.Src.IsHost() && f.Dst.IsHost()
}
