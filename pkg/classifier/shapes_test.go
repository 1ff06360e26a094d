package classifier

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
)

// shapes are sets of filters that trees and tuple tables find hard.
var shapes = map[string]func(rng *rand.Rand, i, n int) Filter{
	"pair and port": func(rng *rand.Rand, i, n int) Filter {
		return Filter{Src: HostRange(num4(rng.Uint32())), Dst: HostRange(num4(rng.Uint32())), Proto: 6, DstPorts: Port(uint16(rng.IntN(1024)))}
	},
	"any to host": func(rng *rand.Rand, i, n int) Filter {
		return Filter{Src: AnyV4, Dst: HostRange(num4(rng.Uint32()))}
	},
	"pair with many ports": func(rng *rand.Rand, i, n int) Filter {
		return Filter{Src: HostRange(num4(uint32(i / 100))), Dst: HostRange(num4(1)), Proto: 6, DstPorts: Port(uint16(i))}
	},
	"half wild": func(rng *rand.Rand, i, n int) Filter {
		f := Filter{Src: AnyV4, Dst: HostRange(num4(rng.Uint32()))}
		if i%2 == 0 {
			f = f.Mirror()
		}
		return f
	},
	"nested ranges": func(rng *rand.Rand, i, n int) Filter {
		return Filter{Src: Range{num4(uint32(n - i)), num4(uint32(n + i))}, Dst: AnyV4}
	},
	"random ranges": func(rng *rand.Rand, i, n int) Filter {
		r := func() Range {
			a, b := rng.Uint32(), rng.Uint32()
			return Range{num4(min(a, b)), num4(max(a, b))}
		}
		return Filter{Src: r(), Dst: r()}
	},
	"one host's ports": func(rng *rand.Rand, i, n int) Filter {
		return Filter{Src: AnyV4, Dst: HostRange(num4(uint32(i >> 16))), Proto: 6, DstPorts: Port(uint16(i))}
	},
	"subnets6": func(rng *rand.Rand, i, n int) Filter {
		b := [16]byte{0x20, 1}
		binary.BigEndian.PutUint32(b[4:], rng.Uint32())
		return Filter{Src: AnyV6, Dst: RangeOf(netip.PrefixFrom(netip.AddrFrom16(b), 48+rng.IntN(17)))}
	},
	"hosts6 of one subnet": func(rng *rand.Rand, i, n int) Filter {
		b := [16]byte{0x20, 1}
		binary.BigEndian.PutUint64(b[8:], rng.Uint64())
		return Filter{Src: AnyV6, Dst: HostRange(netip.AddrFrom16(b))}
	},
}

func num4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func shaped(name string, n int) ([]Entry[int], []packet.Key) {
	rng := rand.New(rand.NewPCG(3, 3))
	entries := make([]Entry[int], n)
	for i := range entries {
		entries[i] = Entry[int]{shapes[name](rng, i, n), i}
	}
	Sort(entries, nil)
	keys := make([]packet.Key, 1<<12)
	for i := range keys {
		keys[i] = traceKey(rng, &entries[rng.IntN(n)].Filter)
		if i%4 == 0 && keys[i].Src.Is4() {
			keys[i].Src, keys[i].Dst = num4(rng.Uint32()), num4(rng.Uint32())
		}
	}
	return entries, keys
}

// work is how many nodes and rules find looks at: the same walk with a counter.
func (t *tree) work(p *point, k *kid, h *hit) int {
	if !k.promises(h) || !k.passes(p) {
		return 0
	}
	if k.n > 0 {
		t.scan(p, k, h)
		return int(k.n)
	}
	n := k.node()
	if n == nil {
		return 0
	}
	side, other := &n.kids[left], &n.kids[across]
	if p[n.dim] >= n.at {
		side = &n.kids[right]
	}
	if other.best < side.best {
		side, other = other, side
	}
	return 1 + t.work(p, side, h) + t.work(p, other, h)
}

// work is that of all trees.
func (f *family[K, R, P]) work(p *point, h *hit) (n int) {
	for side := range f.cells {
		n += f.tree.work(p, f.cells[side].root(prefixOf(p, side, f.tree.six)), h)
	}
	return n + f.tree.work(p, &f.tree.root, h)
}

// census counts what a tree is made of.
type census struct{ nodes, leaves, rules, largest, depth int }

func (f *family[K, R, P]) census() (c census) {
	var walk func(k *kid, depth int)
	walk = func(k *kid, depth int) {
		c.depth = max(c.depth, depth)
		if k.n > 0 {
			c.leaves++
			c.rules += int(k.n)
			c.largest = max(c.largest, int(k.n))
		} else if n := k.node(); n != nil {
			c.nodes++
			for i := range n.kids {
				walk(&n.kids[i], depth+1)
			}
		}
	}
	walk(&f.tree.root, 0)
	for side := range f.cells {
		for i := range f.cells[side].roots.n {
			walk(f.cells[side].roots.at(uint32(i)), 0)
		}
	}
	return c
}

