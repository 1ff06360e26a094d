package guard

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/testnet"
)

// TestShowListsTheRulesInOrderWithTheirDrops: each rule once, by weight, whether it is a rule of the firewall or one of many in a set, with what it dropped.
func TestShowListsTheRulesInOrderWithTheirDrops(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	rules := []Rule{{filter("10.9.0.2/32", "240.0.0.1/32", 17, 80), Accept}, {filter("10.9.0.2/32", "240.0.0.1/32", 17), Drop}}
	for i := range 6 {
		from := netip.AddrFrom4([4]byte{10, 9, byte(i), 3})
		rules = append(rules, Rule{classifier.Filter{Src: classifier.Range{From: from, To: from.Next().Next()}, Dst: classifier.HostRange(netip.MustParseAddr(mine[1]))}, Drop})
	}
	rules = append(rules, Rule{filter("fd09::3/128", "fd09::11/128", 17, 99), Drop})
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules, Outbound: rules[1:2], Me: []netip.Addr{me4, me6}}))
	for i, c := range []struct{ src, dst string }{{theirs[0], mine[0]}, {theirs[0], mine[1]}, {theirs[2], mine[1]}, {theirs[2], mine[1]}} {
		b.inject(udp(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst), 1, uint16(1000+i), "dropped"))
	}
	b.inject(udp(netip.MustParseAddr(theirs[4]), netip.MustParseAddr(mine[3]), 1, 99, "dropped"))
	if got := append(b.arrived(0), b.arrived(1)...); len(got) > 0 {
		t.Fatal(got)
	}
	l, err := Show("test")
	must(t, err)
	var text bytes.Buffer
	must(t, l.WriteText(&text))
	next := 1
	for _, x := range l.Lines {
		if x.Direction != inbound || x.Rule == 0 {
			continue
		}
		if x.Rule != next || x.Verdict != rules[next-1].Verdict.String() {
			t.Errorf("rule %d: %+v", next, x)
		}
		want := map[int]uint64{2: 2, 4: 2, 9: 1}[x.Rule]
		if x.Packets != want || (x.Bytes > 0) != (want > 0) {
			t.Errorf("rule %d: %d packets, %d bytes; want %d packets", x.Rule, x.Packets, x.Bytes, want)
		}
		next++
	}
	if next != len(rules)+1 {
		t.Errorf("%d of %d rules are listed", next-1, len(rules))
	}
	if l.Dropped != (Dropped{Inbound: 5}) {
		t.Errorf("%+v", l.Dropped)
	}
	for _, want := range []string{"10.9.0.2 -> me4 proto 17 ports any -> 80", "10.9.1.3-10.9.1.5 -> 10.9.0.11", "IKE, UDP port 500", "5 inbound", "loopback", "into the TUN"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the listing does not say %q:\n%s", want, text.String())
		}
	}
	if _, err := Show("nobody"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := CountDropped("nobody"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}
