package classifier

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testdata"
	"pgregory.net/rapid"
)

// ranked is an entry of the model that changed indexes are held to: a list in ascending rank.
type ranked struct {
	Entry[int]
	rank Rank
}

// model is the slow truth about an index that was changed.
type model []ranked

func modelOf(entries []Entry[int]) (m model) {
	for i, e := range entries {
		m = append(m, ranked{e, RankOf(i)})
	}
	return m
}

// with returns the model with one entry more; without, with one less.
func (m model) with(r ranked) model {
	at, _ := slices.BinarySearchFunc(m, r.rank, func(a ranked, rank Rank) int { return cmp.Compare(a.rank, rank) })
	return slices.Insert(slices.Clone(m), at, r)
}

func (m model) without(i int) model { return slices.Delete(slices.Clone(m), i, i+1) }

// between is a rank that no entry has, at a place in the list.
func (m model) between(i int) Rank {
	lo, hi := Rank(0), ^Rank(0)>>1
	if i > 0 {
		lo = m[i-1].rank
	}
	if i < len(m) {
		hi = m[i].rank
	}
	return lo + (hi-lo)/2
}

// agree looks keys up both ways.
func (m model) agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, x *Index[int], keys []packet.Key) {
	t.Helper()
	for i := range keys {
		at := slices.IndexFunc(m, func(r ranked) bool { return r.Filter.Match(&keys[i]) })
		v, ok := x.Lookup(&keys[i])
		if ok != (at >= 0) || ok && v != m[at].Value {
			t.Fatalf("key %+v: index says %d %v, truth is %d of %d", keys[i], v, ok, at, len(m))
		}
	}
	checkBatch(t, x, keys)
}

// change makes one random change to an index and its model.
func change(t *rapid.T, x *Index[int], m model, serial int) (*Index[int], model) {
	if len(m) > 0 && rapid.IntRange(0, 99).Draw(t, "kind") < 45 {
		at := rapid.IntRange(0, len(m)-1).Draw(t, "which")
		next, ok := x.Delete(m[at].Filter, m[at].rank)
		if ok != m[at].Filter.IsValid() {
			t.Fatalf("Delete of %v says %v", m[at].Filter, ok)
		}
		return next, m.without(at)
	}
	f := drawFilter().Draw(t, "filter")
	if len(m) > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		f = m[rapid.IntRange(0, len(m)-1).Draw(t, "of")].Filter
	}
	r := ranked{Entry[int]{f, serial}, m.between(rapid.IntRange(0, len(m)).Draw(t, "place"))}
	if slices.ContainsFunc(m, func(o ranked) bool { return o.rank == r.rank }) {
		return x, m // no room between the two
	}
	return x.Insert(r.Entry, r.rank), m.with(r)
}

// TestChangesEqualLinearTruth makes random changes in random order, and holds the last index and every one before it to the truth.
func TestChangesEqualLinearTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry[int]
		for i, f := range rapid.SliceOfN(drawFilter(), 0, 60).Draw(t, "filters") {
			entries = append(entries, Entry[int]{f, i})
		}
		x, m := Build(entries), modelOf(entries)
		if len(entries) == 0 && rapid.Bool().Draw(t, "zero") {
			x = &Index[int]{}
		}
		keys := rapid.SliceOfN(drawKey(), 1, 30).Draw(t, "keys")
		type state struct {
			x *Index[int]
			m model
		}
		states := []state{{x, m}}
		for i := range rapid.IntRange(1, 80).Draw(t, "changes") {
			x, m = change(t, x, m, 1000+i)
			states = append(states, state{x, m})
			m.agree(t, x, keys)
		}
		for _, s := range states {
			s.m.agree(t, s.x, keys)
		}
	})
}

// TestGrowAndShrink inserts the hard shapes one by one into an empty index, in an order that suits no tree, and takes them away again.
func TestGrowAndShrink(t *testing.T) {
	for name := range shapes {
		t.Run(name, func(t *testing.T) {
			const n = 3000
			entries, keys := shaped(name, n)
			keys = keys[:300]
			x, m := &Index[int]{}, modelOf(entries)
			for i, e := range entries { // heaviest first: at one end of the tree, where ranges nest
				x = x.Insert(e, RankOf(i))
			}
			m.agree(t, x, keys)
			if c, d := x.four.census(), x.six.census(); max(c.depth, d.depth) > 100 || x.Len() != n {
				t.Errorf("%d entries: %+v, %+v", x.Len(), c, d)
			}
			rng := rand.New(rand.NewPCG(1, 4))
			for _, i := range rng.Perm(n)[:n-200] {
				var ok bool
				if x, ok = x.Delete(entries[i].Filter, RankOf(i)); !ok {
					t.Fatalf("%v is not there", entries[i].Filter)
				}
				m[i].Filter = Filter{}
			}
			m.agree(t, x, keys)
			for i := range m {
				if m[i].Filter.IsValid() {
					x, _ = x.Delete(m[i].Filter, m[i].rank)
				}
			}
			if c, d := x.four.census(), x.six.census(); c.rules+d.rules != 0 || x.four.hosts.used+x.six.hosts.used != 0 || x.Len() != 0 {
				t.Errorf("something is left: %+v, %+v", c, d)
			}
		})
	}
}