func TestHardShapesEqualTruthInSublinearWork(t *testing.T) {
	for name := range shapes {
		t.Run(name, func(t *testing.T) {
			const n = 5000
			entries, keys := shaped(name, n)
			x := Build(entries)
			checkAgainstTruth(t, x, entries, keys[:400])
			total := 0
			for i := range keys {
				p, h := pointOf(&keys[i]), miss
				count := 0
				if keys[i].Src.Is4() {
					f := x.four
					f.tree.root, f.cells = kid{}, [2]cells{}
					f.find(&p, hash4(pair4Of(&p)), pair4Of(&p), &h)
					count = x.four.work(&p, &h)
				} else {
					f := x.six
					f.tree.root, f.cells = kid{}, [2]cells{}
					f.find(&p, hash6(pair6Of(&p)), pair6Of(&p), &h)
					count = x.six.work(&p, &h)
				}
				if got, ok := x.Find(&keys[i]); ok != (h.pos != none) || ok && got != int(h.pos) {
					t.Fatalf("the counted walk finds %d, Find %d", h.pos, got)
				}
				total += count
			}
			mean := total / len(keys)
			t.Logf("%d nodes and rules a look-up", mean)
			if mean > n/20 {
				t.Errorf("a look-up among %d filters looks at %d nodes and rules", n, mean)
			}
			if nodes := x.four.census().nodes + x.six.census().nodes; nodes > n {
				t.Errorf("%d nodes for %d filters", nodes, n)
			}
		})
	}
}

// TestSampleThatMisleads has filters of which every one that planes are judged by is of one kind, and nearly all others of another: the plane that parts
// the sample parts no more than the sample, and the others must not end in one leaf for that.
func TestSampleThatMisleads(t *testing.T) {
	const each = 64
	entries := make([]Entry[int], each*sampleSize)
	for i := range entries {
		f := Filter{Src: AnyV4, Dst: AnyV4, Proto: 6, DstPorts: Port(uint16(i))}
		if i%each == 0 {
			f = Filter{Src: AnyV4, Dst: RangeOf(netip.PrefixFrom(num4(uint32(i/each)<<17), 15))}
		}
		entries[i] = Entry[int]{f, i}
	}
	x := Build(entries)
	if c := x.four.census(); c.largest > leafRules {
		t.Errorf("a leaf has %d rules", c.largest)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	keys := make([]packet.Key, 500)
	for i := range keys {
		keys[i] = traceKey(rng, &entries[rng.IntN(len(entries))].Filter)
	}
	checkAgainstTruth(t, x, entries, keys)
}

// TestEqualFiltersAreWalkedOnce has filters of which only the first can match, as long as it is there.
func TestEqualFiltersAreWalkedOnce(t *testing.T) {
	f := filter(t, "10.0.0.0/8 any tcp")
	entries := make([]Entry[int], 1000)
	for i := range entries {
		entries[i] = Entry[int]{f, i}
	}
	x := Build(entries)
	k := packet.Key{Src: num4(10 << 24), Dst: num4(1), Proto: 6, Flags: packet.ProtoKnown}
	p, h := pointOf(&k), miss
	if work := x.four.work(&p, &h); work > 2 {
		t.Errorf("%d nodes and rules", work)
	}
	for i := range entries {
		if v, ok := x.Lookup(&k); v != i || !ok {
			t.Fatalf("entry %d, want %d", v, i)
		}
		var ok bool
		if x, ok = x.Delete(f, RankOf(i)); !ok {
			t.Fatalf("entry %d is not there", i)
		}
	}
	if _, ok := x.Lookup(&k); ok || x.Len() != 0 {
		t.Error("something is left")
	}
}

// TestPairLookupsDoNotGrow counts the slots that a look-up touches, whether it hits or not.
func TestPairLookupsDoNotGrow(t *testing.T) {
	for _, n := range []int{1000, 10000, 200000} {
		x := Build(pairEntries(n))
		probes, looked := 0, 0
		for _, k := range pairKeys(2 * n) { // half of them are not there
			p := pointOf(&k)
			if k.Src.Is4() {
				m, key := &x.four.hosts, pair4Of(&p)
				h := hash4(key)
				a, b := m.page(h)
				page := m.top[a][b]
				for i := home(h, len(page)); ; i = (i + 1) % len(page) {
					probes++
					if s := page[i]; s.ref == 0 || s.key == key {
						break
					}
				}
				looked++
			}
		}
		mean := float64(probes) / float64(looked)
		t.Logf("%d pairs: %.2f slots a look-up", n, mean)
		if mean > 2 {
			t.Errorf("%d pairs: %.2f slots a look-up", n, mean)
		}
	}
}

// FuzzIndex reads a datagram and asks the index and the truth.
func FuzzIndex(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	var entries []Entry[int]
	for i := range 64 {
		g := Filter{Src: AnyV4, Dst: AnyV4}
		if i%2 == 1 {
			g = Filter{Src: AnyV6, Dst: AnyV6}
		}
		a := randomAddr(rng, i%2 == 1)
		g.Dst = RangeOf(netip.PrefixFrom(a, rng.IntN(a.BitLen()+1)))
		if i%3 == 0 {
			g.Proto = []uint8{1, 6, 17, 58}[rng.IntN(4)]
			g.DstPorts = Ports{0, uint16(rng.Uint32()), true}
		}
		entries = append(entries, Entry[int]{g, i})
	}
	x := Build(entries)
	for range 8 {
		f.Add(randomDatagram(rng))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h packet.Header
		if h.Parse(b) == nil {
			checkAgainstTruth(t, x, entries, []packet.Key{h.Key})
		}
	})
}

func BenchmarkShapes(b *testing.B) {
	for name := range shapes {
		for _, n := range []int{1000, 100000} {
			entries, keys := shaped(name, n)
			b.Run(name, func(b *testing.B) {
				x := Build(entries)
				big := max(x.four.census().largest, x.six.census().largest)
				i := 0
				for b.Loop() {
					x.Find(&keys[i%len(keys)])
					i++
				}
				b.ReportMetric(float64(n), "rules")
				b.ReportMetric(float64(big), "largest-leaf")
			})
		}
	}
}

func BenchmarkShapesBuild(b *testing.B) {
	for name := range shapes {
		entries, _ := shaped(name, 100000)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Build(entries)
			}
		})
	}
}
