package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/suite"
)

func TestFindMainModeIsTheLinearTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []*Rule
		for i := range rapid.IntRange(0, 12).Draw(t, "rules") {
			r := rule(fmt.Sprint(i), Negotiate, GenericFilter{Src: drawSide(t), Dst: drawSide(t), Mirrored: rapid.Bool().Draw(t, "mirrored")})
			if rapid.IntRange(0, 3).Draw(t, "tunnel") == 0 {
				r.Filters[0].Mirrored = false
				r.Tunnel = &Tunnel{Remote: drawAddr(t)}
			}
			rules = append(rules, r)
		}
		c, err := Compile(policyOf(rules...), []netip.Addr{netip.MustParseAddr("10.0.0.0")})
		if err != nil {
			t.Skip("a conflict")
		}
		for range 30 {
			l, r := drawAddr(t), drawAddr(t)
			if got, want := c.FindMainMode(l, r), find(c, l, r); got != want {
				t.Fatalf("%v %v: %v, want %v", l, r, got, want)
			}
		}
		if c.FindMainMode(netip.Addr{}, me4) != nil || c.FindMainMode(me4, me6) != nil {
			t.Fatal("an impossible pair has a filter")
		}
	})
}

// drawAddr draws from a small world, so that filters meet.
func drawAddr(t *rapid.T) netip.Addr {
	b := byte(rapid.IntRange(0, 7).Draw(t, "address"))
	if rapid.IntRange(0, 4).Draw(t, "family") == 0 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 15: b})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, b})
}

func drawSide(t *rapid.T) AddrSpec {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return AddrSpec{Kind: Any}
	case 1:
		return AddrSpec{Kind: Me}
	case 2:
		p, _ := drawAddr(t).Prefix(30)
		return AddrSpec{Kind: Subnet, Range: classifier.RangeOf(p)}
	case 3:
		a := drawAddr(t)
		return AddrSpec{Kind: AddrRange, Range: classifier.Range{From: a, To: a.Next().Next()}}
	case 4:
		return AddrSpec{Kind: DNSName, Name: "n.example", Resolved: []netip.Addr{drawAddr(t), drawAddr(t)}}
	}
	return AddrSpec{Kind: Host, Range: classifier.HostRange(drawAddr(t))}
}

// holds is the naive meaning of one side.
func holds(a *AddrSpec, addr netip.Addr, mine []netip.Addr) bool {
	switch a.Kind {
	case Any:
		return true
	case Me:
		return slices.Contains(mine, addr)
	case DNSName:
		return slices.Contains(a.Resolved, addr)
	}
	return a.Range.Contains(addr)
}

// TestExpansionIsTheNaiveTruth compares, packet by packet, the filters of the expanded lists with the generic ones read naively.
func TestExpansionIsTheNaiveTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("2001::3")}
		var rules []*Rule
		for i := range rapid.IntRange(1, 8).Draw(t, "rules") {
			kind := rapid.SampledFrom([]ActionKind{Block, Permit}).Draw(t, "action")
			g := GenericFilter{Src: drawSide(t), Dst: drawSide(t), Mirrored: rapid.Bool().Draw(t, "mirrored")}
			if rapid.Bool().Draw(t, "tcp") {
				g.Proto = 6
				if rapid.Bool().Draw(t, "port") {
					g.DstPorts = classifier.Port(uint16(rapid.IntRange(1, 3).Draw(t, "to")))
				}
			}
			rules = append(rules, rule(fmt.Sprint(i), kind, g))
		}
		c, err := Compile(policyOf(rules...), mine)
		if err != nil {
			if !strings.Contains(err.Error(), "for the same filter") {
				t.Fatal(err)
			}
			return
		}
		for range 40 {
			q := datagram(drawAddr(t).String(), drawAddr(t).String(), uint16(rapid.IntRange(1, 3).Draw(t, "sport")), uint16(rapid.IntRange(1, 3).Draw(t, "dport")))
			src, dst := q.Src.From, q.Dst.From
			if src.Is4() != dst.Is4() || slices.Contains(mine, src) && slices.Contains(mine, dst) {
				continue // such packets do not exist, or do not leave the host
			}
			out := !slices.Contains(mine, dst)
			want := map[string]bool{}
			for _, r := range rules {
				g := &r.Filters[0]
				if g.Src.Kind == Me && g.Dst.Kind == Me {
					continue
				}
				hit := func(src, dst netip.Addr, sport, dport classifier.Ports) bool {
					return holds(&g.Src, src, mine) && holds(&g.Dst, dst, mine) && (g.Proto == 0 || g.Proto == 6) && (!g.DstPorts.Given || g.DstPorts == dport)
				}
				if hit(src, dst, q.SrcPorts, q.DstPorts) || g.Mirrored && hit(dst, src, q.DstPorts, q.SrcPorts) {
					want[r.Action.Kind.String()] = true
				}
			}
			d := c.Decision(q, out)
			if (d == nil) != (len(want) == 0) {
				t.Fatalf("%v outbound %v: %+v, want one of %v", q, out, d, want)
			}
			if d != nil && !want[d.Action.String()] {
				t.Fatalf("%v: %v, want one of %v", q, d.Action, want)
			}
			// Nothing heavier may be passed over: each list is in order, and no later filter is a subset of the one that decides.
			list := c.Inbound
			if out {
				list = c.Outbound
			}
			for i := 1; i < len(list); i++ {
				if list[i-1].Filter.Compare(&list[i].Filter) < 0 || list[i-1].Filter.Contains(&list[i].Filter) {
					t.Fatalf("%v stands before %v", list[i-1].Filter, list[i].Filter)
				}
			}
		}
	})
}