// TestDeleteOfNothing asks for what is not there.
func TestDeleteOfNothing(t *testing.T) {
	f := []Filter{filter(t, "10.0.0.1 10.0.0.2"), filter(t, "10.0.0.1 10.0.0.2 tcp any 25"), filter(t, "10.0.0.0/8 any"), filter(t, "any6 fd00::1"),
		filter(t, "fd00::1 fd00::2"), filter(t, "10.0.0.0/24 10.1.0.1")}
	var entries []Entry[int]
	for i := range f {
		entries = append(entries, Entry[int]{f[i], i})
	}
	x := Build(entries)
	for i := range f {
		if y, ok := x.Delete(f[i], RankOf(len(f))); ok || y != x {
			t.Errorf("%v of another rank was there", f[i])
		}
		if _, ok := x.Delete(f[i].Mirror(), RankOf(i)); ok {
			t.Errorf("the mirror of %v was there", f[i])
		}
		if _, ok := (&Index[int]{}).Delete(f[i], RankOf(i)); ok {
			t.Errorf("%v was in an empty index", f[i])
		}
		y, ok := x.Delete(f[i], RankOf(i))
		if !ok || y.Len() != len(f)-1 || x.Len() != len(f) {
			t.Errorf("%v: %v, %d and %d entries", f[i], ok, y.Len(), x.Len())
		}
		if _, ok := y.Delete(f[i], RankOf(i)); ok {
			t.Errorf("%v could be deleted twice", f[i])
		}
	}
}

// TestPlacesAreUsedAgain changes an index for long and looks at its size.
func TestPlacesAreUsedAgain(t *testing.T) {
	entries, _ := shaped("pair and port", 2000)
	more, _ := shaped("half wild", 2000)
	entries = append(entries, more...)
	x := Build(entries)
	size := x.Bytes()
	rng := rand.New(rand.NewPCG(2, 2))
	rank := RankOf(len(entries))
	ranks := make([]Rank, len(entries))
	for i := range ranks {
		ranks[i] = RankOf(i)
	}
	for range 20000 {
		i := rng.IntN(len(entries))
		var ok bool
		if x, ok = x.Delete(entries[i].Filter, ranks[i]); !ok {
			t.Fatalf("%v is not there", entries[i].Filter)
		}
		rank++
		ranks[i] = rank
		x = x.Insert(entries[i], rank)
	}
	if x.values.n > len(entries)+1 || x.Bytes() > 2*size {
		t.Errorf("%d values, %d bytes where it was %d", x.values.n, x.Bytes(), size)
	}
}

