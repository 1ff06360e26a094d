package endpoint

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

// An address of the host that no policy knows is a stranger; one that a policy was expanded for, or leaves out, and those of other hosts are not.
func TestStrangersAreOwnAddressesThatThePolicyDoesNotKnow(t *testing.T) {
	own, others := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("198.51.100.9")
	var k knownSources
	if !k.stranger(own) || k.stranger(others) {
		t.Errorf("with no policy: own %v, another's %v", k.stranger(own), k.stranger(others))
	}
	k.set([]netip.Addr{own})
	if k.stranger(own) {
		t.Error("an address of the policy is a stranger")
	}
	k.set(nil)
	if !k.stranger(own) {
		t.Error("an address that the policy has lost is no stranger")
	}
	k.add(own)
	if k.stranger(own) {
		t.Error("an address that is left out is a stranger")
	}
	for i := range mostKnown + 10 {
		k.add(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if n := len(*k.list.Load()); n > mostKnown {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestRulesForMePointToTheSameWithoutAnAddress(t *testing.T) {
	p, err := (&end{text: "rules:\n  - {action: block, filters: [me <-> 10.1.0.0/24, any <-> me tcp 80, \"me -> fd01::1-fd01::2\", 10.3.0.1 <-> 10.4.0.1]}\n" +
		"  - {action: permit, filters: [me <-> 10.2.0.0/24]}\n"}).load()
	if err != nil {
		t.Fatal(err)
	}
	var list []netip.Prefix
	for _, r := range p.Rules {
		list = append(list, pointedTo(r)...)
	}
	for _, want := range []string{"10.1.0.0/24", "0.0.0.0/0", "::/0", "fd01::1/128", "fd01::2/128"} {
		at := slices.Index(list, netip.MustParsePrefix(want))
		if at < 0 {
			t.Errorf("%s is not among %v", want, list)
			continue
		}
		list = slices.Delete(list, at, at+1)
	}
	if len(list) != 0 {
		t.Errorf("not wanted: %v", list)
	}
	for _, r := range p.Rules {
		if r.Action.Kind == policy.Permit && len(pointedTo(r)) != 0 {
			t.Errorf("what is permitted is captured: %v", pointedTo(r))
		}
	}
	four := families{}
	four.see([]netip.Addr{netip.MustParseAddr("192.0.2.1")})
	if !four.has(netip.MustParseAddr("0.0.0.0")) || four.has(netip.MustParseAddr("::")) {
		t.Error("a host with IPv4 only captures IPv6")
	}
}
