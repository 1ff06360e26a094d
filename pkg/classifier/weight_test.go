package classifier

import (
	"cmp"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// filter reads "src dst proto sport dport", ports "any", "n" or "from-to".
func filter(t testing.TB, s string) Filter {
	t.Helper()
	parts := strings.Fields(s)
	f := Filter{Src: rangeOf(t, parts[0]), Dst: rangeOf(t, parts[1])}
	for i, p := range parts[2:] {
		switch i {
		case 0:
			if p != "any" {
				f.Proto = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17}[p]
			}
		case 1:
			f.SrcPorts = portsOf(t, p)
		case 2:
			f.DstPorts = portsOf(t, p)
		}
	}
	return f
}

func rangeOf(t testing.TB, s string) Range {
	t.Helper()
	switch s {
	case "any":
		return AnyV4
	case "any6":
		return AnyV6
	}
	if from, to, ok := strings.Cut(s, "-"); ok {
		return Range{netip.MustParseAddr(from), netip.MustParseAddr(to)}
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return RangeOf(p)
	}
	return HostRange(netip.MustParseAddr(s))
}

func portsOf(t testing.TB, s string) Ports {
	t.Helper()
	if s == "any" {
		return Ports{}
	}
	if s == "0-65535" {
		return Ports{0, 65535, true}
	}
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		to = from
	}
	r, err := parsePorts(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWeightOrder names the rules of the order, heaviest first; each line outweighs all below it.
func TestWeightOrder(t *testing.T) {
	order := []string{
		"10.0.0.1 10.0.0.2 tcp 5 25",
		"10.0.0.1 10.0.0.2 tcp any 25",
		"10.0.0.1 10.0.0.2 tcp any 20-30", // smaller port ranges are heavier
		"10.0.0.1 10.0.0.2 tcp 5 any",     // destination before source
		"10.0.0.1 10.0.0.2 tcp",
		"10.0.0.1 10.0.0.2 any any 25", // protocol before ports
		"10.0.0.1 10.0.0.2",
		"10.0.0.1 10.0.0.0-10.0.0.200",  // two hosts before one; same prefix size, smaller range
		"10.0.0.1 10.0.0.0/24 tcp 5 25", // range sizes before protocol
		"10.0.0.1 10.0.0.0/24",
		"10.0.0.0/8 10.0.0.1",
		"any 10.0.0.1 tcp 5 25",          // a subnet before any
		"10.0.0.0/24 10.0.0.0/24",        // one host before none
		"10.0.0.0/24 10.0.0.0/23",        // longer prefixes
		"10.0.0.0/8 10.0.0.0/8 tcp 5 25", // prefixes before protocol
		"10.0.0.0/8 any",
		"any any tcp any 25",
		"any any tcp any 0-65535", // all ports given is fewer packets than none given
		"any any tcp",
		"any any",
	}
	for i := range order {
		for j := range order {
			f, g := filter(t, order[i]), filter(t, order[j])
			if got, want := f.Compare(&g), cmp.Compare(j, i); got != want {
				t.Errorf("%q against %q: %d, want %d (%s, %s)", order[i], order[j], got, want, f.Weight(), g.Weight())
			}
		}
	}
}

// narrowed draws a filter whose packets are some of f's.
func narrowed(t *rapid.T, f Filter) Filter {
	six := f.Src.From.Is6()
	narrowRange := func(r Range, name string) Range {
		o := drawRange(six).Draw(t, name)
		if r.Covers(o) {
			return o
		}
		return r
	}
	f.Src, f.Dst = narrowRange(f.Src, "src"), narrowRange(f.Dst, "dst")
	if f.Proto == 0 && rapid.Bool().Draw(t, "name protocol") {
		f.Proto = 6
	}
	if p := drawPorts().Draw(t, "sport"); f.SrcPorts.covers(p) {
		f.SrcPorts = p
	}
	if p := drawPorts().Draw(t, "dport"); f.DstPorts.covers(p) {
		f.DstPorts = p
	}
	return f
}

func TestProperSubsetAlwaysWeighsMore(t *testing.T) {
	proper := 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawFilterOf(rapid.Bool().Draw(t, "six")).Draw(t, "g")
		f := narrowed(t, g)
		if !g.Contains(&f) {
			t.Fatalf("%v does not contain %v", g, f)
		}
		if f == g {
			if f.Compare(&g) != 0 {
				t.Fatalf("%v is not as heavy as itself", f)
			}
			return
		}
		proper++
		if f.Contains(&g) || f.Compare(&g) <= 0 || g.Compare(&f) >= 0 {
			t.Fatalf("%v (%s) is a proper subset of %v (%s)", f, f.Weight(), g, g.Weight())
		}
	})
	if proper < 20 {
		t.Errorf("only %d proper subsets were drawn", proper)
	}
}

