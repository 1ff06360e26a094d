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

// TestTwoPeersBehindOneNAT lets two road warriors call from behind one address: neither's INITIAL-CONTACT, deletion or silence may touch
// the other.
func TestTwoPeersBehindOneNAT(t *testing.T) {
	gateway, public := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.77")
	inside := []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")}
	net := func(s string) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix(s))}
	}
	machine := func(n byte, self, peer netip.Addr, src, dst string) *Machine {
		t.Helper()
		r := &policy.Rule{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}},
			Auth:   []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("the group's key, for tests only"))}},
			Tunnel: &policy.Tunnel{Local: self, Remote: peer}, Filters: []policy.GenericFilter{{Src: net(src), Dst: net(dst), Mirrored: true}}}
		p, err := policy.Compile(&policy.Policy{Rules: []*policy.Rule{r}, KeyExchange: policy.KeyExchange{Methods: []policy.MainModeMethod{
			{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA1, Group: suite.Curve25519}}}}, []netip.Addr{self})
		if err != nil {
			t.Fatal(err)
		}
		spi := uint32(n)<<12 | 0x100000
		m, err := New(Config{Policy: p, Rand: rand.NewChaCha8([32]byte{n}), NewSPI: func(suite.Protocol, int) (uint32, error) { spi++; return spi, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	responder := machine(1, gateway, netip.Addr{}, "10.2.0.0/24", "10.1.0.0/24")
	clients := []*Machine{machine(2, inside[0], gateway, "10.1.0.1/32", "10.2.0.0/24"), machine(3, inside[1], gateway, "10.1.0.2/32", "10.2.0.0/24")}
	port := func(client int, p uint16) uint16 { return p + 20000 + uint16(client)*10000 }
	pump := func() {
		for again := true; again; {
			again = false
			for n, c := range clients {
				for ev, ok := c.Next(); ok; ev, ok = c.Next() {
					if tx, ok := ev.(isakmp.Transmit); ok {
						again = true
						responder.Receive(start, isakmp.Datagram{Local: tx.Remote, Remote: netip.AddrPortFrom(public, port(n, tx.Local.Port())), Data: tx.Data})
					}
				}
			}
			for ev, ok := responder.Next(); ok; ev, ok = responder.Next() {
				if tx, ok := ev.(isakmp.Transmit); ok {
					again = true
					n := 0
					if tx.Remote.Port() >= port(1, 0) {
						n = 1
					}
					clients[n].Receive(start, isakmp.Datagram{Local: netip.AddrPortFrom(inside[n], tx.Remote.Port()-port(n, 0)), Remote: tx.Local, Data: tx.Data})
				}
			}
		}
	}
	for n, c := range clients {
		f := c.policy.Outbound[0]
		c.Acquire(start, f, f.Filter, inside[n], gateway)
		pump()
	}
	if st := responder.Stats(); st.Children != 2 || st.MainModes != 2 || st.Peers != 2 {
		t.Fatalf("%+v", st)
	}
	for _, c := range responder.Children(start) {
		if c.State != "up" || !c.Child.NATRemote || c.Child.Remote.Port() < port(0, 4500) {
			t.Errorf("%+v", c.Child)
		}
	}
	// The gateway renews one: it is the right client that answers.
	if err := responder.Rekey(start, responder.Children(start)[1].Child.ID); err != nil {
		t.Fatal(err)
	}
	pump()
	if a, b := len(clients[0].children), len(clients[1].children); a != 1 || b != 2 {
		t.Errorf("%d and %d children at the clients", a, b)
	}
	// One client is gone for good; the NAT gives the other a new port.
	clients[0].Close(start)
	pump()
	if st := responder.Stats(); st.MainModes != 1 || st.Peers != 1 {
		t.Errorf("%+v", st)
	}
	before := responder.allPeers()[0].at.port
	port = func(client int, p uint16) uint16 { return p + 20001 + uint16(client)*10000 }
	if err := clients[1].Rekey(start, clients[1].allPeers()[0].sas[0].id); err != nil {
		t.Fatal(err)
	}
	for id := range clients[1].children {
		clients[1].Expired(start, id, "test")
		break
	}
	pump()
	if now := responder.allPeers()[0].at.port; now == before || responder.Stats().Children == 0 {
		t.Errorf("port %d after %d, %+v", now, before, responder.Stats())
	}
	for _, m := range append(clients, responder) {
		m.Advance(start.Add(24 * time.Hour))
	}
}
