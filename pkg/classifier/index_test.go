package classifier

import (
	"bufio"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testdata"
	"pgregory.net/rapid"
)

// checkAgainstTruth looks keys up both ways.
func checkAgainstTruth(t interface {
	Helper()
	Fatalf(string, ...any)
}, x *Index[int], entries []Entry[int], keys []packet.Key) {
	t.Helper()
	for i := range keys {
		want := linear(entries, &keys[i])
		v, ok := x.Lookup(&keys[i])
		if ok != (want >= 0) || ok && v != entries[want].Value {
			t.Fatalf("key %+v: index says %d %v, truth is %d", keys[i], v, ok, want)
		}
	}
	checkBatch(t, x, keys)
}

func TestIndexEqualsLinearTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filters := rapid.SliceOfN(drawFilter(), 0, 120).Draw(t, "filters")
		entries := make([]Entry[int], len(filters))
		for i, f := range filters {
			entries[i] = Entry[int]{f, i * 10}
		}
		if rapid.Bool().Draw(t, "by weight") {
			Sort(entries, nil)
		}
		x := Build(entries)
		checkAgainstTruth(t, x, entries, rapid.SliceOfN(drawKey(), 1, 60).Draw(t, "keys"))
	})
}

// TestIndexEqualsTruthOnParsedPackets goes the whole way: bytes, header, key, both look-ups. The datagrams have fragments, ICMP types, extension headers
// and protocols that nobody knows.
func TestIndexEqualsTruthOnParsedPackets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var entries []Entry[int]
	for i := range 400 {
		six := i%2 == 1
		f := Filter{Src: AnyV4, Dst: AnyV4}
		if six {
			f = Filter{Src: AnyV6, Dst: AnyV6}
		}
		if rng.IntN(3) > 0 {
			f.Proto = []uint8{1, 6, 17, 58, 132, 253}[rng.IntN(6)]
			if rng.IntN(2) == 0 {
				f.DstPorts = Port(uint16(rng.IntN(8)))
			}
			if rng.IntN(4) == 0 {
				f.SrcPorts = Ports{0, uint16(rng.IntN(200)), true}
			}
		}
		a := randomAddr(rng, six)
		f.Dst = RangeOf(netip.PrefixFrom(a, a.BitLen()-rng.IntN(6)))
		entries = append(entries, Entry[int]{f, i})
	}
	Sort(entries, nil)
	x := Build(entries)
	hits := map[packet.KeyFlags]int{}
	for range 20000 {
		var h packet.Header
		if err := h.Parse(randomDatagram(rng)); err != nil {
			t.Fatal(err)
		}
		if linear(entries, &h.Key) >= 0 {
			hits[h.Key.Flags]++
		}
		checkAgainstTruth(t, x, entries, []packet.Key{h.Key})
	}
	if len(hits) < 5 {
		t.Errorf("too few kinds of packets hit: %v", hits)
	}
}

func randomAddr(rng *rand.Rand, six bool) netip.Addr {
	if six {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(rng.IntN(32))})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(32))})
}

// randomDatagram builds datagrams of both families, some of them fragments.
func randomDatagram(rng *rand.Rand) []byte {
	six := rng.IntN(2) == 0
	payload := []byte{0, byte(rng.IntN(8)), 0, byte(rng.IntN(8)), 0, 8, 0, 0}[:rng.IntN(9)]
	o := packet.Outer{Src: randomAddr(rng, six), Dst: randomAddr(rng, six), Proto: []uint8{1, 6, 17, 58, 132, 253}[rng.IntN(6)], TTL: 9}
	if !six {
		b := make([]byte, 20+len(payload))
		o.Put(b, len(b))
		copy(b[20:], payload)
		switch rng.IntN(4) {
		case 0:
			b[6] = 0x20
		case 1:
			b[7] = 9
		}
		return b
	}
	var chain []byte
	upper := o.Proto
	switch rng.IntN(4) {
	case 0:
		chain, o.Proto = []byte{upper, 0, 1, 4, 0, 0, 0, 0}, 60
	case 1:
		chain, o.Proto = []byte{upper, 0, 0, 1, 0, 0, 0, 1}, 44
	case 2:
		chain, o.Proto = []byte{upper, 0, 0, 16, 0, 0, 0, 1}, 44
		if rng.IntN(2) == 0 {
			chain[0] = 60 // an extension header that this fragment does not hold: the protocol is unknown
		}
	}
	b := make([]byte, 40, 64)
	b = append(append(b, chain...), payload...)
	o.Put(b, len(b))
	return b
}

