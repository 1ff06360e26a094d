package guard

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/google/nftables"
)

// randomRange draws from 64 addresses, so that ranges meet.
func randomRange(rng *rand.Rand, is4 bool) classifier.Range {
	addr := func() netip.Addr {
		if is4 {
			return netip.AddrFrom4([4]byte{10, 9, 0, byte(rng.IntN(64))})
		}
		return netip.AddrFrom16([16]byte{0xfd, 9, 15: byte(rng.IntN(64))})
	}
	a, b := addr(), addr()
	switch rng.IntN(4) {
	case 0:
		return classifier.HostRange(a)
	case 1:
		p, _ := a.Prefix(a.BitLen() - rng.IntN(7))
		return classifier.RangeOf(p)
	case 2:
		return classifier.RangeOf(netip.PrefixFrom(a, 0))
	}
	if b.Less(a) {
		a, b = b, a
	}
	return classifier.Range{From: a, To: b}
}

func randomRule(rng *rand.Rand, is4 bool) Rule {
	r := Rule{Filter: classifier.Filter{Src: randomRange(rng, is4), Dst: randomRange(rng, is4)}, Verdict: Verdict(rng.IntN(2))}
	ports := func() classifier.Ports {
		from := uint16(1000 + rng.IntN(8))
		return [...]classifier.Ports{{}, classifier.Port(from), {From: from, To: from + uint16(rng.IntN(4)), Given: true}}[rng.IntN(3)]
	}
	if rng.IntN(3) > 0 {
		r.Filter.Proto = []uint8{17, 17, 6}[rng.IntN(3)]
		r.Filter.SrcPorts, r.Filter.DstPorts = ports(), ports()
	}
	return r
}

// TestBlocksSayWhatTheRulesSay: for any packet the first block that has a rule for it has the heaviest rule for it, and no other one in that block.
func TestBlocksSayWhatTheRulesSay(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	cfg := &Config{Me: []netip.Addr{me4}}
	for round := range 300 {
		var rules []Rule
		for range rng.IntN(200) {
			r := randomRule(rng, true)
			if rng.IntN(4) == 0 {
				r.Filter.Dst = classifier.HostRange(me4)
			}
			rules = append(rules, r)
		}
		blocks := arrange(entries(cfg, rules), round%2 == 0)
		for range 200 {
			k := packet.Key{Src: randomRange(rng, true).From, Dst: randomRange(rng, true).From, Proto: []uint8{17, 6, 47}[rng.IntN(3)],
				SrcPort: uint16(1000 + rng.IntN(10)), DstPort: uint16(1000 + rng.IntN(10)), Flags: packet.ProtoKnown | packet.PortsKnown}
			want := truthOfMe(rules, &k, true)
			got, found := Accept, 0
			for _, b := range blocks {
				for _, e := range b.rules {
					if e.reach.Match(&k) {
						got, found = e.Verdict, found+1
					}
				}
				if found > 1 {
					t.Fatalf("round %d: %d rules of one block match", round, found)
				}
				if found == 1 {
					break
				}
			}
			if got != want {
				t.Fatalf("round %d, %d rules: %v, want %v", round, len(rules), got, want)
			}
		}
	}
}

var me4, me6 = netip.MustParseAddr("240.0.0.1"), netip.MustParseAddr("100::1")

// truthOfMe is what the rules say one by one; mine tells whether the packet's destination is me.
func truthOfMe(rules []Rule, k *packet.Key, mine bool) Verdict {
	for _, r := range rules {
		f := r.Filter
		if f.Dst.From == me4 || f.Dst.From == me6 {
			if !mine {
				continue
			}
			f.Dst = classifier.HostRange(k.Dst)
		}
		if f.Match(k) {
			return r.Verdict
		}
	}
	return Accept
}

// TestThousandsOfRangesAreAFewSets installs ranges of addresses and ports that are no prefixes, disjoint, nested and crossing, and asks the kernel about
// packets in and beside them.
func TestThousandsOfRangesAreAFewSets(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	rng := rand.New(rand.NewPCG(5, 6))
	var rules []Rule
	for i := range 6000 {
		at := netip.AddrFrom4([4]byte{10, byte(20 + i>>12), byte(i >> 4), byte(i << 4)})
		if i%2 == 1 {
			at = netip.AddrFrom16([16]byte{0xfd, 8, 2: byte(i >> 8), 3: byte(i), 15: 3})
		}
		to := at
		for range 2 + i%7 {
			to = to.Next()
		}
		dst := mine[0]
		if i%2 == 1 {
			dst = mine[2]
		}
		rules = append(rules, Rule{classifier.Filter{Src: classifier.Range{From: at, To: to}, Dst: classifier.HostRange(netip.MustParseAddr(dst))}, Drop})
	}
	for range 400 { // those that meet the bench's addresses
		r := randomRule(rng, rng.IntN(2) == 0)
		rules = append(rules, r)
	}
	slices.SortStableFunc(rules, func(x, y Rule) int { return y.Filter.Compare(&x.Filter) })
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules}))
	sets, chained := counted(t)
	t.Logf("%d rules are %d sets and %d rules", len(rules), sets, chained)
	if sets == 0 || chained > len(rules)/10 {
		t.Errorf("%d rules became %d sets and %d rules one by one", len(rules), sets, chained)
	}
	dropped := 0
	for fam := range 2 {
		var want []string
		for i := range 200 {
			src, dst := netip.MustParseAddr(theirs[3*fam+rng.IntN(2)]), netip.MustParseAddr(mine[2*fam+rng.IntN(2)])
			if i%3 == 0 {
				src = rules[rng.IntN(6000)].Filter.Src.To
				if src.Is4() != (fam == 0) {
					continue
				}
				if rng.IntN(2) == 0 {
					src = src.Next()
				}
			}
			k := packet.Key{Src: src, Dst: dst, Proto: 17, SrcPort: uint16(1000 + rng.IntN(10)), DstPort: uint16(1000 + rng.IntN(10)), Flags: packet.ProtoKnown | packet.PortsKnown}
			text := fmt.Sprintf("%v:%d>%v:%d #%d", src, k.SrcPort, dst, k.DstPort, i)
			b.inject(udp(src, dst, k.SrcPort, k.DstPort, text))
			if truth(rules, &k) == Accept {
				want = append(want, text)
			} else {
				dropped++
			}
		}
		if got := b.arrived(fam); !slices.Equal(got, want) {
			t.Errorf("passed %q\nwant   %q", got, want)
		}
	}
	if dropped < 50 {
		t.Errorf("only %d were dropped: the test says little", dropped)
	}
}

// counted counts the sets of the test's table, and the rules in the chains of inbound rules.
func counted(t *testing.T) (sets, chained int) {
	t.Helper()
	conn, err := dial()
	must(t, err)
	table, err := inForce("test")
	must(t, err)
	all, err := conn.GetSets(table)
	must(t, err)
	rules, err := conn.GetRules(table, &nftables.Chain{Name: chainInbound + ofOthers, Table: table})
	must(t, err)
	return len(all), len(rules)
}
