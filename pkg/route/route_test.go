package route

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestDeriveKeepsInstancesApart(t *testing.T) {
	tables := map[uint32]string{}
	for i := range 100 {
		name := fmt.Sprint("site-", i)
		id := Derive(name)
		if id != Derive(name) {
			t.Error("not stable")
		}
		if id.Mark&MarkMask != MarkBase || id.Mark == MarkBase || id.Table < 256 || id.Priority-1 <= 0 || id.Priority >= 32766 {
			t.Errorf("%s: %+v", name, id)
		}
		if other, dup := tables[id.Table]; dup {
			t.Errorf("%s and %s share table %d", name, other, id.Table)
		}
		tables[id.Table] = name
	}
}

func TestRFC4301Section4_4_1_1CaptureTakesASourceInsideTheSelectors(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd01::1")}
	behind := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd01::/64")}
	for dst, want := range map[string]string{"10.2.0.0/16": "10.1.0.1", "fd02::/64": "fd01::1"} {
		if c := CaptureOf(netip.MustParsePrefix(dst), behind, own); c.Source != netip.MustParseAddr(want) {
			t.Errorf("%s: %v", dst, c)
		}
	}
	if c := CaptureOf(netip.MustParsePrefix("10.2.3.4/16"), behind[1:], own); c.Source.IsValid() || c.Prefix != netip.MustParsePrefix("10.2.0.0/16") {
		t.Error(c)
	}
}

func ExampleDerive() {
	id := Derive("default")
	fmt.Printf("ip rule: not fwmark %#x/%#x lookup %d\n", MarkBase, uint32(MarkMask), id.Table)
	// Output: ip rule: not fwmark 0x6f490000/0xffff0000 lookup 1867106533
}