// TestReadersSeeOneState has readers look up while a writer changes the index: each answer is that of one state, and of no mixture.
func TestReadersSeeOneState(t *testing.T) {
	type state struct {
		x *Index[int]
		m model
	}
	entries, keys := shaped("random ranges", 400)
	first := state{Build(entries), modelOf(entries)}
	var now atomic.Pointer[state]
	now.Store(&first)
	var done atomic.Bool
	var readers sync.WaitGroup
	for r := range 3 {
		readers.Go(func() {
			values, found := make([]int, 40), make([]bool, 40)
			for i := r; !done.Load(); i++ {
				s := now.Load()
				if r == 2 {
					some := keys[i%(len(keys)-40):][:40]
					s.x.LookupBatch(some, values, found)
					for j := range some {
						at := slices.IndexFunc(s.m, func(r ranked) bool { return r.Filter.Match(&some[j]) })
						if found[j] != (at >= 0) || found[j] && values[j] != s.m[at].Value {
							t.Errorf("in a batch %+v: %d %v, truth is %d", some[j], values[j], found[j], at)
							return
						}
					}
					continue
				}
				k := &keys[i%len(keys)]
				at := slices.IndexFunc(s.m, func(r ranked) bool { return r.Filter.Match(k) })
				if v, ok := s.x.Lookup(k); ok != (at >= 0) || ok && v != s.m[at].Value {
					t.Errorf("%+v: %d %v, truth is %d", k, v, ok, at)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for serial := range 3000 {
		s := now.Load()
		next := state{s.x, s.m}
		if rng.IntN(2) == 0 && len(s.m) > 0 {
			at := rng.IntN(len(s.m))
			next.x, _ = s.x.Delete(s.m[at].Filter, s.m[at].rank)
			next.m = s.m.without(at)
		} else if r := (ranked{Entry[int]{shapes["random ranges"](rng, 0, 0), 10000 + serial}, s.m.between(rng.IntN(len(s.m) + 1))}); !slices.ContainsFunc(s.m, func(o ranked) bool { return o.rank == r.rank }) {
			next.x, next.m = s.x.Insert(r.Entry, r.rank), s.m.with(r)
		}
		now.Store(&next)
	}
	done.Store(true)
	readers.Wait()
}

// TestChangesOfPublishedSets changes an index of a published filter set, with packets that hit what was changed.
func TestChangesOfPublishedSets(t *testing.T) {
	for _, name := range []string{"acl1_1k.rules", "fw1_1k.rules", "ipc1_1k.rules"} {
		t.Run(name, func(t *testing.T) {
			all := readClassBench(t, testdata.Dir(t, "classbench", name))
			Sort(all, nil)
			rng := rand.New(rand.NewPCG(5, 5))
			there := make([]bool, len(all))
			x := Build[int](nil)
			for range 4 * len(all) {
				i := rng.IntN(len(all))
				if there[i] {
					x, there[i] = first(x.Delete(all[i].Filter, RankOf(i))), false
				} else {
					x, there[i] = x.Insert(all[i], RankOf(i)), true
				}
				k := traceKey(rng, &all[i].Filter)
				want := -1
				for j := range all {
					if there[j] && all[j].Filter.Match(&k) {
						want = j
						break
					}
				}
				if v, ok := x.Lookup(&k); ok != (want >= 0) || ok && v != all[want].Value {
					t.Fatalf("%+v: %d %v, truth is %d", k, v, ok, want)
				}
			}
		})
	}
}

func first[A, B any](a A, _ B) A { return a }

// FuzzChanges reads changes from bytes: of filters among few, so that equal ones, empty leaves and full groups come about.
func FuzzChanges(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	var filters []Filter
	for i := range 256 {
		six := i%2 == 1
		a, b := randomAddr(rng, six), randomAddr(rng, six)
		g := Filter{Src: HostRange(a), Dst: HostRange(b)}
		if i%3 != 0 {
			g.Src = RangeOf(netip.PrefixFrom(a, a.BitLen()-rng.IntN(3)*rng.IntN(a.BitLen()/2)))
		}
		if i%5 != 0 {
			g.Proto = []uint8{1, 6, 17, 58}[rng.IntN(4)]
			g.DstPorts = Ports{0, uint16(rng.IntN(8)), true}
		}
		filters = append(filters, g)
	}
	for range 8 {
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, m := &Index[int]{}, model(nil)
		if len(b) > 0 && b[0]&1 == 1 {
			var entries []Entry[int]
			for i := range b[0] {
				entries = append(entries, Entry[int]{filters[i], int(i)})
			}
			x, m = Build(entries), modelOf(entries)
		}
		for ; len(b) > 3; b = b[3:] {
			g, at := filters[b[1]], int(b[2])
			if b[0]&3 == 0 && len(m) > 0 {
				at %= len(m)
				var ok bool
				if x, ok = x.Delete(m[at].Filter, m[at].rank); !ok {
					t.Fatalf("%v is not there", m[at].Filter)
				}
				m = m.without(at)
			} else if rank := m.between(at % (len(m) + 1)); !slices.ContainsFunc(m, func(o ranked) bool { return o.rank == rank }) {
				r := ranked{Entry[int]{g, int(b[0])<<8 | at}, rank}
				x, m = x.Insert(r.Entry, rank), m.with(r)
			}
			k := packet.Key{Src: g.Src.From, Dst: g.Dst.To, Proto: g.Proto, DstPort: g.DstPorts.To, Flags: packet.ProtoKnown | packet.PortsKnown}
			m.agree(t, x, []packet.Key{k})
		}
	})
}

func BenchmarkChange(b *testing.B) {
	entries, _ := shaped("random ranges", 100000)
	more, _ := shaped("half wild", 100000)
	entries = append(entries, more...)
	x := Build(entries)
	rng := rand.New(rand.NewPCG(2, 2))
	for b.Loop() {
		i := rng.IntN(len(entries))
		x, _ = x.Delete(entries[i].Filter, RankOf(i))
		x = x.Insert(entries[i], RankOf(i))
	}
}