func TestInvalidFilterIsTheEmptySet(t *testing.T) {
	bad := Filter{Src: AnyV4, Dst: AnyV6}
	host := filter(t, "10.0.0.1 10.0.0.2 tcp 5 25")
	if bad.Compare(&host) <= 0 || !host.Contains(&bad) || bad.Contains(&host) || bad.Overlaps(&host) || host.Overlaps(&bad) || bad.Weight() <= host.Weight() {
		t.Errorf("%s against %s", bad.Weight(), host.Weight())
	}
}

func TestCompareIsATotalPreorderAndWeightSortsLikeIt(t *testing.T) {
	sign := func(n int) int { return cmp.Compare(n, 0) }
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SliceOfN(drawFilter(), 3, 3).Draw(t, "filters")
		for i := range f {
			for j := range f {
				c := f[i].Compare(&f[j])
				if sign(c) != -sign(f[j].Compare(&f[i])) {
					t.Fatalf("%v and %v: not antisymmetric", f[i], f[j])
				}
				if w := strings.Compare(f[i].Weight(), f[j].Weight()); w != sign(c) {
					t.Fatalf("%v and %v: weights %s and %s sort %d, Compare says %d", f[i], f[j], f[i].Weight(), f[j].Weight(), w, c)
				}
			}
		}
		slices.SortFunc(f, func(a, b Filter) int { return a.Compare(&b) })
		if f[0].Compare(&f[1]) > 0 || f[1].Compare(&f[2]) > 0 || f[0].Compare(&f[2]) > 0 {
			t.Fatalf("not transitive: %v", f)
		}
	})
}

// TestUnfilledIsExact holds the 256-bit fraction to big integers.
func TestUnfilledIsExact(t *testing.T) {
	number := func(words ...uint64) *big.Int {
		n := new(big.Int)
		for _, w := range words {
			n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(w))
		}
		return n
	}
	one := new(big.Int).Lsh(big.NewInt(1), 256)
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.SampledFrom([]uint64{0, 1, 1 << 63, 1<<64 - 1})
		word := rapid.OneOf(rapid.Uint64(), edge)
		a := [2]uint64{word.Draw(t, "a0"), word.Draw(t, "a1")}
		b := [2]uint64{word.Draw(t, "b0"), word.Draw(t, "b1")}
		na, nb := number(a[0], a[1]), number(b[0], b[1])
		for _, n := range []*big.Int{na, nb} {
			if n.Sign() == 0 {
				n.Lsh(big.NewInt(1), 128) // 0 stands for 1
			}
		}
		want := new(big.Int).Sub(one, na.Mul(na, nb))
		got := unfilled(a, b)
		if number(got[0], got[1], got[2], got[3]).Cmp(want.Mod(want, one)) != 0 {
			t.Fatalf("%x × %x: %x, want %x", a, b, got, want)
		}
	})
}

func TestSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filters := rapid.SliceOfN(drawFilter(), 0, 40).Draw(t, "filters")
		entries := make([]Entry[int], len(filters))
		for i, f := range filters {
			entries[i] = Entry[int]{f, i}
		}
		byTie := rapid.Bool().Draw(t, "tie")
		var tie func(a, b *int) int
		if byTie {
			tie = func(a, b *int) int { return cmp.Compare(*b%3, *a%3) }
		}
		Sort(entries, tie)
		seen := map[int]bool{}
		for i, e := range entries {
			seen[e.Value] = true
			if e.Filter != filters[e.Value] {
				t.Fatal("entry torn apart")
			}
			if i == 0 {
				continue
			}
			p := entries[i-1]
			c := p.Filter.Compare(&e.Filter)
			if c == 0 && byTie {
				c = cmp.Compare(p.Value%3, e.Value%3)
			}
			if c < 0 || c == 0 && p.Value > e.Value {
				t.Fatalf("%d stands before %d", p.Value, e.Value)
			}
		}
		if len(seen) != len(entries) {
			t.Fatal("entries lost")
		}
	})
}

func TestWeightForPeople(t *testing.T) {
	for s, want := range map[string]string{
		"10.0.0.1 10.0.1.0/24 tcp any 25": "1.1.056.0.1.65536.00000",
		"any any":                         "0.0.000.0.0.00000.00000",
		"any6 fd00::1 any any 0-65535":    "1.0.128.0.0.00001.00000",
		"any 10.0.0.0-10.0.0.2":           "0.1.030.4.0.00000.00000",
		"10.0.0.0-10.0.0.2 10.0.0.0/30":   "0.2.060.4.0.00000.00000",
	} {
		f := filter(t, s)
		if got := f.Weight(); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}