// The order of rules never matters.
func TestOrderOfRulesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []*Rule
		for i := range rapid.IntRange(2, 8).Draw(t, "rules") {
			rules = append(rules, rule(fmt.Sprint(i), rapid.SampledFrom([]ActionKind{Block, Negotiate, Permit}).Draw(t, "action"), GenericFilter{Src: drawSide(t), Dst: drawSide(t), Mirrored: true}))
		}
		a, err1 := Compile(policyOf(rules...), locals)
		shuffled := rapid.Permutation(rules).Draw(t, "order")
		b, err2 := Compile(policyOf(shuffled...), locals)
		if (err1 == nil) != (err2 == nil) {
			t.Fatal(err1, err2)
		}
		if err1 != nil {
			return
		}
		same := func(x, y *QuickModeFilter) bool { return x.ID == y.ID }
		if !slices.EqualFunc(a.Outbound, b.Outbound, same) || !slices.EqualFunc(a.Inbound, b.Inbound, same) {
			t.Fatal("another order of rules, another order of filters")
		}
	})
}

// A host with hundreds of addresses: a filter for me costs one filter an address and direction, not their square.
func TestHundredsOfAddresses(t *testing.T) {
	var local []netip.Addr
	for i := range 500 {
		local = append(local, netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}))
	}
	c, err := Compile(policyOf(rule("a", Permit, generic("me <-> any", 22)), rule("b", Block, generic("me <-> me", 0)), rule("c", Negotiate, generic("me <-> 192.0.2.9", 0))), local)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Outbound) != 1000 || len(c.Inbound) != 1000 || len(c.MainMode) != 500 {
		t.Errorf("%d out, %d in, %d main mode", len(c.Outbound), len(c.Inbound), len(c.MainMode))
	}
}

func TestMethodTexts(t *testing.T) {
	both := Method{AH: &AHMethod{suite.HMACSHA1_96}, ESP: &ESPMethod{Encr: suite.TripleDES}, ESN: true}
	if s := both.String(); s != "ah hmac-sha1-96 + esp 3des esn" {
		t.Error(s)
	}
	if w := both.Weak(); len(w) != 2 || !strings.HasPrefix(w[0], "hmac-sha1-96: ") || !strings.HasPrefix(w[1], "3des: ") {
		t.Error(w)
	}
	for _, m := range DefaultMethods() {
		if w := m.Weak(); len(w) != 0 {
			t.Error("a default is weak:", w)
		}
	}
	for _, m := range DefaultKeyExchange().Methods {
		if w := m.Weak(); len(w) != 0 {
			t.Error("a default is weak:", w)
		}
	}
	if w := (MainModeMethod{Encr: suite.DES, Hash: suite.MD5, Group: suite.MODP768}).Weak(); len(w) != 3 {
		t.Error(w)
	}
	if l := both.EffectiveLifetime(); l != (Lifetime{3600, 100_000}) {
		t.Error(l)
	}
	if l := DefaultMethods()[0].EffectiveLifetime(); l.Seconds != 3600 || l.Kilobytes <= 100_000 {
		t.Error(l)
	}
	if l := (Method{AH: &AHMethod{suite.HMACSHA256_128}, Lifetime: Lifetime{Seconds: 7}}).EffectiveLifetime(); l != (Lifetime{7, MaxKilobytes}) {
		t.Error(l)
	}
	for v, want := range map[fmt.Stringer]string{Block: "block", Negotiate: "negotiate", Permit: "permit", ActionKind(9): "action 9", PSK: "psk", Certificate: "certificate",
		Kerberos: "kerberos", AuthKind(9): "authentication 9", Position{"f", 1, 2}: "f:1:2", Position{"", 1, 2}: "1:2", Position{File: "f"}: "f"} {
		if v.String() != want {
			t.Errorf("%q, want %q", v, want)
		}
	}
	var o PeerOptions
	if i, d := o.DPD(); i != DefaultDPDInterval || d != DefaultDPDTimeout || o.Idle() != DefaultIdleTimeout || o.Window() != DefaultReplayWindow {
		t.Error("defaults of peer options")
	}
	o.DPDInterval = -1
	if i, d := o.DPD(); i != 0 || d != 0 {
		t.Error("DPD is not off")
	}
	f := compile(t, rule("r", Block, generic("me <-> any", 0))).Outbound[0]
	if f.Weight() != f.Filter.Weight() || f.Source() != (Position{}) {
		t.Error(f)
	}
}