func TestHashHitDoesNotEndTheSearch(t *testing.T) {
	a, b := HostRange(netip.MustParseAddr("192.0.2.1")), HostRange(netip.MustParseAddr("192.0.2.2"))
	entries := []Entry[string]{
		{Filter{Src: a, Dst: b}, "pair"},
		{Filter{Src: a, Dst: b, Proto: 6, DstPorts: Port(25)}, "mail"},
		{Filter{Src: AnyV4, Dst: b, Proto: 6, DstPorts: Port(25)}, "anyone's mail"},
		{Filter{Src: a, Dst: b, Proto: 6}, "tcp"},
	}
	Sort(entries, nil)
	x := Build(entries)
	k := packet.Key{Src: a.From, Dst: b.From, Proto: 6, DstPort: 25, Flags: packet.ProtoKnown | packet.PortsKnown}
	for _, want := range []string{"mail", "tcp", "pair"} {
		if v, ok := x.Lookup(&k); v != want || !ok {
			t.Errorf("%+v: %q, want %q", k, v, want)
		}
		if k.Flags&packet.PortsKnown != 0 {
			k.Flags &^= packet.PortsKnown
		} else {
			k.Flags = 0
		}
	}
}

// TestGroupsOfOnePair has pairs with one filter more and one less than are walked, in both families.
func TestGroupsOfOnePair(t *testing.T) {
	var entries []Entry[int]
	var keys []packet.Key
	for pair, k := range pairKeys(60) {
		for i := range maxGroup - 1 + pair%3 {
			f := Filter{Src: HostRange(k.Src), Dst: HostRange(k.Dst), Proto: 6, DstPorts: Ports{uint16(i), uint16(2 * i), true}}
			entries = append(entries, Entry[int]{f, len(entries)})
		}
		for port := range uint16(40) {
			k.Proto, k.DstPort, k.Flags = 6, port, packet.ProtoKnown|packet.PortsKnown
			keys = append(keys, k)
		}
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	x := Build(entries)
	checkAgainstTruth(t, x, entries, keys)
	if x.four.groups.n != 45 || x.six.groups.n != 15 || x.four.census().rules != 15*(maxGroup+1) || x.six.census().rules != 5*(maxGroup+1) {
		t.Errorf("%d and %d groups, %+v, %+v", x.four.groups.n, x.six.groups.n, x.four.census(), x.six.census())
	}
}

func TestEmptyAndDuplicate(t *testing.T) {
	k := packet.Key{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")}
	k6 := packet.Key{Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2")}
	for _, x := range []*Index[int]{Build[int](nil), {}} {
		if _, ok := x.Lookup(&k); ok {
			t.Error("empty index hits")
		}
		if _, ok := x.Lookup(&k6); ok {
			t.Error("empty index hits")
		}
	}
	pair := Filter{Src: HostRange(k.Src), Dst: HostRange(k.Dst)}
	pair6 := Filter{Src: HostRange(k6.Src), Dst: HostRange(k6.Dst)}
	x := Build([]Entry[int]{{pair6, 1}, {pair, 2}, {pair, 3}, {pair6, 4}})
	if v, _ := x.Lookup(&k); v != 2 {
		t.Errorf("the first of two equal filters must win, got %d", v)
	}
	if v, _ := x.Lookup(&k6); v != 1 {
		t.Errorf("the first of two equal filters must win, got %d", v)
	}
	if _, ok := x.Lookup(&packet.Key{}); ok {
		t.Error("a key without addresses hits")
	}
	if x.Len() != 4 || x.Bytes() <= 0 {
		t.Errorf("%d entries, %d bytes", x.Len(), x.Bytes())
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	entries, keys := pairEntries(1000), pairKeys(1000)
	for i := range 1000 {
		f := Filter{Src: AnyV4, Dst: HostRange(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})), Proto: 6}
		entries = append(entries, Entry[int]{f, i})
	}
	x := Build(entries)
	if n := testing.AllocsPerRun(10, func() {
		for i := range keys {
			x.Lookup(&keys[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// pairEntries makes n filters between two addresses, every fourth of them IPv6.
func pairEntries(n int) []Entry[int] {
	entries := make([]Entry[int], n)
	for i, k := range pairKeys(n) {
		entries[i] = Entry[int]{Filter{Src: HostRange(k.Src), Dst: HostRange(k.Dst)}, i}
	}
	return entries
}

func pairKeys(n int) []packet.Key {
	keys := make([]packet.Key, n)
	for i := range keys {
		var s, d [4]byte
		binary.BigEndian.PutUint32(s[:], 10<<24|uint32(i))
		binary.BigEndian.PutUint32(d[:], 172<<24|uint32(i%1000))
		keys[i] = packet.Key{Src: netip.AddrFrom4(s), Dst: netip.AddrFrom4(d), Proto: 17, Flags: packet.ProtoKnown}
		if i%4 == 3 {
			keys[i].Src = netip.AddrFrom16([16]byte{0: 0xfd, 12: s[0], 13: s[1], 14: s[2], 15: s[3]})
			keys[i].Dst = netip.AddrFrom16([16]byte{0: 0xfd, 12: d[0], 13: d[1], 14: d[2], 15: d[3]})
		}
	}
	return keys
}

func TestManyPairs(t *testing.T) {
	entries, keys := pairEntries(50000), pairKeys(60000)
	x := Build(entries)
	for i := range keys {
		v, ok := x.Lookup(&keys[i])
		if ok != (i < len(entries)) || ok && v != i {
			t.Fatalf("pair %d: %d %v", i, v, ok)
		}
		keys[i].Src, keys[i].Dst = keys[i].Dst, keys[i].Src
		if _, ok := x.Lookup(&keys[i]); ok {
			t.Fatalf("pair %d the other way round hits", i)
		}
	}
}

// TestClassBenchSetsEqualLinearTruth holds the index to the truth on published filter sets, in the order of their lines and in that of our weights.
func TestClassBenchSetsEqualLinearTruth(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t, "classbench"), "*.rules"))
	if err != nil || len(files) == 0 {
		t.Fatal("no rule files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			entries := readClassBench(t, name)
			rng := rand.New(rand.NewPCG(7, 7))
			keys := make([]packet.Key, 1500)
			for i := range keys {
				keys[i] = traceKey(rng, &entries[rng.IntN(len(entries))].Filter)
			}
			checkAgainstTruth(t, Build(entries), entries, keys)
			Sort(entries, nil)
			checkAgainstTruth(t, Build(entries), entries, keys)
		})
	}
}

// traceKey is a packet in or near a corner of a filter, sometimes a fragment.
func traceKey(rng *rand.Rand, f *Filter) packet.Key {
	k := packet.Key{Src: cornerOf(rng, f.Src), Dst: cornerOf(rng, f.Dst), Proto: f.Proto, Flags: packet.ProtoKnown | packet.PortsKnown}
	if k.Proto == 0 {
		k.Proto = []uint8{1, 6, 17, 47}[rng.IntN(4)]
	}
	k.SrcPort, k.DstPort = portOf(rng, f.SrcPorts), portOf(rng, f.DstPorts)
	if rng.IntN(10) == 0 {
		k.Flags = packet.ProtoKnown | packet.Fragment | packet.NonFirst
	}
	return k
}

func cornerOf(rng *rand.Rand, r Range) netip.Addr {
	a := []netip.Addr{r.From, r.To, r.From.Next(), r.To.Prev(), r.From.Prev(), r.To.Next()}[rng.IntN(6)]
	if !a.IsValid() {
		return r.From
	}
	return a
}

func portOf(rng *rand.Rand, p Ports) uint16 {
	if !p.Given {
		return uint16(rng.IntN(65536))
	}
	return p.From + uint16(rng.IntN(int(p.To-p.From)+1))
}

// readClassBench reads a rule file; the line number is the position.
func readClassBench(t testing.TB, name string) (entries []Entry[int]) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f, err := ParseClassBench(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, Entry[int]{f, len(entries)})
	}
	return entries
}

func BenchmarkClassBench(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(testdata.Dir(b, "classbench"), "*_10k.rules"))
	for _, name := range files {
		b.Run(filepath.Base(name), func(b *testing.B) {
			entries := readClassBench(b, name)
			x := Build(entries)
			rng := rand.New(rand.NewPCG(7, 7))
			keys := make([]packet.Key, 1<<14)
			for i := range keys {
				keys[i] = traceKey(rng, &entries[rng.IntN(len(entries))].Filter)
			}
			i := 0
			for b.Loop() {
				x.Find(&keys[i&(1<<14-1)])
				i++
			}
			big := x.four.census().largest
			b.ReportMetric(float64(big), "largest-leaf")
			b.ReportMetric(float64(x.Bytes())/float64(len(entries)), "B/rule")
		})
	}
}

func BenchmarkBuildMillionPairs(b *testing.B) {
	entries := pairEntries(1e6)
	for b.Loop() {
		Build(entries)
	}
}
