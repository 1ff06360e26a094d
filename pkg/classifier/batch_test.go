package classifier

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
)

// checkBatch holds the answers for a batch to those of single look-ups. Keys that are too few for walks that take turns come several times.
func checkBatch(t interface {
	Helper()
	Fatalf(string, ...any)
}, x *Index[int], keys []packet.Key) {
	t.Helper()
	if len(keys) == 0 {
		return
	}
	for keys = slices.Clone(keys); len(keys) < few; {
		keys = append(keys, keys...)
	}
	const stale = -77
	values, found := slices.Repeat([]int{stale}, len(keys)+1), slices.Repeat([]bool{true}, len(keys)+1)
	x.LookupBatch(keys, values, found)
	for i := range keys {
		if v, ok := x.Lookup(&keys[i]); v != values[i] || ok != found[i] {
			t.Fatalf("key %d of %d, %+v: %d %v in a batch, %d %v alone", i, len(keys), keys[i], values[i], found[i], v, ok)
		}
	}
	if values[len(keys)] != stale || !found[len(keys)] {
		t.Fatalf("a batch of %d writes behind its end", len(keys))
	}
}

// mixedKeys are keys of both families, and some of none.
func mixedKeys(rng *rand.Rand, n int) []packet.Key {
	keys := make([]packet.Key, n)
	for i := range keys {
		k := &keys[i]
		k.Src, k.Dst = randomAddr(rng, i%3 == 0), randomAddr(rng, i%3 == 0)
		k.Proto, k.DstPort, k.Flags = []uint8{6, 17}[rng.IntN(2)], uint16(rng.IntN(8)), packet.KeyFlags(rng.IntN(4))
		switch rng.IntN(16) {
		case 0:
			k.Src = netip.Addr{}
		case 1:
			k.Dst = randomAddr(rng, k.Src.Is4()) // of the other family
		}
	}
	return keys
}

// mixedFilters are filters of both families, pairs with and without ports among them.
func mixedFilters(rng *rand.Rand, n int) []Entry[int] {
	entries := make([]Entry[int], n)
	for i := range entries {
		six := i%2 == 1
		a, b := randomAddr(rng, six), randomAddr(rng, six)
		f := Filter{Src: HostRange(a), Dst: HostRange(b)}
		if i%3 > 0 {
			f.Src = RangeOf(netip.PrefixFrom(a, a.BitLen()-rng.IntN(20)))
		}
		if i%5 > 0 {
			f.Proto, f.DstPorts = 6, Port(uint16(rng.IntN(8)))
		}
		entries[i] = Entry[int]{f, i}
	}
	return entries
}

func TestBatchesOfEverySize(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	mixed := mixedFilters(rng, 600)
	four := slices.Clone(mixed)
	six := slices.Clone(mixed)
	for i := range mixed {
		if i%2 == 0 {
			six[i].Filter = Filter{}
		} else {
			four[i].Filter = Filter{}
		}
	}
	for name, x := range map[string]*Index[int]{"zero": {}, "empty": Build[int](nil), "mixed": Build(mixed), "IPv4": Build(four), "IPv6": Build(six)} {
		for _, n := range []int{1, 2, few - 1, few, together - 1, together, together + 1, 2 * together, 1000} {
			keys := mixedKeys(rng, n)
			values, found := make([]int, n), make([]bool, n)
			x.LookupBatch(keys, values, found)
			for i := range keys {
				if v, ok := x.Lookup(&keys[i]); v != values[i] || ok != found[i] {
					t.Fatalf("%s, key %d of %d, %+v: %d %v in a batch, %d %v alone", name, i, n, keys[i], values[i], found[i], v, ok)
				}
			}
		}
		x.LookupBatch(nil, nil, nil)
	}
}

// TestBatchPutsOffMoreThanThereIsRoomFor walks a tree whose better promise lies deeper at every level, so that a leaf is put off at each; the last of them has
// the only rule that matches.
func TestBatchPutsOffMoreThanThereIsRoomFor(t *testing.T) {
	const depth = 3 * deferred
	g := newGrower[rule4](depth)
	leaf := func(i int) kid {
		f := Filter{Src: AnyV4, Dst: AnyV4, Proto: 6, DstPorts: Port(uint16(i))}
		in := everywhere()
		k := leafOf[rule4]([]rule4{ruleOf[rule4](&f, uint32(i), rankOf(uint32(i)))}, &in)
		k.open() // the sieves would hold back what does not match
		return k
	}
	root := leaf(0)
	for i := 1; i <= depth; i++ {
		root = g.atop(root, leaf(i))
	}
	values := make([]int, depth+1)
	for i := range values {
		values[i] = i
	}
	x := &Index[int]{values: vectorOf(values), entries: len(values)}
	x.four.tree.root = root
	keys := make([]packet.Key, depth+2)
	for i := range keys {
		keys[i] = packet.Key{Src: num4(1), Dst: num4(2), Proto: 6, DstPort: uint16(i), Flags: packet.ProtoKnown | packet.PortsKnown}
	}
	checkBatch(t, x, keys)
	got, found := make([]int, len(keys)), make([]bool, len(keys))
	x.LookupBatch(keys, got, found)
	for i := range values {
		if !found[i] || got[i] != i {
			t.Errorf("port %d: %d %v", i, got[i], found[i])
		}
	}
	if found[depth+1] {
		t.Error("a port that no rule has is found")
	}
}

func TestBatchOfHardShapes(t *testing.T) {
	for name := range shapes {
		entries, keys := shaped(name, 5000)
		checkBatch(t, Build(entries), keys[:4000])
	}
}

func TestBatchDoesNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	x := Build(mixedFilters(rng, 600))
	keys := mixedKeys(rng, 300)
	values, found := make([]int, 300), make([]bool, 300)
	for _, n := range []int{1, 300} {
		if a := testing.AllocsPerRun(10, func() { x.LookupBatch(keys[:n], values, found) }); a != 0 {
			t.Errorf("%d keys: %v allocations", n, a)
		}
	}
}

// FuzzBatch reads keys from bytes.
func FuzzBatch(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 3))
	x := Build(mixedFilters(rng, 2000))
	for range 8 {
		b := make([]byte, 7*rng.IntN(80))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var keys []packet.Key
		for ; len(b) >= 7; b = b[7:] {
			k := packet.Key{Proto: b[3], DstPort: uint16(b[4]), SrcPort: uint16(b[5]), Flags: packet.KeyFlags(b[6])}
			addr := func(six bool, last byte) netip.Addr {
				if six {
					return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: last})
				}
				return netip.AddrFrom4([4]byte{10, 0, 0, last})
			}
			k.Src, k.Dst = addr(b[0]&1 != 0, b[1]), addr(b[0]&2 != 0, b[2])
			keys = append(keys, k)
		}
		checkBatch(t, x, keys)
	})
}
