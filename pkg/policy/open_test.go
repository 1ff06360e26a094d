package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	ip "github.com/goipsec/goipsec/pkg/packet"
)

// verdictOf is what a list of filters says of a datagram; one that names Me4 or Me6 is for every address of mine.
func verdictOf(list []*QuickModeFilter, k *ip.Key, mine []netip.Addr) ActionKind {
	for _, f := range list {
		g := f.Filter
		for side, addr := range map[*netip.Addr]netip.Addr{&g.Src.From: k.Src, &g.Dst.From: k.Dst} {
			if (*side == Me4 || *side == Me6) && slices.Contains(mine, addr) && side.Is4() == addr.Is4() {
				*side = addr
			}
		}
		if g.Src.From == k.Src && (f.Filter.Src.From == Me4 || f.Filter.Src.From == Me6) {
			g.Src.To = k.Src
		}
		if g.Dst.From == k.Dst && (f.Filter.Dst.From == Me4 || f.Filter.Dst.From == Me6) {
			g.Dst.To = k.Dst
		}
		if g.Match(k) {
			return f.Action
		}
	}
	return 0
}

// TestOpenMeDecidesAsItsExpansion: for any policy, host and datagram, the filters with me left open say the same as those made for the host's addresses.
func TestOpenMeDecidesAsItsExpansion(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		var rules []*Rule
		for i := range rapid.IntRange(1, 8).Draw(t, "rules") {
			kind := []ActionKind{Block, Permit, Negotiate}[rapid.IntRange(0, 2).Draw(t, "action")]
			rules = append(rules, rule(fmt.Sprint(i), kind, GenericFilter{Src: drawSide(t), Dst: drawSide(t), Mirrored: rapid.Bool().Draw(t, "mirrored"),
				Proto: uint8(rapid.IntRange(0, 1).Draw(t, "protocol") * 17)}))
		}
		mine := []netip.Addr{netip.MustParseAddr("10.0.0.0"), drawAddr(t), drawAddr(t)}
		expanded, err := Compile(policyOf(rules...), mine)
		if err != nil {
			t.Skip("a conflict")
		}
		open, err := CompileOpen(policyOf(rules...), LocalHost{Addresses: mine})
		if err != nil {
			t.Skip("a conflict of rules for a family that the host has no address of")
		}
		for range 20 {
			k := ip.Key{Src: drawAddr(t), Dst: drawAddr(t), Proto: 17, Flags: ip.ProtoKnown | ip.PortsKnown}
			// What arrives is for this host or from one network to another, and so is what leaves.
			if !slices.Contains(mine, k.Src) {
				compared++
				if got, want := verdictOf(open.Inbound, &k, mine), verdictOf(expanded.Inbound, &k, nil); got != want {
					t.Fatalf("arriving %v -> %v: %v, want %v", k.Src, k.Dst, got, want)
				}
			}
			if !slices.Contains(mine, k.Dst) {
				if got, want := verdictOf(open.Outbound, &k, mine), verdictOf(expanded.Outbound, &k, nil); got != want {
					t.Fatalf("leaving %v -> %v: %v, want %v", k.Src, k.Dst, got, want)
				}
			}
		}
	})
	if compared < 100 {
		t.Errorf("only %d datagrams compared", compared)
	}
}
