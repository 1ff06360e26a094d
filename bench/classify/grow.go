package classify

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Grow makes n different filters that look like those given, in the order of their weights; values count from zero. Ports, protocols and prefix lengths
// are those of a filter that is drawn at random. Its IPv4 addresses are moved by one of a number of permutations that keep common
// prefixes: two filters moved by the same one nest, touch and part as the given ones do, so that the result is many worlds with the structure of
// the given one, laid over each other. There are as many worlds as it takes for n. Filters of IPv6 are drawn only once.
func Grow(given []classifier.Entry[int], n int, rng *rand.Rand) ([]classifier.Entry[int], error) {
	if len(given) == 0 {
		return nil, errors.New("no filters to grow from")
	}
	worlds := (n + len(given) - 1) / len(given)
	keys := make([]uint64, worlds)
	for i := range keys {
		keys[i] = rng.Uint64()
	}
	seen := make(map[classifier.Filter]bool, n)
	entries := make([]classifier.Entry[int], 0, n)
	for misses := 0; len(entries) < n; {
		f := given[rng.IntN(len(given))].Filter
		key := keys[rng.IntN(len(keys))]
		f.Src, f.Dst = move(f.Src, key), move(f.Dst, key)
		if !seen[f] {
			seen[f] = true
			entries = append(entries, classifier.Entry[int]{Filter: f, Value: len(entries)})
			continue
		}
		if misses++; misses > 4*n {
			return nil, errors.New("the given filters are too few or too wide to grow that many from")
		}
		if misses%(len(given)/2+1) == 0 {
			keys = append(keys, rng.Uint64()) // these worlds are nearly full
		}
	}
	classifier.Sort(entries, nil)
	for i := range entries {
		entries[i].Value = i
	}
	return entries, nil
}

// move applies the permutation of a key to a prefix.
func move(r classifier.Range, key uint64) classifier.Range {
	p, ok := r.Prefix()
	if !ok || !p.Addr().Is4() {
		return r
	}
	b := p.Addr().As4()
	n := binary.BigEndian.Uint32(b[:])
	out := uint32(0)
	for i := range p.Bits() {
		// Whether a bit is turned depends on the bits before it: so addresses part where they parted before.
		hi, lo := bits.Mul64(key^uint64(i)<<56^uint64(n>>(32-i))*0x9e3779b97f4a7c15, 0xd1342543de82ef95)
		turn := uint32(hi^lo) >> 7 & 1
		out |= (n>>(31-i)&1 ^ turn) << (31 - i)
	}
	binary.BigEndian.PutUint32(b[:], out)
	return classifier.RangeOf(netip.PrefixFrom(netip.AddrFrom4(b), p.Bits()))
}
