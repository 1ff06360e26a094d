package ikev1

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestF13FloodFromManyPrefixes keeps the half-open table within its cap, and lets the prefix that floods push out its own entries: the
// lonely initiator of another prefix stays.
func TestF13FloodFromManyPrefixes(t *testing.T) {
	net := func(s string) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix(s))}
	}
	r := &policy.Rule{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}},
		Auth:   []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("the group's key, for tests only"))}},
		Tunnel: &policy.Tunnel{Local: hostB}, Filters: []policy.GenericFilter{{Src: net("10.2.0.0/24"), Dst: net("10.1.0.0/24"), Mirrored: true}}}
	p, err := policy.Compile(&policy.Policy{Rules: []*policy.Rule{r}, KeyExchange: policy.KeyExchange{Methods: []policy.MainModeMethod{
		{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA1, Group: suite.Curve25519}}}}, []netip.Addr{hostB})
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{Policy: p, Rand: rand.NewChaCha8([32]byte{9}), HalfOpenMax: 50, HalfOpenPerPrefix: 40,
		NewSPI: func(suite.Protocol, int) (uint32, error) { return 0x1000, nil }})
	if err != nil {
		t.Fatal(err)
	}
	sa := phase1SA(phase1Offers(p.Policy.KeyExchange, r.Auth)).Append(nil)
	body, err := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa}})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(from netip.Addr, n int) {
		h := isakmp.Header{InitiatorCookie: isakmp.Cookie{1, byte(n), byte(n >> 8)}, NextPayload: isakmp.PayloadSA, Version: isakmp.Version1,
			Exchange: isakmp.MainMode, Length: isakmp.HeaderLen + len(body)}
		m.Receive(start, isakmp.Datagram{Local: netip.AddrPortFrom(hostB, 500), Remote: netip.AddrPortFrom(from, 500), Data: append(h.Append(nil), body...)})
	}
	lonely := netip.MustParseAddr("203.0.113.9")
	begin(lonely, 1)
	for n := range 20 {
		begin(netip.AddrFrom4([4]byte{172, 16, byte(n), 1}), n) // a prefix each
	}
	for n := range 2000 {
		begin(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), n)
	}
	st := m.Stats()
	if st.HalfOpen != 50 || st.HalfOpenEvicted != 2021-50 || st.HalfOpenRefused != 0 {
		t.Errorf("%+v", st)
	}
	if len(m.halfOpen.prefixes[prefixOf(lonely)]) != 1 {
		t.Error("a flood from another prefix pushed the lonely initiator out")
	}
	for _, e := range m.halfOpen.entries {
		if !m.halfOpen.genuine(e) {
			t.Error("a cookie that is not ours")
		}
		other := *e
		other.remote = netip.AddrPortFrom(e.remote.Addr(), 501)
		if m.halfOpen.genuine(&other) {
			t.Error("the cookie does not bind the port")
		}
	}
	m.Advance(start.Add(halfOpenLife + time.Second))
	if st := m.Stats(); st.HalfOpen != 0 || len(m.halfOpen.prefixes) != 0 || !m.Deadline().IsZero() {
		t.Errorf("after their time: %+v", st)
	}
}

// TestOnlyTheLatestFailuresAreKept: a host that fails to reach very many others does not remember them all.
func TestOnlyTheLatestFailuresAreKept(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	m := c.m[0]
	f := m.policy.Outbound[0]
	for n := range 1000 {
		m.Acquire(start, f, f.Filter, hostA, netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}))
	}
	if got := len(m.peers); got != maxFailedPeers {
		t.Errorf("%d peers are remembered", got)
	}
	if list := m.Peers(start); len(list) != maxFailedPeers || list[0].LastFailure == nil || list[0].State != "down" {
		t.Errorf("%d peers are listed", len(list))
	}
}

// TestRevive: when the winner of a collision is deleted, the loser, which was never used, takes over.
func TestRevive(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	m := c.m[1]
	var first *child
	for _, x := range m.children {
		first = x
	}
	second := &child{sa: &isakmp.ChildSA{ID: 99, Selector: first.sa.Selector, Mode: first.sa.Mode, Protocols: []isakmp.ProtocolKeys{{SPIIn: 0x100, SPIOut: 0x101}}, Initiator: true},
		m: m, peer: first.peer, filter: first.filter, began: start}
	m.children[99], first.peer.children[99] = second, second
	m.bringUp(start, second)
	if second.usable() || !first.usable() {
		t.Fatal("the pair with the smaller SPI won")
	}
	m.removeChild(start, first, "test", false)
	if !second.usable() {
		t.Error("the loser did not take over")
	}
	ups := 0
	for ev, ok := m.Next(); ok; ev, ok = m.Next() {
		if up, ok := ev.(isakmp.ChildUp); ok && up.Child.ID == 99 && up.Child.Replaces == first.sa.ID {
			ups++
		}
	}
	if ups != 1 {
		t.Errorf("%d times up", ups)
	}
}
